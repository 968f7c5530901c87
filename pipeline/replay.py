"""Replay: recorded posts through the whole pipeline in their own time.

One loop: take the next records, let every role work until it has nothing left, set the clock by the
records, skip empty time. The result depends neither on speed nor on how records fall into batches,
because a link is a function of the mention and the newest record of its incident, and ``watch``
counts on a fixed grid of event time.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import merge
from typing import Protocol

from pipeline.clock import ManualClock
from pipeline.model import Coverage, Decision, Incident, Mention, Removal
from pipeline.ports import Clock, Collector, Item

#: After the last record the clock goes on so far, for the minute in which it stands to be judged.
LAST_LOOK = timedelta(minutes=1)
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


class Role(Protocol):
    """A part that can be driven by hand."""

    def turn(self, timeout: float) -> int:
        """One round; how many records were handled."""
        ...


class Feed(Role, Protocol):
    """The role that reads the files: it knows when they are at their end."""

    @property
    def done(self) -> bool:
        """True once everything was read and acknowledged."""
        ...


class Merged:
    """Several sources as one, in the order of their own time; sets the clock as it reads.

    ``speed`` None reads as fast as it can; otherwise so many seconds of the records' time pass in
    a second of ``wall``, the time of whoever watches.
    """

    def __init__(
        self,
        sources: Sequence[Collector],
        clock: ManualClock,
        wall: Clock | None = None,
        speed: float | None = None,
    ) -> None:
        self.name = "replay"
        self.read = 0
        self._sources = sources
        self._clock = clock
        self._wall = wall
        self._speed = speed

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:  # noqa: ARG002
        """All items of all sources. A replay always starts at the beginning."""
        timed = [_timed(source.items(None, stop)) for source in self._sources]
        first: datetime | None = None
        began = self._wall.now() if self._wall else None
        for at, item in merge(*timed, key=lambda pair: pair[0]):
            first = first or at
            if self._wall and began and self._speed:
                due = began + (at - first) / self._speed
                while (left := (due - self._wall.now()).total_seconds()) > 0:
                    yield Item(None, str(self.read))
                    if self._wall.wait(min(left, 1.0), stop):
                        return
            if at > self._clock.now():
                self._clock.set(at)
            self.read += 1
            yield Item(item.value, str(self.read))


def moment(value: object) -> datetime | None:
    """When something takes its place in a replay, None for what has no time of its own."""
    if isinstance(value, Mention | Removal | Decision):
        return value.event_at
    if isinstance(value, Incident):
        return value.at
    return value.to_at if isinstance(value, Coverage) else None


def _timed(items: Iterator[Item]) -> Iterator[tuple[datetime, Item]]:
    """Items with their time; what has none stands where it stood, right after its neighbour."""
    last = datetime.min.replace(tzinfo=UTC)
    for item in items:
        if item.value is None:
            continue
        last = max(last, moment(item.value) or last)
        yield last, item


@dataclass
class Run:
    """The parts of a replay and what it measured: seconds per part, records read."""

    feed: Feed
    worker: Role
    store: Role
    watch: Role
    clock: ManualClock
    after_round: Callable[[], object] = lambda: None
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def __call__(self, progress: Callable[[], None] = lambda: None) -> float:
        """Runs to the end; returns the wall time in seconds."""
        began = time.perf_counter()
        while not self.feed.done:
            self._time("read", self.feed.turn)
            self._settle()
            progress()
        # A post may be dated to the last day there is.
        self.clock.set(min(self.clock.now(), END_OF_TIME - LAST_LOOK) + LAST_LOOK)
        self._settle()
        return time.perf_counter() - began

    def _settle(self) -> None:
        """Lets every part work until none has anything left to do."""
        while self._drain():
            pass
        self.after_round()

    def _drain(self) -> int:
        handled = 0
        # All of the worker's batches first: the warehouse is fastest with few large ones.
        while some := self._time("work", self.worker.turn):
            handled += some
        handled += self._time("store", self.store.turn)
        return handled + self._time("watch", self.watch.turn)

    def _time(self, part: str, turn: Callable[[float], int]) -> int:
        began = time.perf_counter()
        handled = turn(0)
        self.seconds[part] += time.perf_counter() - began
        return handled
