"""What every platform's source is that is asked: its feed and its poller in one.

A platform's file derives from ``Polled`` and writes ``page``, and what else there is to do.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime

from collectors.kit.budget import Budget
from collectors.kit.money import Purse
from collectors.kit.polling import Call, Habits, Page, Poller, Query, Value
from collectors.kit.progress import Progress
from pipeline.ports import Clock, Item


class Polled(ABC):
    """A ``Feed`` that is read by its own poller: a ``Collector``. ``totals``: see ``Poller``."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        queries: Sequence[Query],
        habits: Habits,
        budget: Budget,
        purse: Purse | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._poller = Poller(name, clock, self, queries, habits, budget, purse)
        self.totals = self._poller.totals

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``. Without a cursor: from as long ago as ``Habits.look_back``."""
        try:
            yield from self._poller.items(cursor, stop)
        finally:
            self._rest()
            if stop.is_set():
                self._end()

    def trouble(self) -> str | None:
        """One line when it has been silent for too long, or its money is spent, else None."""
        return self._poller.trouble()

    @abstractmethod
    def page(
        self, query: Query, since: datetime, before: str | None, stop: threading.Event
    ) -> Page:
        """See ``Feed.page``."""

    def besides(
        self,
        progress: Progress,  # noqa: ARG002
        stop: threading.Event,  # noqa: ARG002
    ) -> Iterator[Value | Call]:
        """See ``Feed.besides``: nothing, unless the platform's file says otherwise."""
        return iter(())

    def _rest(self) -> None:  # noqa: B027  # most have nothing to close
        """Closes what is opened anew after a pause; called whenever reading ends."""

    def _end(self) -> None:  # noqa: B027
        """Closes what lasts through pauses, as streams do; called when reading ends for good."""
