"""Rootly: its incidents with what their status pages were told, and signed webhooks.

An incident carries the time of each of its states, so that any answer or event tells all of its
history. Scheduled maintenance, tests and examples are left out. The official SDK is left out for
the reasons that ``incidentio`` gives; it is 30 MB.
"""

import threading
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import Field

from collectors.incidents.kit import paths
from collectors.incidents.kit.asking import Detailed, asking
from collectors.incidents.kit.pieces import dicts, named, piece, steps, texts
from collectors.incidents.kit.reception import signed
from collectors.incidents.kit.signing import Scheme
from collectors.incidents.kit.tool import AskedSettings, House, Tool, made
from collectors.kit.budget import Window
from collectors.kit.markup import plain
from collectors.kit.times import instant
from collectors.kit.web import Web
from pipeline.errors import SetAside
from pipeline.model import Incident, Status, Update
from pipeline.ports import Clock

ADDRESS: Final = "https://api.rootly.com"
PAGE: Final = 50
#: Rootly lets 3,000 requests a minute through for a key.
CALLS: Final = Window(600, timedelta(minutes=1))
SCHEME: Final = Scheme("x-rootly-signature", signed="{timestamp}{body}")
#: The fields that say since when it has been in a state. Who closes it resolved it before.
_STATES: Final[tuple[tuple[str, Status], ...]] = (
    ("created_at", "investigating"),
    ("in_triage_at", "investigating"),
    ("detected_at", "investigating"),
    ("acknowledged_at", "identified"),
    ("mitigated_at", "monitoring"),
    ("resolved_at", "resolved"),
    ("closed_at", "resolved"),
    ("cancelled_at", "dismissed"),
)
_NOW: Final[dict[str, Status]] = {
    "in_triage": "investigating",
    "started": "investigating",
    "detected": "investigating",
    "acknowledged": "identified",
    "mitigated": "monitoring",
    "resolved": "resolved",
    "closed": "resolved",
    "cancelled": "dismissed",
}
_IMPACTS: Final = {"critical": "critical", "high": "major", "medium": "minor", "low": "minor"}
_REAL: Final = frozenset({"normal", "normal_sub", "backfilled", ""})


class RootlySettings(AskedSettings):
    """Rootly as a source of incidents: asked, pushing, or both."""

    url: str = Field(ADDRESS, pattern=r"^https?://[^\s/]+", description="Its API.")


def rootly(name: str, clock: Clock, **given: Any) -> Tool:
    """The source. Raises Misuse when a credential that the settings name is not set."""
    told = RootlySettings(**given)
    house = House.of("rootly", given)
    poller = asking(name, clock, told, lambda web: Incidents(web, told.url, house), CALLS)
    verify = None if told.secret_from is None else signed(name, told.secret_from, SCHEME)
    return made(name, clock, house, poller, verify, lambda sent: event(sent, house))


class Incidents(Detailed):
    """Incidents that changed, the latest first, each with what its status pages were told."""

    def __init__(self, web: Web, url: str, house: House) -> None:
        super().__init__(web, url)
        self._house = house

    def changed(
        self, since: datetime, after: str | None, stop: threading.Event
    ) -> tuple[list[dict[str, Any]], str | None]:
        """See ``Detailed.changed``."""
        params = {
            "filter[updated_at][gte]": since.isoformat(),
            "sort": "-updated_at",
            "page[size]": str(PAGE),
            "page[number]": after or "1",
        }
        told, raws = self.listed("/v1/incidents", "data", params, stop)
        following = paths.text(told, "meta.next_page")
        found = [_flat(raw) for raw in raws]
        return [one for one in found if is_real(one)], following

    def stamp(self, raw: dict[str, Any]) -> tuple[str, datetime]:
        """See ``Detailed.stamp``."""
        return named(raw), changed_at(raw)

    def told(self, raw: dict[str, Any], stop: threading.Event) -> Incident:
        """See ``Detailed.told``."""
        path = f"/v1/incidents/{named(raw)}/status-page-events"
        _, events = self.listed(path, "data", {"page[size]": "100"}, stop)
        updates = tuple(
            Update(
                id=paths.text(one, "id"),
                status=paths.text(one, "attributes.status") or "",
                body=plain(text)[0],
                display_at=at,
            )
            for one in events
            if (text := paths.text(one, "attributes.event"))
            and (at := instant(paths.at(one, "attributes.started_at")))
        )
        return incident(raw, changed_at(raw), self._house, updates)


def event(told: Any, house: House) -> list[Incident]:
    """What a webhook's event tells: nothing if it is about no incident. Raises SetAside."""
    kind = paths.text(told, "event.type")
    issued = instant(paths.at(told, "event.issued_at"))
    if kind is None or issued is None:
        raise SetAside("no event of Rootly's webhooks")
    data = paths.at(told, "data")
    if not kind.startswith("incident.") or kind.startswith("incident.scheduled"):
        return []
    if not isinstance(data, dict):
        raise SetAside("an event without its incident")
    if not is_real(data):
        return []
    if kind == "incident.deleted":
        gone = steps((issued, "dismissed"))
        return [piece(house.id(named(data)), issued, title=data.get("title"), history=gone)]
    return [incident(data, instant(data.get("updated_at")) or issued, house)]


def incident(
    raw: dict[str, Any], at: datetime, house: House, updates: tuple[Update, ...] = ()
) -> Incident:
    """The incident as an answer or event has it, as of ``at``. Raises SetAside."""
    now = _NOW.get(paths.text(raw, "status") or "")
    if now == "investigating" and raw.get("acknowledged_at"):
        now = "identified"  # somebody took it; its status need not say so
    severity = paths.text(raw, "severity.data.attributes.severity") or paths.text(raw, "severity")
    parts = [*dicts(raw.get("services")), *dicts(raw.get("functionalities"))]
    components = [
        {"id": paths.text(one, "data.id") or paths.text(one, "id"), "name": name}
        for one in parts
        if (name := paths.text(one, "data.attributes.name") or paths.text(one, "name"))
    ]
    others = [
        raw.get(name) for name in sorted(raw) if name.endswith(("_incident_url", "_issue_url"))
    ]
    ended = [("mitigation_message", "mitigated_at"), ("resolution_message", "resolved_at")]
    said = tuple(
        Update(id=name, body=text, display_at=when)
        for name, since in ended
        if (text := paths.text(raw, name)) and (when := instant(raw.get(since)))
    )
    return piece(
        house.id(named(raw)),
        at,
        title=paths.text(raw, "public_title") or named(raw, "title"),
        impact=_IMPACTS.get((severity or "").casefold()),
        components=components,
        url=paths.text(raw, "url"),
        links=tuple(texts(paths.text(raw, "short_url"), *others)),
        started_at=instant(raw.get("started_at")) if raw.get("started_at") else None,
        history=steps(*((raw.get(name), status) for name, status in _STATES))
        + (steps((at, now)) if now else ()),
        updates=said + updates,
    )


def changed_at(raw: dict[str, Any]) -> datetime:
    """When anything about it changed last. Raises SetAside."""
    at = instant(raw.get("updated_at")) or instant(raw.get("created_at"))
    if at is None:
        raise SetAside("an incident without `updated_at`")
    return at


def is_real(raw: dict[str, Any]) -> bool:
    """Whether it is neither maintenance nor a test."""
    return (paths.text(raw, "kind") or "") in _REAL


def _flat(raw: dict[str, Any]) -> dict[str, Any]:
    """A resource of JSON:API as webhooks have it."""
    told = raw.get("attributes")
    return {**(told if isinstance(told, dict) else {}), "id": raw.get("id")}
