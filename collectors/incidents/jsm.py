"""Jira Service Management, which follows Opsgenie: incidents are issues, told by Jira's own API.

What changed is found by a search, which knows times only as so many minutes ago or in the time
zone of whoever asks; then each issue is read with its changelog and comments. Version 2 of the API
has texts as webhooks have them. Signed webhooks tell the same sooner.
"""

import base64
import math
import threading
from collections.abc import Mapping
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
from collectors.kit.times import from_us, instant
from collectors.kit.web import Web
from pipeline.errors import Misuse, SetAside
from pipeline.model import Incident, Status, StatusAt, Update
from pipeline.ports import Clock

PAGE: Final = 100
#: Jira has no fixed limit; it answers 429 when it has enough, and this is far from it.
CALLS: Final = Window(300, timedelta(minutes=1))
SCHEME: Final = Scheme("x-hub-signature", identity="x-atlassian-webhook-identifier")
INCIDENTS: Final = 'issuetype in ("[System] Incident", "Incident")'
FIELDS: Final = "summary,status,priority,components,created,updated,comment,resolutiondate"
#: Statuses have names of a project's own; these are the usual ones, the settings may name others.
_STATES: Final[dict[str, Status]] = {
    "open": "investigating",
    "to do": "investigating",
    "new": "investigating",
    "reopened": "investigating",
    "waiting for support": "investigating",
    "investigating": "investigating",
    "under investigation": "investigating",
    "in progress": "identified",
    "work in progress": "identified",
    "pending": "identified",
    "identified": "identified",
    "fixing": "identified",
    "monitoring": "monitoring",
    "resolved": "resolved",
    "done": "resolved",
    "completed": "resolved",
    "closed": "resolved",
    "canceled": "dismissed",
    "cancelled": "dismissed",
    "declined": "dismissed",
}
#: What every status belongs to, whatever it is called.
_CATEGORIES: Final[dict[str, Status]] = {
    "new": "investigating",
    "indeterminate": "identified",
    "done": "resolved",
}
_IMPACTS: Final = {
    name: impact
    for impact, names in (
        ("critical", "highest blocker critical p1"),
        ("major", "high major p2"),
        ("minor", "medium minor low p3 p4"),
        ("none", "lowest trivial p5"),
    )
    for name in names.split()
}


class JsmSettings(AskedSettings):
    """Jira Service Management as a source of incidents: asked, pushing, or both."""

    url: str = Field(
        pattern=r"^https?://[^\s/]+", description="Your site: https://NAME.atlassian.net."
    )
    email: str | None = Field(None, description="Whose key `token_from` names.")
    jql: str = Field(INCIDENTS, min_length=1, description="Which issues are incidents.")
    statuses: dict[str, Status] = Field(
        {}, description="Names of your own statuses, and what each of them is to us."
    )


def jsm(name: str, clock: Clock, **given: Any) -> Tool:
    """The source. Raises Misuse when a credential that the settings name is not set."""
    told = JsmSettings(**given)
    if told.token_from is not None and told.email is None:
        raise Misuse(f"{name}: wants `email` beside `token_from`")
    shape = Shape(House.of("jsm", given), told.url, told.statuses)

    def basic(key: str) -> str:
        return f"Basic {base64.b64encode(f'{told.email}:{key}'.encode()).decode()}"

    def issues(web: Web) -> Issues:
        return Issues(web, told.url, shape, told.jql, clock)

    poller = asking(name, clock, told, issues, CALLS, basic)
    verify = None if told.secret_from is None else signed(name, told.secret_from, SCHEME)
    return made(name, clock, shape.house, poller, verify, shape.event)


