"""PagerDuty on loopback: the account's log, newest first, paged by offset; and its webhooks."""

from datetime import datetime
from typing import Any

from tests.servers.platform import Asked, Fault, Platform, document


class PagerDuty(Platform):
    """Incidents by id, and log entries in the order in which they were made."""

    def __init__(self) -> None:
        super().__init__()
        self.incidents: dict[str, dict[str, Any]] = {}
        self.entries: list[dict[str, Any]] = []

    def trigger(self, number: str, at: datetime, title: str, **more: Any) -> None:
        """A new incident."""
        self.incidents[number] = incident(number, title, at) | more
        self.log(number, "trigger", at)

    def log(self, number: str, kind: str, at: datetime, **more: Any) -> None:
        """Something happens to an incident."""
        entry = {
            "id": f"R{len(self.entries)}",
            "type": f"{kind}_log_entry",
            "created_at": at.isoformat(),
            "incident": number,
        }
        self.entries.append(entry | more)

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        if asked.headers.get("authorization") != "Token token=a-key":
            return document({"error": {"message": "Unauthorized"}}, status=401)
        if asked.path != "/log_entries":
            return Fault(404)
        limit, offset = int(asked.params["limit"]), int(asked.params["offset"])
        if offset + limit > 10_000:
            return document({"error": {"message": "Offset is too large"}}, status=400)
        since = datetime.fromisoformat(asked.params["since"])
        found = [e for e in self.entries if datetime.fromisoformat(e["created_at"]) >= since][::-1]
        page = [
            entry | {"incident": self.incidents.get(entry["incident"], entry["incident"])}
            for entry in found[offset : offset + limit]
        ]
        more = offset + limit < len(found)
        return document({"log_entries": page, "limit": limit, "offset": offset, "more": more})


def incident(number: str, title: str, at: datetime, **more: Any) -> dict[str, Any]:
    """An incident as answers and events have it."""
    return {
        "id": number,
        "type": "incident",
        "html_url": f"https://acme.pagerduty.example/incidents/{number}",
        "number": 7,
        "status": "triggered",
        "created_at": at.isoformat(),
        "title": title,
        "service": {"id": "PSVC1", "type": "service_reference", "summary": "Checkout"},
        "priority": {"id": "PPRI1", "type": "priority_reference", "summary": "P1"},
        "urgency": "high",
    } | more


def reference(number: str, title: str) -> dict[str, Any]:
    """An incident as events about something else have it."""
    url = f"https://acme.pagerduty.example/incidents/{number}"
    return {"id": number, "type": "incident_reference", "summary": title, "html_url": url}


def event(kind: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    """What a webhook of version 3 delivers."""
    return {
        "event": {
            "id": f"{kind}-{at.isoformat()}",
            "event_type": kind,
            "resource_type": kind.partition(".")[0],
            "occurred_at": at.isoformat(),
            "agent": None,
            "client": None,
            "data": data,
        }
    }
