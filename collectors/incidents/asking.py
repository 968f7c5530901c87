"""Asking an incident tool: what is common to those that list incidents or their events."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from collectors.incidents.pieces import dicts
from collectors.incidents.tool import KEPT
from collectors.kit.budget import Budget, Window
from collectors.kit.polling import Call, Entry, Habits, Page, Poller, Query, Value
from collectors.kit.progress import Progress
from collectors.kit.web import Web
from pipeline.errors import TryLater
from pipeline.ports import Clock, Unreadable

#: What changed may turn up so late among what changed before: clocks of servers differ.
OVERLAP: Final = timedelta(minutes=5)


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


def unreadable(number: str, at: datetime, raw: Any, reason: object) -> Entry:
    """What a list has that makes no sense: it becomes a dead letter."""
    return Entry(number, at, Unreadable(orjson.dumps(raw)[:KEPT], str(reason), f"entry {number}"))


def asking(
    name: str,
    clock: Clock,
    feed: Listing,
    calls: Window,
    *,
    poll_seconds: float,
    look_back_days: float,
) -> Poller:
    """The poller of one list."""
    habits = Habits(
        every=timedelta(seconds=poll_seconds),
        look_back=timedelta(days=look_back_days),
        overlap=OVERLAP,
    )
    return Poller(name, clock, feed, [Query("all")], habits, Budget(calls))
