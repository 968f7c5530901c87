"""Plays recorded lines as a source does: in order, at their pace, with a cursor on every item."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from collectors.kit.jsonlines import MAX_LINE, JsonLines, Line
from collectors.kit.times import LONGEST_WAIT, from_us
from pipeline.errors import SetAside
from pipeline.model import Decision, Incident, Mention, Removal
from pipeline.ports import Clock, Item, Unreadable

#: What a recorded line can be.
Recorded: TypeAlias = Mention | Removal | Decision | Incident
#: Makes a word of a line. Raises SetAside.
ToWord: TypeAlias = Callable[[Line], Recorded]

_NO_SHIFT = timedelta(0)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast records come: ``speed`` seconds of their time in a second of the clock.

    ``speed`` None is as fast as they can be read. At the start of playing it is ``begin`` in the
    records' own time (None: the time of the first record played), so what is older comes at once.
    """

    clock: Clock
    speed: float | None = None
    begin: datetime | None = None


class _Metronome:
    """A pace under way: how many seconds of the clock are left until a moment is due."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._started = pace.clock.now()
        self._begin = pace.begin

    def left(self, moment: int | None) -> float:
        """Seconds until ``moment`` (µs since 1970) is due; 0 or less: it is due now."""
        if self._pace.speed is None or moment is None:
            return 0.0
        due = from_us(moment)
        if self._begin is None:
            self._begin = due
        gone = (self._pace.clock.now() - self._started).total_seconds()
        return (due - self._begin).total_seconds() / self._pace.speed - gone


def play(
    lines: JsonLines, word: ToWord, pace: Pace, cursor: str | None, stop: threading.Event
) -> Iterator[Item]:
    """Every line after ``cursor`` as the word that ``word`` makes of it, or as Unreadable."""
    metronome = _Metronome(pace)
    done = _done(lines, cursor)
    for line in lines.read(done):
        while (left := metronome.left(line.moment)) > 0:
            yield Item(None, _cursor(lines, done))  # first, so that what came before goes out now
            if pace.clock.wait(min(left, LONGEST_WAIT), stop):
                return
        if stop.is_set():
            return
        done += 1
        yield Item(_read(line, word), _cursor(lines, done))


class Played(ABC):
    """A source that plays files at a pace, every time in them moved by ``shift``."""

    def __init__(
        self,
        name: str,
        paths: Sequence[Path],
        clock: Clock,
        speed: float | None = None,
        shift: timedelta = _NO_SHIFT,
        begin: datetime | None = None,
    ) -> None:
        self.name = name
        self._shift = shift
        self._pace = Pace(clock, speed, begin)
        self._lines = JsonLines(paths, self._moments)

    def __len__(self) -> int:
        """How many items there are in all; reads the files through when asked first."""
        return len(self._lines)

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``. A cursor made for other files starts from the beginning."""
        return play(self._lines, self._word, self._pace, cursor, stop)

    @abstractmethod
    def _moments(self, data: bytes) -> list[int]:
        """When a line takes its place (µs since 1970): once for each item that it is."""

    @abstractmethod
    def _word(self, line: Line) -> Recorded:
        """The word of a line at its moment. Raises SetAside."""


def _read(line: Line, word: ToWord) -> Recorded | Unreadable:
    if not line.is_whole:
        return Unreadable(line.data, f"a line of more than {MAX_LINE:,} bytes", line.origin)
    try:
        return word(line)
    except SetAside as reason:
        return Unreadable(line.data, str(reason), line.origin)


def _cursor(lines: JsonLines, done: int) -> str:
    return f"{lines.index.identity}:{done}"


def _done(lines: JsonLines, cursor: str | None) -> int:
    """How many entries ``cursor`` covers; none when it was made for other files."""
    if cursor is None:
        return 0
    identity, _, count = cursor.partition(":")
    if identity != lines.index.identity or not count.isdigit():
        log.warning("the recorded files have changed since they were read: reading them anew")
        return 0
    return int(count)
