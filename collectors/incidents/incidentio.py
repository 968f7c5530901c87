"""incident.io: its incidents with all their updates, and webhooks signed by Svix.

The official SDK is left out on purpose: it decodes a page as a whole, so that one incident it does
not understand takes the others with it, bounds neither the size of an answer nor the time until a
stop, and brings 18 MB for two addresses. Private incidents are passed over: webhooks name only
their ids.
"""

import threading
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import Field

from collectors.incidents.kit import paths
from collectors.incidents.kit.asking import Detailed, asking
from collectors.incidents.kit.pieces import dicts, named, piece, steps, texts
from collectors.incidents.kit.reception import standard
from collectors.incidents.kit.tool import AskedSettings, House, Tool, made
from collectors.kit.budget import Window
from collectors.kit.times import instant
from collectors.kit.web import Web
from pipeline.errors import SetAside
from pipeline.model import Incident, Status, StatusAt, Update
from pipeline.ports import Clock

ADDRESS: Final = "https://api.incident.io"
PAGE: Final = 100
#: incident.io lets 1,200 requests a minute through for a key.
CALLS: Final = Window(600, timedelta(minutes=1))
#: Categories of statuses; those of `live` have names of an account's own.
_STATES: Final[dict[str, Status]] = {
    "triage": "investigating",
    "live": "investigating",
    "paused": "identified",
    "learning": "resolved",
    "closed": "resolved",
    "declined": "dismissed",
    "canceled": "dismissed",
    "merged": "dismissed",
}
_LIVE: Final[dict[str, Status]] = {
    "fix": "identified",
    "identif": "identified",
    "monitor": "monitoring",
}
_IMPACTS: Final = ("minor", "major", "critical")
#: Neither tests nor tutorials are incidents.
_REAL: Final = frozenset({"standard", "retrospective", ""})
_EVENTS: Final = ("incident_created", "incident_updated", "incident_status_updated")


class IncidentIoSettings(AskedSettings):
    """incident.io as a source of incidents: asked, pushing, or both."""

    url: str = Field(ADDRESS, pattern=r"^https?://[^\s/]+", description="Its API.")
    component_field: str | None = Field(
        None, description="The custom field that says which components an incident is about."
    )


def incidentio(name: str, clock: Clock, **given: Any) -> Tool:
    """The source. Raises Misuse when a credential that the settings name is not set."""
    told = IncidentIoSettings(**given)
    shape = Shape(House.of("incidentio", given), told.component_field)
    poller = asking(name, clock, told, lambda web: Incidents(web, told.url, shape), CALLS)
    verify = None if told.secret_from is None else standard(name, told.secret_from, "svix")
    return made(name, clock, shape.house, poller, verify, shape.event)


class Shape:
    """How incident.io's incidents become ours."""

    def __init__(self, house: House, component_field: str | None = None) -> None:
        self.house = house
        self._field = component_field

    def event(self, told: Any) -> list[Incident]:
        """What a webhook's event tells; nothing if it is about no public incident. SetAside."""
        kind = paths.text(told, "event_type")
        if kind is None:
            raise SetAside("no event of incident.io's webhooks")
        name = kind.removeprefix("public_incident.").rpartition("_v")[0]
        data = told.get(kind)
        if not kind.startswith("public_incident.") or name not in _EVENTS:
            return []
        incident = data.get("incident", data) if isinstance(data, dict) else None
        if not isinstance(incident, dict):
            raise SetAside("an event without its incident")
        said: tuple[Update, ...] = ()
        at = changed_at(incident)
        if text := paths.text(data, "message"):
            said = (Update(status=_state(data.get("new_status")) or "", body=text, display_at=at),)
        return [self.piece(incident, updates=said)] if is_real(incident) else []

    def piece(
        self, raw: Any, *, history: tuple[StatusAt, ...] = (), updates: tuple[Update, ...] = ()
    ) -> Incident:
        """The incident as an answer or event has it. Raises SetAside."""
        number, at = named(raw), changed_at(raw)
        state = _state(raw.get("incident_status"))
        opened = steps((raw.get("created_at"), "investigating"))
        severity = (paths.text(raw, "severity.name") or "").casefold()
        return piece(
            self.house.id(number),
            at,
            title=named(raw, "name"),
            impact=next((one for one in _IMPACTS if one in severity), None),
            components=self._components(raw),
            url=paths.text(raw, "permalink"),
            links=tuple(texts(paths.text(raw, "external_issue_reference.issue_permalink"))),
            started_at=_impact_began(raw),
            history=opened + history + (steps((at, state)) if state else ()),
            updates=updates,
        )

    def _components(self, raw: Any) -> list[dict[str, str | None]]:
        """What the custom field names that the settings point at."""
        values = [
            value
            for entry in dicts(raw.get("custom_field_entries"))
            if self._field and paths.text(entry, "custom_field.name") == self._field
            for value in dicts(entry.get("values"))
        ]
        found = []
        for value in values:
            for place in ("value_catalog_entry.name", "value_option.value", "value_text"):
                if name := paths.text(value, place):
                    number = paths.text(value, "value_catalog_entry.id")
                    found.append({"id": number, "name": name})
                    break
        return found


