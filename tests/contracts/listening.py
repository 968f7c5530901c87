"""A platform of the tests with a source before it, and who reads that source as intake does."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from pipeline.clock import ManualClock
from pipeline.errors import TryLater
from pipeline.model import Coverage, Incident, Mention, Removal
from pipeline.ports import Collector, Item
from tests.servers.platform import Platform

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
#: A bound on turns, so that a source that never stops asking fails instead of hanging.
MANY: Final = 200_000


@dataclass
class Stage:
    """A platform, and a source before it.

    ``post`` puts the n-th post there, said at a time; its text names "Acme" and ends in "post n".
    ``open`` opens the source anew. ``page`` is how many posts a page of the platform has.
    """

    platform: Platform
    clock: ManualClock
    post: Callable[[int, datetime], None]
    open: Callable[[], Collector]
    page: int
    spoil: Callable[[int], None] | None = None
    remove: Callable[[int], None] | None = None
    #: None: the platform goes back as far as one likes; otherwise so many posts.
    reach: int | None = None
    #: A credential that can be refused; without one the source is never given up.
    setting: str | None = None
    calls: tuple[int, timedelta] = (1_000_000, timedelta(seconds=1))
    made: list[int] = field(default_factory=list)

    def say(self, *numbers: int) -> None:
        """Posts, each a second after the one before; the clock follows."""
        for number in numbers:
            self.clock.set(self.clock.now() + timedelta(seconds=1))
            self.post(number, self.clock.now())
            self.made.append(number)


class Listener:
    """Reads a source as intake does, and remembers what came."""

    def __init__(self, source: Collector, cursor: str | None = None) -> None:
        self.source = source
        self.cursor = cursor
        self.came: list[Any] = []
        self.numbers: list[int] = []  # which posts came, in their order, each once
        self.pauses: list[float] = []
        self.stop = threading.Event()
        self._items: Iterator[Item] | None = None

    def until(self, is_enough: Callable[["Listener"], bool], clock: ManualClock) -> "Listener":
        """Reads on, waiting where it is told to, until there is enough."""
        for _ in range(MANY):
            if is_enough(self):
                return self
            if self._items is None:
                self._items = self.source.items(self.cursor, self.stop)
            try:
                item = next(self._items)
            except TryLater as error:
                self._items = None
                self.pauses.append(error.after or 0.25)
                clock.wait(self.pauses[-1], self.stop)
                continue
            self.cursor = item.cursor
            if item.value is not None:
                self.came.append(item.value)
            if isinstance(item.value, Mention | Incident):
                self._heard(number_of(item.value))
        raise AssertionError("it never came")

    def _heard(self, number: int) -> None:
        if number not in self.numbers:
            self.numbers.append(number)

    def for_(self, span: timedelta, clock: ManualClock) -> "Listener":
        """Reads on for so long, in the clock's time."""
        due = clock.now() + span
        return self.until(lambda _: clock.now() >= due, clock)

    @property
    def gaps(self) -> list[Coverage]:
        """The gaps that were told."""
        return [v for v in self.came if isinstance(v, Coverage) and v.is_gap]

    @property
    def read(self) -> list[Coverage]:
        """The spans that were told as read."""
        return [v for v in self.came if isinstance(v, Coverage) and not v.is_gap]

    def again(self, source: Collector) -> "Listener":
        """After a crash: another one that goes on at the cursor, with all that came before."""
        other = Listener(source, self.cursor)
        other.came, other.numbers = self.came, self.numbers
        return other

    def kill(self) -> None:
        """As a crash: nothing is told to the source."""
        self._items = None


def mentions(listener: Listener) -> list[Mention]:
    """The posts among what came."""
    return [value for value in listener.came if isinstance(value, Mention)]


def removals(listener: Listener) -> list[tuple[str, str]]:
    """What was removed or is back, and how."""
    return [(v.removal, v.kind) for v in listener.came if isinstance(v, Removal)]


def number_of(told: Mention | Incident) -> int:
    """The n of the n-th post or incident, 0 for one that says none."""
    text = told.text if isinstance(told, Mention) else told.title
    found = text.rsplit(" ", 1)[-1]
    return int(found) if found.isdecimal() else 0


def has_more_than(came: set[int], listener: Listener) -> bool:
    """Whether posts came that are not among these."""
    return bool(set(listener.numbers) - came)


def has_read_on(count: int, listener: Listener) -> bool:
    """Whether it told more than one span more than so many."""
    return len(listener.read) > count + 1


def heard(stage: Stage, *numbers: int) -> Listener:
    """A listener that has heard these posts, and that they are read."""
    stage.say(*numbers)
    listener = Listener(stage.open())
    listener.until(lambda one: set(numbers) <= set(one.numbers), stage.clock)
    return listener.until(partial(has_read_on, len(listener.read)), stage.clock)
