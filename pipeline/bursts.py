"""Bursts: when more people than usual report trouble. Pure counting, no input or output.

*New witnesses* are counted per minute of event time: distinct authors of reports, each at most once
an hour. So neither reposts (no witnesses) nor one loud author make a burst. They are counted in
series: all of a track, and those of its reports that name a topic, a region, or both, so that what
is lost in the whole shows in its part. Each minute is judged once, on a fixed grid, over windows
of 1 to 30 minutes (``series``), by thresholds that keep the budget of false alarms of the whole
deployment however many series there are (``surprise``). ``bench/bursts.py`` measures it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

from pipeline.series import (
    DAY,
    FLOOR,
    HOUR,
    KEEP,
    MINUTE,
    NEW_NORMAL,
    Episode,
    Said,
    Series,
)
from pipeline.surprise import BUDGET, WEEK

__all__ = ["DAY", "FLOOR", "HOUR", "KEEP", "MINUTE", "NEW_NORMAL", "Burst", "Bursts", "Key", "Said"]

#: The names of a report that make series of their own, as the heads call them.
TOPIC, REGION = "topic", "region"
#: Topics that say nothing about what is broken.
NO_TOPIC = frozenset({"other"})
#: A series without reports for so many minutes is forgotten.
IDLE = WEEK + DAY


class Key(NamedTuple):
    """What a series counts: reports about a track, if given those of one topic, of one region."""

    track: str
    topic: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Burst:
    """A series in a burst, as it stood when a minute had passed."""

    key: Key
    at_ms: int  # the end of the minute that was judged
    onset_ms: int  # the first report
    witnesses: int  # distinct since the first report
    normal: float  # witnesses that are normal in an hour
    z: float  # of the alarm that began it, in sigmas
    window: int  # minutes, of that alarm
    names: Counter[tuple[str, str]]  # what the labels of its reports named, by (head, name)
    over: bool = False  # it ended with this minute

    @property
    def track(self) -> str:
        """The track it is about, empty where all is counted together."""
        return self.key.track


class Bursts:
    """All series. The result depends on what was said when, not on how it came in batches.

    What arrives after its minute was judged still counts in the windows and references of later
    minutes, up to ``KEEP`` minutes back. ``budget``: false alarms a week of all series together.
    """

    def __init__(self, budget: float = BUDGET) -> None:
        self._budget = budget
        self._since: dict[str, int] = {}  # by track: from when on silence means that all is well
        self._series: dict[Key, Series] = {}
        #: Reports of series that had fewer than can make a burst, and so need no counting yet.
        self._thin: dict[Key, dict[str, tuple[Said, Said]]] = {}  # by witness, first and last
        self._waiting: dict[int, list[tuple[str, Said]]] = {}  # by minutes not judged yet
        self._agenda: list[int] = []  # those minutes, a heap
        self._awake: set[Key] = set()
        self._judged: int | None = None
        self._hour: int | None = None
        self._active = 0

    @property
    def judged(self) -> int | None:
        """The last minute (since 1970) that was judged, None before the first."""
        return self._judged

    @property
    def watched(self) -> int:
        """How many series share the budget at present."""
        return max(1, self._active, len(self._awake))

    def hear(self, track: str, at_ms: int) -> None:
        """Something was posted about the track: from here on, silence means that all is well."""
        minute = at_ms // MINUTE
        since = self._since.get(track)
        if since is None or minute < since:
            self._since[track] = minute
            for key, series in self._series.items() if since is not None else ():
                if key.track == track:
                    series.since = minute

    def remember(self, key: Key, hours: dict[int, tuple[int, int]]) -> None:
        """Hours before all that is counted here: (witnesses, calm minutes) by hour since 1970."""
        if hours:
            self.hear(key.track, min(hours) * HOUR * MINUTE)
            series = self._make(key)
            series.hours.update(hours)
            series.last = max(hours) * HOUR

    def add(self, track: str, said: Said) -> None:
        """Counts a report. The same report may come again; it counts once."""
        self.hear(track, said.at_ms)
        minute = said.at_ms // MINUTE
        if self._judged is None or minute > self._judged:
            if minute not in self._waiting:
                heappush(self._agenda, minute)
                self._waiting[minute] = []
            self._waiting[minute].append((track, said))
        elif minute > self._judged - KEEP:
            for key in keys(track, said):
                self._count(key, minute, [said], self._judged)

    def tick(self, at_ms: int) -> list[Burst]:
        """Judges every minute that has ended by ``at_ms`` (ms) and was not judged yet, in order.

        One burst per minute and series as long as it lasts. Quiet time costs nothing.
        """
        end = at_ms // MINUTE
        found: list[Burst] = []
        while (minute := self._next()) is not None and minute < end:
            if minute // HOUR != self._hour:
                self._settle(minute // HOUR)
            self._take(minute)
            watched = self.watched
            for key in sorted(self._awake):
                series = self._series[key]
                judged = series.judge(minute, watched, self._budget)
                if judged is not None:
                    found.append(_burst(key, minute, *judged))
                if not series.is_awake(minute + 1):
                    self._awake.discard(key)
            self._judged = minute
        self._judged = max(end - 1, self._judged if self._judged is not None else end - 1)
        return found

    def _next(self) -> int | None:
        """The next minute in which anything can happen, None if there is none."""
        if self._awake and self._judged is not None:
            return self._judged + 1
        return self._agenda[0] if self._agenda else None

    def _take(self, minute: int) -> None:
        """Counts what waits for its minute."""
        if not self._agenda or self._agenda[0] != minute:
            return
        heappop(self._agenda)
        found: dict[Key, list[Said]] = {}
        for track, said in sorted(self._waiting.pop(minute)):
            for key in keys(track, said):
                found.setdefault(key, []).append(said)
        for key, said_of in found.items():
            self._count(key, minute, said_of, minute)

    def _count(self, key: Key, minute: int, said: list[Said], judged: int) -> None:
        series = self._series.get(key)
        if series is None:
            thin = self._thin.setdefault(key, {})
            for one in said:
                first, last = thin.get(one.witness, (one, one))
                thin[one.witness] = min(first, one), max(last, one)
            if len(thin) < FLOOR:
                return
            series = self._make(key)
            series.reach(judged)
            for one in sorted({one for both in self._thin.pop(key).values() for one in both}):
                if one.at_ms // MINUTE > judged - KEEP:
                    series.fold(one.at_ms // MINUTE, [one], judged)
        else:
            series.reach(judged)
            series.fold(minute, said, judged)
        if series.is_awake(judged):
            self._awake.add(key)

    def _make(self, key: Key) -> Series:
        return self._series.setdefault(key, Series(since=self._since[key.track]))

    def _settle(self, hour: int) -> None:
        """Takes stock at the beginning of an hour: how many series can raise an alarm at all."""
        self._hour = hour
        self._active = 0
        for key, series in list(self._series.items()):
            self._active += series.settle(hour)
            if series.episode is None and series.last < hour * HOUR - IDLE:
                del self._series[key]
                self._awake.discard(key)
        for key, series in self._series.items():
            # What moves the whole moves its parts, which are too thin to show it.
            if (whole := self._series.get(Key(key.track))) is not None:
                series.unrest = max(series.unrest, whole.unrest)
        oldest = (hour * HOUR - KEEP) * MINUTE
        for key, said in list(self._thin.items()):
            self._thin[key] = {w: both for w, both in said.items() if both[1].at_ms >= oldest}
            if not self._thin[key]:
                del self._thin[key]


def keys(track: str, said: Said) -> Iterator[Key]:
    """The series that a report counts in."""
    names = dict(said.names)
    return named_keys(track, names.get(TOPIC, ""), names.get(REGION, ""))


def named_keys(track: str, topic: str, region: str) -> Iterator[Key]:
    """The series of reports that name a topic and a region; either may be empty."""
    yield Key(track)
    if topic in NO_TOPIC:
        topic = ""
    if topic:
        yield Key(track, topic)
    if region:
        yield Key(track, "", region)
    if topic and region:
        yield Key(track, topic, region)


def _burst(key: Key, minute: int, episode: Episode, over: bool) -> Burst:
    return Burst(
        key=key,
        at_ms=(minute + 1) * MINUTE,
        onset_ms=episode.onset_ms,
        witnesses=len(episode.witnesses),
        normal=episode.rate * 60,
        z=episode.z,
        window=episode.window,
        names=Counter(episode.names),
        over=over,
    )