class Incidents(Detailed):
    """Incidents that changed, each with its updates."""

    def __init__(self, web: Web, url: str, shape: Shape) -> None:
        super().__init__(web, url)
        self._shape = shape

    def changed(
        self, since: datetime, after: str | None, stop: threading.Event
    ) -> tuple[list[dict[str, Any]], str | None]:
        """See ``Detailed.changed``. The filter knows days; ``Detailed`` leaves out the rest."""
        params = {"page_size": str(PAGE), "updated_at[gte]": f"{since:%Y-%m-%d}"}
        if after is not None:
            params["after"] = after
        told, raws = self.listed("/v2/incidents", "incidents", params, stop)
        following = paths.text(told, "pagination_meta.after")
        real = [raw for raw in raws if is_real(raw)]
        return real, following if len(raws) >= PAGE else None

    def stamp(self, raw: dict[str, Any]) -> tuple[str, datetime]:
        """See ``Detailed.stamp``."""
        return named(raw), changed_at(raw)

    def told(self, raw: dict[str, Any], stop: threading.Event) -> Incident:
        """See ``Detailed.told``."""
        params = {"incident_id": named(raw), "page_size": "250"}
        _, said = self.listed("/v2/incident_updates", "incident_updates", params, stop)
        history = [
            step
            for one in said
            if (state := _state(one.get("new_incident_status")))
            for step in steps((one.get("created_at"), state))
        ]
        updates = tuple(
            Update(status=_state(one.get("new_incident_status")) or "", body=text, display_at=at)
            for one in said
            if (text := paths.text(one, "message")) and (at := instant(one.get("created_at")))
        )
        return self._shape.piece(raw, history=tuple(history), updates=updates)


def changed_at(raw: Any) -> datetime:
    """When anything about it changed last. Raises SetAside."""
    at = instant(paths.at(raw, "updated_at")) or instant(paths.at(raw, "created_at"))
    if at is None:
        raise SetAside("an incident without `updated_at`")
    return at


def is_real(raw: Any) -> bool:
    """Whether it is no test."""
    return (paths.text(raw, "mode") or "") in _REAL


def _state(status: Any) -> Status | None:
    """What a status is to us: by its category, and by its name where that is `live`."""
    category, name = paths.text(status, "category"), (paths.text(status, "name") or "").casefold()
    if category == "live":
        return next((state for word, state in _LIVE.items() if word in name), "investigating")
    return _STATES.get(category or "")


def _impact_began(raw: Any) -> datetime | None:
    """When it began to hurt, if somebody entered it."""
    for one in dicts(raw.get("incident_timestamp_values")):
        if "impact start" in (paths.text(one, "incident_timestamp.name") or "").casefold():
            return instant(paths.at(one, "value.value"))
    return None
