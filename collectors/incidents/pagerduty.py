"""PagerDuty: its log of what happened to incidents, their notes, and webhooks of version 3.

What is asked for is the account's log, newest first, each entry with its incident: an entry is a
change of status or a note. The list ends at 10,000 entries. A webhook tells the same sooner; its
events about notes and status updates have only a reference to their incident.
"""

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import Field

from collectors.incidents.kit import paths
from collectors.incidents.kit.asking import Listing, asking, unread
from collectors.incidents.kit.pieces import dicts, named, piece, steps
from collectors.incidents.kit.reception import signed
from collectors.incidents.kit.signing import Scheme
from collectors.incidents.kit.tool import AskedSettings, House, Tool, made
from collectors.kit.budget import Window
from collectors.kit.polling import Entry, Page
from collectors.kit.times import EPOCH, instant
from collectors.kit.web import Web
from pipeline.errors import SetAside
from pipeline.model import Incident, Status, Update
from pipeline.ports import Clock

ADDRESS: Final = "https://api.pagerduty.com"
#: Offset and limit together may not be more.
LIST_CAP: Final = 10_000
PAGE: Final = 100
#: PagerDuty lets 960 requests a minute through for a key; we leave most of them to others.
CALLS: Final = Window(300, timedelta(minutes=1))
SCHEME: Final = Scheme("x-pagerduty-signature", identity="x-webhook-id")

_STATES: Final[Mapping[str, Status]] = {
    "trigger": "investigating",
    "triggered": "investigating",
    "unacknowledge": "investigating",
    "unacknowledged": "investigating",
    "reopen": "investigating",
    "reopened": "investigating",
    "acknowledge": "identified",
    "acknowledged": "identified",
    "resolve": "resolved",
    "resolved": "resolved",
}
#: Priorities are an account's own; these are the names it begins with.
_IMPACTS: Final = {"p1": "critical", "p2": "major", "p3": "minor", "p4": "minor", "p5": "none"}


class PagerDutySettings(AskedSettings):
    """PagerDuty as a source of incidents: asked, pushing, or both."""

    url: str = Field(
        ADDRESS,
        pattern=r"^https?://[^\s/]+",
        description="Its API; of the EU api.eu.pagerduty.com.",
    )


def pagerduty(name: str, clock: Clock, **given: Any) -> Tool:
    """The source. Raises Misuse when a credential that the settings name is not set."""
    told = PagerDutySettings(**given)
    house = House.of("pagerduty", given)
    poller = asking(
        name, clock, told, lambda web: Log(web, told.url, house), CALLS, "Token token={}".format
    )
    verify = None if told.secret_from is None else signed(name, told.secret_from, SCHEME)
    return made(name, clock, house, poller, verify, lambda sent: event(sent, house))


class Log(Listing):
    """The account's log, newest first."""

    def __init__(self, web: Web, url: str, house: House) -> None:
        super().__init__(web, url)
        self._house = house

    def look(self, since: datetime, before: str | None, stop: threading.Event) -> Page:
        """See ``Listing.look``; ``before`` is an offset."""
        offset = int(before or 0)
        params = {
            "since": since.isoformat(),
            "limit": str(PAGE),
            "offset": str(offset),
            "time_zone": "UTC",
            "include[]": ["incidents", "channels"],
        }
        told, raws = self.listed("/log_entries", "log_entries", params, stop)
        found = [entry for raw in raws for entry in self._entries(raw)]
        following = offset + PAGE
        if told.get("more") is not True or not raws:
            return Page(found, is_all=True)
        return Page(found, before=str(following) if following + PAGE <= LIST_CAP else None)

    def _entries(self, raw: Mapping[str, Any]) -> Iterator[Entry]:
        at, number = instant(raw.get("created_at")), paths.text(raw, "id")
        if at is None or number is None:
            return
        try:
            told = log_entry(raw, at, self._house)
        except SetAside as reason:
            yield unread(number, at, raw, reason)
            return
        for position, one in enumerate(told):
            yield Entry(f"{number}.{position}" if position else number, at, one)


def log_entry(raw: Mapping[str, Any], at: datetime, house: House) -> list[Incident]:
    """What one entry of the log tells; of most kinds nothing. Raises SetAside."""
    kind = str(raw.get("type", "")).removesuffix("_log_entry")
    incident = raw.get("incident")
    if kind in _STATES:
        opened = steps((paths.at(incident, "created_at"), "investigating"))
        return _pieces(incident, at, house, history=opened + steps((at, _STATES[kind])))
    if kind == "annotate":
        said = paths.text(raw, "channel.content") or paths.text(raw, "channel.summary")
        return _pieces(incident, at, house, updates=_said(said, at))
    if kind == "status_update":
        return _pieces(incident, at, house, updates=_said(paths.text(raw, "message"), at))
    return _pieces(incident, at, house) if kind == "priority_change" else []


def event(told: Any, house: House) -> list[Incident]:
    """What a webhook's event tells: nothing if it is about no incident. Raises SetAside."""
    kind = paths.text(told, "event.event_type")
    at, data = instant(paths.at(told, "event.occurred_at")), paths.at(told, "event.data")
    if kind is None or at is None:
        raise SetAside("no event of PagerDuty's webhooks, version 3")
    what = kind.removeprefix("incident.")
    if what == kind or not isinstance(data, dict):
        return []
    if what == "annotated":
        return _pieces(data.get("incident"), at, house, updates=_said(data.get("content"), at))
    if what == "status_update_published":
        return _pieces(data.get("incident"), at, house, updates=_said(data.get("message"), at))
    if data.get("type") != "incident":
        return []
    opened = steps((data.get("created_at"), "investigating"))
    changed = steps((at, _STATES[what])) if what in _STATES else ()
    return _pieces(data, at, house, history=opened + changed)


def _pieces(incident: Any, at: datetime, house: House, **told: Any) -> list[Incident]:
    """Pieces of the incident that an answer or event names, in full or by reference.

    A reference's summary stands for the title until somebody tells it in full.
    """
    name = house.id(named(incident))
    url = paths.text(incident, "html_url")
    title = paths.text(incident, "title")
    if title is None:
        hint = piece(name, EPOCH, title=paths.text(incident, "summary"), url=url)
        return [hint, piece(name, at, **told)]
    priority = (paths.text(incident, "priority.summary") or "").casefold()
    services = [paths.at(incident, "service"), *dicts(paths.at(incident, "impacted_services"))]
    components = [
        {"id": paths.text(one, "id"), "name": paths.text(one, "summary")}
        for one in services
        if paths.text(one, "summary")
    ]
    impact = _IMPACTS.get(priority)
    whole = {"title": title, "url": url, "impact": impact, "components": components}
    return [piece(name, at, **whole, **told)]


def _said(text: Any, at: datetime) -> tuple[Update, ...]:
    """A note or status update; the log has no ids for them, so its words tell them apart."""
    return (Update(body=text, display_at=at),) if isinstance(text, str) and text else ()
