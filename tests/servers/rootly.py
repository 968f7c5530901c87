"""Rootly on loopback: incidents by their last change, and what status pages were told."""

import re
from datetime import datetime
from typing import Any

from tests.servers.platform import Asked, Fault, Platform, document


class Rootly(Platform):
    """Attributes of incidents by id, and events of status pages by incident."""

    def __init__(self) -> None:
        super().__init__()
        self.incidents: dict[str, dict[str, Any]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}

    def start(self, number: str, at: datetime, title: str, **more: Any) -> None:
        """A new incident."""
        self.incidents[number] = incident(number, title, at, **more)

    def change(self, number: str, at: datetime, **fields: Any) -> None:
        """Changes fields of an incident."""
        self.incidents[number] |= {"updated_at": at.isoformat()} | fields

    def tell(self, number: str, at: datetime, status: str, event: str) -> None:
        """Tells the status page."""
        told = {"event": event, "status": status, "started_at": at.isoformat()}
        events = self.events.setdefault(number, [])
        kind = "incident_status_page_events"
        events.append({"id": f"E{number}-{len(events)}", "type": kind, "attributes": told})
        self.change(number, at)

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        if asked.headers.get("authorization") != "Bearer a-key":
            return document({"errors": [{"title": "Unauthorized"}]}, status=401)
        if found := re.fullmatch(r"/v1/incidents/([^/]+)/status-page-events", asked.path):
            return document({"data": self.events.get(found[1], []), "meta": {}, "links": {}})
        if asked.path != "/v1/incidents":
            return Fault(404)
        since = datetime.fromisoformat(asked.params["filter[updated_at][gte]"])
        changed = [
            (at, number)
            for number, one in self.incidents.items()
            if (at := datetime.fromisoformat(one["updated_at"])) >= since
        ]
        ids = [number for _, number in sorted(changed, reverse=True)]
        size, page = int(asked.params["page[size]"]), int(asked.params["page[number]"])
        data = [
            {"id": number, "type": "incidents", "attributes": self.incidents[number]}
            for number in ids[(page - 1) * size : page * size]
        ]
        following = page + 1 if page * size < len(ids) else None
        return document({"data": data, "links": {}, "meta": {"next_page": following}})


def incident(number: str, title: str, at: datetime, **more: Any) -> dict[str, Any]:
    """An incident as events have it; answers have the same as attributes."""
    service = {"id": "SV1", "type": "services", "attributes": {"name": "Checkout"}}
    severity = {"id": "SEV0", "attributes": {"name": "SEV0", "severity": "critical"}}
    return {
        "id": number,
        "title": title,
        "kind": "normal",
        "status": "started",
        "url": f"https://rootly.example/account/incidents/{number}",
        "severity": {"data": severity},
        "services": [{"data": service}],
        "created_at": at.isoformat(),
        "started_at": at.isoformat(),
        "updated_at": at.isoformat(),
        "acknowledged_at": None,
        "mitigated_at": None,
        "resolved_at": None,
        "pagerduty_incident_url": f"https://acme.pagerduty.example/incidents/PD{number}",
    } | more


def event(kind: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    """What a webhook delivers."""
    return {
        "event": {"id": f"{kind}-{at.isoformat()}", "type": kind, "issued_at": at.isoformat()},
        "data": data,
    }
