"""incident.io on loopback: incidents by the day of their last change, and their updates."""

from datetime import date, datetime
from typing import Any

from tests.servers.platform import Asked, Fault, Platform, document

STATUSES = {
    "Triage": "triage",
    "Investigating": "live",
    "Fixing": "live",
    "Monitoring": "live",
    "Documenting": "learning",
    "Closed": "closed",
    "Declined": "declined",
}


class IncidentIo(Platform):
    """Incidents by id, in the order in which they were made, and updates."""

    def __init__(self) -> None:
        super().__init__()
        self.incidents: dict[str, dict[str, Any]] = {}
        self.updates: list[dict[str, Any]] = []

    def declare(self, number: str, at: datetime, name: str, **more: Any) -> None:
        """A new incident."""
        self.incidents[number] = incident(number, name, at) | more

    def update(self, number: str, at: datetime, state: str, message: str = "") -> None:
        """Somebody gives an update."""
        told = {"updated_at": at.isoformat(), "incident_status": status(state)}
        self.incidents[number] |= told
        self.updates.append(
            {
                "id": f"U{len(self.updates)}",
                "incident_id": number,
                "created_at": at.isoformat(),
                "message": message,
                "new_incident_status": status(state),
            }
        )

    def reply(self, asked: Asked) -> Fault:
        """The answer to one request."""
        if asked.headers.get("authorization") != "Bearer a-key":
            return document({"type": "authentication_error"}, status=401)
        if asked.path == "/v2/incident_updates":
            wanted = asked.params["incident_id"]
            return document(
                {"incident_updates": [u for u in self.updates if u["incident_id"] == wanted]}
            )
        if asked.path != "/v2/incidents":
            return Fault(404)
        day = date.fromisoformat(asked.params["updated_at[gte]"])
        found = [
            one
            for one in reversed(self.incidents.values())
            if datetime.fromisoformat(one["updated_at"]).date() >= day
        ]
        ids = [one["id"] for one in found]
        begin = ids.index(asked.params["after"]) + 1 if "after" in asked.params else 0
        page = found[begin : begin + int(asked.params["page_size"])]
        meta = {"after": page[-1]["id"] if page else None, "page_size": len(page)}
        return document({"incidents": page, "pagination_meta": meta})


def status(name: str) -> dict[str, Any]:
    """A status as incidents and updates have it."""
    return {"id": f"S-{name}", "name": name, "category": STATUSES[name], "rank": 1}


def incident(number: str, name: str, at: datetime, **more: Any) -> dict[str, Any]:
    """An incident as answers and events have it."""
    return {
        "id": number,
        "reference": f"INC-{number}",
        "name": name,
        "mode": "standard",
        "visibility": "public",
        "permalink": f"https://app.incident-io.example/incidents/{number}",
        "created_at": at.isoformat(),
        "updated_at": at.isoformat(),
        "incident_status": status("Triage"),
        "severity": {"id": "SEV2", "name": "Major outage", "rank": 2},
        "external_issue_reference": {
            "provider": "jira",
            "issue_permalink": f"https://jira.example/browse/OPS-{number}",
        },
        "custom_field_entries": [
            {
                "custom_field": {"id": "CF1", "name": "Affected product"},
                "values": [
                    {"value_catalog_entry": {"id": "C1", "name": "Checkout"}},
                    {"value_option": {"id": "C2", "value": "Login"}},
                ],
            }
        ],
        "incident_timestamp_values": [
            {"incident_timestamp": {"name": "Impact started"}, "value": {"value": at.isoformat()}}
        ],
    } | more


def event(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """What a webhook delivers."""
    return {"event_type": kind, kind: data}
