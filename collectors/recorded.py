"""Recorded posts: files of JSON lines with mentions, removals and decisions, in their own time."""

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from collectors.jsonlines import JsonLines, Line
from collectors.playback import Pace, play
from collectors.times import instant, moved, to_us
from pipeline.decoding import load, read_post
from pipeline.model import Decision, Mention, Removal
from pipeline.ports import Clock, Item
from pipeline.strangers import Strangers
from pipeline.values import EVENT_AHEAD

_NO_SHIFT = timedelta(0)


class Recorded:
    """A source of mentions that plays files, merged by ``event_at``; ``-`` is standard input.

    ``speed`` None reads as fast as it can; otherwise so many seconds of recorded time pass in a
    second of ``clock``, and at the start it is ``begin`` in recorded time (default: the time of
    the first record). ``shift`` is added to every time in the files. A post without ``seen_at``
    was seen when it happened, so that a replay does not depend on the day it is run. ``strangers``
    are the fields that no word has, known once the files were read through. Raises Misuse for a
    file that is missing or broken.
    """

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
        self.strangers = Strangers()
        self._shift = shift
        self._pace = Pace(clock, speed, begin)
        self._lines = JsonLines(paths, self._moments)

    def __len__(self) -> int:
        """How many items there are in all; reads the files through when asked first."""
        return len(self._lines)

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``. A cursor made for other files starts from the beginning."""
        return play(self._lines, self._word, self._pace, cursor, stop)

    def _moments(self, data: bytes) -> list[int]:
        """When a line takes its place. A cheap look: whether it is a word shows when it is read."""
        value = load(data)
        self.strangers.look(value)
        if not isinstance(value, dict):
            return []
        if "removal" in value or ("verb" in value and "text" not in value):
            at = instant(value.get("at"))
        else:
            at = instant(value.get("event_at")) or instant(value.get("said_at"))
            seen = instant(value.get("seen_at"))
            if at and seen and at - seen > EVENT_AHEAD:
                at = seen + EVENT_AHEAD
        return [to_us(moved(at, self._shift))] if at else []

    def _word(self, line: Line) -> Mention | Removal | Decision:
        word = read_post(line.data)
        if not isinstance(word, Mention):
            return word.model_copy(update={"at": moved(word.at, self._shift)})
        event_at = word.event_at
        if event_at - word.seen_at > EVENT_AHEAD:
            event_at = word.seen_at + EVENT_AHEAD
        # Given even where they did not change, so that seen_at stands as set by this source.
        return word.model_copy(
            update={
                "said_at": moved(word.said_at, self._shift),
                "event_at": moved(event_at, self._shift),
                "seen_at": moved(word.seen_at, self._shift),
            }
        )
