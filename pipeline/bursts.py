"""Bursts: when more people than usual report trouble. Pure counting, no input or output.

Per track and minute of event time the *new witnesses* are counted: distinct authors of reports,
each at most once an hour. So neither reposts (no witnesses) nor one loud author make a burst. Each
minute is judged once, on a fixed grid: over windows of 1 to 30 minutes, is the count x far above
what was normal? Two references say what was normal, and x must stand out against each that is
known: the last hours, and the same time yesterday. Minutes of earlier bursts count in neither.

The measure is the square-root transform for counts, 2(√x − √λ), which is about standard normal for
Poisson counts (Bartlett 1936), here with λ estimated from n witnesses in T minutes, hence divided
by √(1 + w/T). It found as much as CUSUM and needs no tuning per track; the reference matters more
than the detector. ``bench/bursts.py`` measures recall, delay and false alarms.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import log, sqrt
from typing import NamedTuple

MINUTE = 60_000  # ms
DAY = 1_440  # minutes
#: Windows in minutes. 30 is for thin tracks: 12 reports in an hour are one in 5 minutes. One of 60
#: found nothing sooner and gave six alarms instead of one on three days of posts about operators.
WINDOWS = (1, 3, 5, 15, 30)
#: How far above normal each window must be. Chosen with ``bench/bursts.py`` for at most one false
#: alarm in a week of one track; the short ones are looked at more often by chance, so ask for more.
THRESHOLDS = {1: 4.4, 3: 4.0, 5: 3.8, 15: 3.4, 30: 3.1}
#: Fewer witnesses in a window are never a burst, however quiet it was before.
FLOOR = 5
#: A burst has at least so many times the normal count; it is over below ``OVER`` times.
RATIO = 2.0
OVER = 1.5
#: A witness counts again after so many minutes.
ONCE_IN = 60
#: The reference of the last hours: so many minutes before the window (short, since a day has its
#: tides), twice as many and again, up to ``LOOK_FOR``, until it holds ``ENOUGH`` witnesses.
RECENT = 90
LOOK_FOR = 720
ENOUGH = 20
#: The reference of yesterday: so many minutes to either side of the same time. On a thin track that
#: is a handful of reports, so the last hours join in as if they had brought so many witnesses.
AROUND = 30
BLEND = 5
#: With fewer minutes of history nothing is called normal, hence nothing a burst.
LEAST_HISTORY = 15
#: Below normal for so many minutes, a burst is over.
FADE = 30
#: What lasts longer than so many minutes has become normal.
NEW_NORMAL = 360
#: The first report of a burst is looked for at most so many minutes back.
WALK_BACK = 180
#: Minutes of history that are kept, and that a restart has to read again.
KEEP = DAY + AROUND + max(WINDOWS)
#: Stands for "nothing known", so that n reports in T minutes never give a rate of zero.
PRIOR = 0.5


class Said(NamedTuple):
    """One report: when (ms), by whom, and names its labels gave, such as ("topic", "network")."""

    at_ms: int
    witness: str
    names: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Burst:
    """A track in a burst, as it stood when a minute had passed."""

    track: str
    at_ms: int  # the end of the minute that was judged
    onset_ms: int  # the first report
    witnesses: int  # distinct since the first report
    normal: float  # witnesses that are normal in an hour
    z: float  # of the alarm that began it
    window: int  # minutes, of that alarm
    names: Counter[tuple[str, str]]  # what the labels of its reports named, by (head, name)
    over: bool = False  # it ended with this minute


@dataclass(slots=True)
class _Episode:
    onset: int
    onset_ms: int
    rate: float
    z: float
    window: int
    witnesses: set[str]
    names: Counter[tuple[str, str]]


@dataclass(slots=True)
class _Series:
    """One track: what was counted per minute, oldest first, ``fresh[0]`` at minute ``base``."""

    since: int
    base: int = 0
    fresh: list[int] = field(default_factory=list)
    calm: bytearray = field(default_factory=bytearray)
    first_ms: dict[int, int] = field(default_factory=dict)
    names: dict[int, Counter[tuple[str, str]]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)  # witness → last minute
    waiting: dict[int, list[Said]] = field(default_factory=dict)
    awake_until: int = -1
    episode: _Episode | None = None

    @property
    def end(self) -> int:
        return self.base + len(self.fresh)

    def reach(self, minute: int) -> None:
        """Makes room up to ``minute``, with zeros between; forgets what is too old."""
        if minute - self.end >= KEEP or not self.fresh:
            self.base, self.fresh, self.calm = minute - KEEP, [0] * KEEP, bytearray(b"\1" * KEEP)
            self.forget(minute)
        if minute >= self.end:
            more = minute + 1 - self.end
            self.fresh += [0] * more
            self.calm += b"\1" * more
        if len(self.fresh) > 2 * KEEP:
            old = len(self.fresh) - KEEP
            del self.fresh[:old], self.calm[:old]
            self.base += old
            self.forget(minute)

    def forget(self, minute: int) -> None:
        """Drops what is known of minutes that are no longer counted."""
        self.first_ms = {m: v for m, v in self.first_ms.items() if m >= self.base}
        self.names = {m: v for m, v in self.names.items() if m >= self.base}
        self.seen = {w: m for w, m in self.seen.items() if m >= minute - WALK_BACK}

    def fold(self, minute: int, said: Iterable[Said]) -> None:
        """Counts the reports of one minute."""
        for one in sorted(said, key=lambda s: s.at_ms):
            last = self.seen.get(one.witness)
            if last is None or last < minute:
                self.seen[one.witness] = minute
            if self.episode and minute >= self.episode.onset:
                self.episode.witnesses.add(one.witness)
            if last is not None and minute - last < ONCE_IN:
                continue  # also what is older than their last word, such as a record read twice
            self.fresh[minute - self.base] += 1
            self.first_ms[minute] = min(one.at_ms, self.first_ms.get(minute, one.at_ms))
            self.names.setdefault(minute, Counter()).update(one.names)
            if self.episode and minute >= self.episode.onset:
                self.episode.names.update(one.names)

    def count(self, minute: int, window: int) -> int:
        """New witnesses in the ``window`` minutes up to and with ``minute``."""
        return sum(self.fresh[max(0, minute + 1 - window - self.base) : minute + 1 - self.base])

    def is_awake(self, minute: int) -> bool:
        return self.episode is not None or minute <= self.awake_until

    def references(self, minute: int, window: int) -> list[tuple[float, float]]:
        """(witnesses, minutes) of each stretch that tells what is normal around ``minute``.

        This is where a reference of the same hour a week ago will join.
        """
        start = minute + 1 - window
        length = RECENT
        recent = self._calm(start - length, start)
        while recent[0] < ENOUGH and length < LOOK_FOR:
            length *= 2
            recent = self._calm(start - length, start)
        count, minutes = self._calm(minute - DAY - AROUND, minute - DAY + AROUND)
        if recent[1] < LEAST_HISTORY:
            return [(count, minutes)] if minutes >= LEAST_HISTORY else []
        if minutes < LEAST_HISTORY:
            return [recent]
        rate = (recent[0] + PRIOR) / recent[1]
        return [recent, (count + BLEND, minutes + BLEND / rate)]

    def _calm(self, start: int, stop: int) -> tuple[int, int]:
        """(witnesses, minutes) of what is calm and known in the minutes [start, stop)."""
        a = max(start, self.since, self.base) - self.base
        b = stop - self.base
        if b - a < LEAST_HISTORY:
            return 0, 0
        if self.calm.find(0, a, b) < 0:
            return sum(self.fresh[a:b]), b - a
        calm = [i for i in range(a, b) if self.calm[i]]
        return sum(self.fresh[i] for i in calm), len(calm)

    def alarm(self, minute: int) -> _Episode | None:
        """The burst that begins to show with ``minute``, if any: the most surprising window."""
        best: _Episode | None = None
        for window in WINDOWS:
            count = self.count(minute, window)
            if self.calm.find(0, max(0, self.end - window - self.base)) >= 0:
                break  # these witnesses belong to the burst before
            if count < FLOOR:
                continue
            known = self.references(minute, window)
            if not known:
                continue
            z = min(surprise(count, window, n, t) for n, t in known)
            rate = max((n + PRIOR) / t for n, t in known)
            if z < THRESHOLDS[window] or count < RATIO * rate * window:
                continue
            if best is None or z > best.z:
                best = _Episode(minute, 0, rate, z, window, set(), Counter())
        if best is not None:
            self._walk_back(best, minute, self.count(minute, best.window) / best.window)
        return best

    def _walk_back(self, episode: _Episode, minute: int, height: float) -> None:
        """Finds the first report: the likeliest minute at which the rate rose to ``height``.

        The log-likelihood ratio of "already in the burst" against "still normal" is summed from
        the newest minute back; where it is greatest, the burst began (Page 1954, run backwards).
        """
        ratio = max(RATIO, height / episode.rate)
        gain, loss = log(ratio), (ratio - 1) * episode.rate
        score, best = 0.0, float("-inf")
        for at in range(minute, max(minute - WALK_BACK, self.base - 1), -1):
            if not self.calm[at - self.base]:
                break
            count = self.fresh[at - self.base]
            score += count * gain - loss
            if count and score >= best:
                best, episode.onset = score, at
        onset = episode.onset
        episode.onset_ms = self.first_ms[onset]
        episode.witnesses.update(w for w, m in self.seen.items() if onset <= m <= minute)
        for at in range(onset, minute + 1):
            episode.names.update(self.names.get(at, {}))

    def judge(self, track: str, minute: int) -> Burst | None:
        """Judges one minute: the burst the track is in, None when it is quiet."""
        self.reach(minute)
        if self.episode is None:
            self.episode = self.alarm(minute)
            if self.episode is None:
                return None
            first = self.episode.onset
        else:
            first = minute
        for at in range(first, minute + 1):
            self.calm[at - self.base] = 0
        episode = self.episode
        over = self._is_over(episode, minute)
        if over:
            self.episode = None
        return Burst(
            track=track,
            at_ms=(minute + 1) * MINUTE,
            onset_ms=episode.onset_ms,
            witnesses=len(episode.witnesses),
            normal=episode.rate * 60,
            z=episode.z,
            window=episode.window,
            names=Counter(episode.names),
            over=over,
        )

    def _is_over(self, episode: _Episode, minute: int) -> bool:
        lasted = minute + 1 - episode.onset
        if lasted >= NEW_NORMAL:
            self._make_calm(episode.onset, minute)
            return True
        if lasted < FADE or self.count(minute, FADE) > max(1.0, OVER * episode.rate * FADE):
            return False
        self._make_calm(minute + 1 - FADE, minute)
        return True

    def _make_calm(self, first: int, last: int) -> None:
        a, b = max(0, first - self.base), last + 1 - self.base
        self.calm[a:b] = b"\1" * (b - a)


def surprise(count: int, window: int, witnesses: float, minutes: float) -> float:
    """How far ``count`` in ``window`` minutes is above ``witnesses`` in ``minutes``, in sigmas."""
    normal = (witnesses + PRIOR) * window / minutes
    return 2 * (sqrt(count) - sqrt(normal)) / sqrt(1 + window / minutes)


class Bursts:
    """All tracks. The result depends on what was said when, not on how it came in batches.

    What arrives after its minute was judged still counts in the windows and references of later
    minutes, up to ``KEEP`` minutes back.
    """

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}
        self._agenda: list[int] = []  # minutes with reports that are not judged yet, a heap
        self._due: dict[int, set[str]] = {}
        self._awake: set[str] = set()
        self._judged: int | None = None

    @property
    def judged(self) -> int | None:
        """The last minute (since 1970) that was judged, None before the first."""
        return self._judged

    def hear(self, track: str, at_ms: int) -> None:
        """Something was posted about the track: from here on, silence means that all is well."""
        minute = at_ms // MINUTE
        series = self._series.get(track)
        if series is None:
            self._series[track] = _Series(since=minute)
        elif minute < series.since:
            series.since = minute

    def add(self, track: str, said: Said) -> None:
        """Counts a report. The same report may come again; it counts once."""
        self.hear(track, said.at_ms)
        series, minute = self._series[track], said.at_ms // MINUTE
        if self._judged is None or minute > self._judged:
            due = self._due.get(minute)
            if due is None:
                heappush(self._agenda, minute)
                due = self._due[minute] = set()
            due.add(track)
            series.waiting.setdefault(minute, []).append(said)
        elif minute > self._judged - KEEP:
            series.reach(self._judged)
            series.fold(minute, [said])
            self._wake(track, series, self._judged)

    def tick(self, at_ms: int) -> list[Burst]:
        """Judges every minute that has ended by ``at_ms`` (ms) and was not judged yet, in order.

        One burst per minute and track as long as it lasts. Quiet time costs nothing.
        """
        end = at_ms // MINUTE
        found: list[Burst] = []
        while (minute := self._next()) is not None and minute < end:
            for track in self._due.pop(minute, ()):
                self._fold(track, minute)
            if self._agenda and self._agenda[0] == minute:
                heappop(self._agenda)
            for track in sorted(self._awake):
                series = self._series[track]
                burst = series.judge(track, minute)
                if burst is not None:
                    found.append(burst)
                if not series.is_awake(minute + 1):
                    self._awake.discard(track)
            self._judged = minute
        self._judged = max(end - 1, self._judged if self._judged is not None else end - 1)
        return found

    def _next(self) -> int | None:
        """The next minute in which anything can happen, None if there is none."""
        if self._awake and self._judged is not None:
            return self._judged + 1
        return self._agenda[0] if self._agenda else None

    def _fold(self, track: str, minute: int) -> None:
        series = self._series[track]
        series.reach(minute)
        series.fold(minute, series.waiting.pop(minute))
        self._wake(track, series, minute)

    def _wake(self, track: str, series: _Series, minute: int) -> None:
        """Only a track with enough new witnesses for some window has to be judged each minute."""
        if series.count(minute, max(WINDOWS)) >= FLOOR:
            series.awake_until = minute + max(WINDOWS) - 1
            self._awake.add(track)