class Shape:
    """How a site's issues become incidents."""

    def __init__(self, house: House, url: str, statuses: Mapping[str, Status]) -> None:
        self.house = house
        self._url = url.rstrip("/")
        self._states = _STATES | {name.casefold(): state for name, state in statuses.items()}

    def event(self, told: Any) -> list[Incident]:
        """What a webhook's event tells; nothing if it is about no issue. Raises SetAside.

        Which issues are sent is settled where the webhook is made.
        """
        kind, at = paths.text(told, "webhookEvent"), _moment(paths.at(told, "timestamp"))
        if kind is None or at is None:
            raise SetAside("no event of Jira's webhooks")
        issue = paths.at(told, "issue")
        if not isinstance(issue, dict):
            return []
        if kind == "jira:issue_deleted":
            gone = steps((at, "dismissed"))
            return [piece(self.house.id(named(issue, "key")), at, history=gone)]
        history = self._steps(paths.at(told, "changelog.items"), at)
        comment = paths.at(told, "comment")
        said = self._said([comment]) if kind.startswith("comment_") else ()
        return [self.piece(issue, at, history=history, said=said)]

    def piece(
        self,
        issue: dict[str, Any],
        at: datetime,
        *,
        history: tuple[StatusAt, ...] = (),
        said: tuple[Update, ...] = (),
    ) -> Incident:
        """The incident as an answer or event has it. Raises SetAside."""
        key = named(issue, "key")
        fields = issue.get("fields")
        title = named(fields, "summary")
        now = self._now(fields)
        priority = (paths.text(fields, "priority.name") or "").casefold()
        parts = dicts(paths.at(fields, "components"))
        return piece(
            self.house.id(key),
            at,
            title=title,
            impact=_IMPACTS.get(priority),
            components=[
                {"id": paths.text(one, "id"), "name": paths.text(one, "name")}
                for one in parts
                if paths.text(one, "name")
            ]
            or None,
            url=f"{self._url}/browse/{key}",
            history=steps((paths.at(fields, "created"), "investigating"))
            + history
            + (steps((at, now)) if now else ()),
            updates=(*self._said(dicts(paths.at(fields, "comment.comments"))), *said) or None,
        )

    def whole(self, issue: dict[str, Any]) -> Incident:
        """The incident that an answer has with changelog and comments. Raises SetAside."""
        history = [
            step
            for change in dicts(paths.at(issue, "changelog.histories"))
            if (when := instant(change.get("created")))
            for step in self._steps(change.get("items"), when)
        ]
        return self.piece(issue, changed_at(issue), history=tuple(history))

    def _steps(self, items: Any, at: datetime) -> tuple[StatusAt, ...]:
        """The changes of status in a changelog, as far as their names are known."""
        names = (one.get("toString") for one in dicts(items) if one.get("field") == "status")
        states = (self._states.get(name.casefold()) for name in texts(*names))
        return steps(*((at, state) for state in states if state))

    def _now(self, fields: Any) -> Status | None:
        """The state it is in: by the name of its status, else by what that belongs to."""
        name = (paths.text(fields, "status.name") or "").casefold()
        category = paths.text(fields, "status.statusCategory.key") or ""
        return self._states.get(name) or _CATEGORIES.get(category)

    def _said(self, comments: list[Any]) -> tuple[Update, ...]:
        return tuple(
            Update(id=paths.text(one, "id"), body=body, display_at=at)
            for one in comments
            if (body := paths.text(one, "body")) and (at := instant(paths.at(one, "created")))
        )


class Issues(Detailed):
    """Issues that changed, the latest first, each with its changelog and comments."""

    def __init__(self, web: Web, url: str, shape: Shape, jql: str, clock: Clock) -> None:
        super().__init__(web, url)
        self._shape = shape
        self._jql = jql
        self._clock = clock

    def changed(
        self, since: datetime, after: str | None, stop: threading.Event
    ) -> tuple[list[dict[str, Any]], str | None]:
        """See ``Detailed.changed``."""
        minutes = math.ceil((self._clock.now() - since) / timedelta(minutes=1)) + 1
        params = {
            "jql": f'({self._jql}) AND updated >= "-{minutes}m" ORDER BY updated DESC',
            "fields": "updated",
            "maxResults": str(PAGE),
        }
        if after is not None:
            params["nextPageToken"] = after
        told, raws = self.listed("/rest/api/2/search/jql", "issues", params, stop)
        return raws, paths.text(told, "nextPageToken")

    def stamp(self, raw: dict[str, Any]) -> tuple[str, datetime]:
        """See ``Detailed.stamp``."""
        return named(raw, "key"), changed_at(raw)

    def told(self, raw: dict[str, Any], stop: threading.Event) -> Incident:
        """See ``Detailed.told``."""
        path = f"{self.url}/rest/api/2/issue/{named(raw, 'key')}"
        issue = self.web.json(f"{path}?fields={FIELDS}&expand=changelog", stop)
        if not isinstance(issue, dict):
            raise SetAside("an issue that is no JSON object")
        return self._shape.whole(issue)


def changed_at(issue: Any) -> datetime:
    """When anything about it changed last. Raises SetAside."""
    at = instant(paths.at(issue, "fields.updated"))
    if at is None:
        raise SetAside("an issue without `updated`")
    return at


def _moment(ms: Any) -> datetime | None:
    """The time of so many milliseconds since 1970."""
    is_time = isinstance(ms, int) and not isinstance(ms, bool) and 0 < ms < 1 << 43
    return from_us(ms * 1000) if is_time else None
