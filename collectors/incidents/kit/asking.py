"""Asking an incident tool: what is common to those that list incidents or their events."""

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import orjson
import xxhash

from collectors.incidents.kit.pieces import dicts
from collectors.incidents.kit.tool import AskedSettings
from collectors.kit.budget import Budget, Window
from collectors.kit.limits import Absent
from collectors.kit.polling import Call, Entry, Habits, Page, Poller, Query, Value
from collectors.kit.progress import Progress
from collectors.kit.secret import secret
from collectors.kit.silence import Silence
from collectors.kit.times import to_us
from collectors.kit.unreadable import unreadable
from collectors.kit.web import Web
from pipeline.errors import SetAside, TryLater
from pipeline.model import Incident
from pipeline.ports import Clock

#: What changed may turn up so late among what changed before: clocks of servers differ.
OVERLAP: Final = timedelta(minutes=5)
#: How often an incident is asked for that is listed and not there.
TRIES: Final = 3


class Listing(ABC):
    """What a tool lists by the time of its last change: a ``Feed`` for the poller."""

    def __init__(self, web: Web, url: str) -> None:
        self.web = web
        self.url = url.rstrip("/")

    @abstractmethod
    def look(self, since: datetime, before: str | None, stop: threading.Event) -> Page:
        """One page (see ``Feed.page``)."""

    def page(
        self,
        query: Query,  # noqa: ARG002  # there is one
        since: datetime,
        before: str | None,
        stop: threading.Event,
    ) -> Page:
        """See ``Feed.page``."""
        return self.look(since, before, stop)

    def besides(self, progress: Progress, stop: threading.Event) -> Iterator[Value | Call]:  # noqa: ARG002
        """See ``Feed.besides``: nothing."""
        return iter(())

    def listed(
        self,
        path: str,
        key: str,
        params: Mapping[str, str | Sequence[str]],
        stop: threading.Event,
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The answer, and the objects in its list. Raises TryLater, also when it has no list."""
        told = self.web.json(f"{self.url}{path}?{urlencode(params, doseq=True)}", stop)
        if not isinstance(told, dict) or not isinstance(told.get(key), list):
            raise TryLater(f"{path} answers something else than `{key}`")
        return told, dicts(told[key])


class Detailed(Listing):
    """A list that leaves out what was said of an incident: a further call for each that changed.

    Each is a page of its own to the poller, so that it is counted, waited for and begun again like
    any other, and nothing is delivered before all of it is there. An incident comes as one entry,
    dated by its last change.
    """

    #: A walk may have as many pages as there are incidents in the time it reaches back.
    PAGES: Final = 10_000

    def __init__(self, web: Web, url: str) -> None:
        super().__init__(web, url)
        self._raws: dict[str, dict[str, Any]] = {}
        self._absent: Counter[str] = Counter()

    @abstractmethod
    def changed(
        self, since: datetime, after: str | None, stop: threading.Event
    ) -> tuple[list[dict[str, Any]], str | None]:
        """One page of the list, as far as it changed since; and what asks for the next page."""

    @abstractmethod
    def told(self, raw: dict[str, Any], stop: threading.Event) -> Incident:
        """An incident with what was said of it, by one call. Raises SetAside."""

    @abstractmethod
    def stamp(self, raw: dict[str, Any]) -> tuple[str, datetime]:
        """Its id and when it changed last. Raises SetAside."""

    def look(self, since: datetime, before: str | None, stop: threading.Event) -> Page:
        """See ``Listing.look``; ``before``: what is to be asked for, and the next page's name."""
        wanted, after = orjson.loads(before) if before else ([], None)
        if wanted:
            entries = list(self._entry(self._raws[wanted[0]], stop))
            return self._page(entries, wanted[1:], after)
        if before is None:
            self._raws.clear()
            self._absent.clear()
        raws, after = self.changed(since, after, stop)
        entries, wanted = [], []
        for raw in raws:
            try:
                number, at = self.stamp(raw)
            except SetAside as reason:
                entries.append(unread(_digest(raw), since, raw, reason))
                continue
            if at >= since and number not in self._raws:
                self._raws[number] = raw
                wanted.append(number)
        return self._page(entries, wanted, after)

    def _entry(self, raw: dict[str, Any], stop: threading.Event) -> Iterator[Entry]:
        number, at = self.stamp(raw)
        key = f"{number}@{to_us(at)}"
        try:
            yield Entry(key, at, self.told(raw, stop))
        except SetAside as reason:
            yield unread(key, at, raw, reason)
        except Absent as reason:
            # Deleted since it was listed: the others must not wait for it for ever.
            self._absent[key] += 1
            if self._absent[key] < TRIES:
                raise
            yield unread(key, at, raw, reason)

    def _page(self, entries: list[Entry], wanted: list[str], after: str | None) -> Page:
        if not wanted and after is None:
            return Page(entries, is_all=True)
        return Page(entries, before=orjson.dumps([wanted, after]).decode())


def _digest(raw: Any) -> str:
    return xxhash.xxh3_64_hexdigest(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS))


def unread(number: str, at: datetime, raw: Any, reason: object) -> Entry:
    """What a list has that makes no sense: it becomes a dead letter."""
    return Entry(number, at, unreadable(raw, reason, f"entry {number}"))


def asking(
    name: str,
    clock: Clock,
    told: AskedSettings,
    feed: Callable[[Web], Listing],
    calls: Window,
    authorization: Callable[[str], str] = "Bearer {}".format,
) -> Poller | None:
    """The poller of one list, with the header that tells its key; None where no key is named.

    Raises Misuse when the key that the settings name is not set.
    """
    if told.token_from is None:
        return None
    key = secret(name, "token_from", told.token_from).get_secret_value()
    web = Web(name, clock, setting="token_from", headers={"authorization": authorization(key)})
    habits = Habits(
        every=timedelta(seconds=told.poll_seconds),
        look_back=timedelta(days=told.look_back_days),
        overlap=OVERLAP,
        pages=Detailed.PAGES,
    )
    # No incidents for long is no sign of trouble.
    quiet = Silence(per_hour=0)
    return Poller(name, clock, feed(web), [Query("all")], habits, Budget(calls), silence=quiet)
