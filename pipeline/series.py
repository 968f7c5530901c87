"""One series of witnesses: what was counted each minute, what is normal, and the burst it is in.

Two references say what is normal, and a count must stand out against each that is known: the last
hours, and the same time of other days (of the weeks before once they are known, else of yesterday).
Minutes of earlier bursts count in neither. A series whose ordinary counts vary more than chance
(people answer each other) has to surprise by as much more.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from math import log
from typing import NamedTuple

from pipeline.surprise import WEEK, WINDOWS, surprise, thresholds

MINUTE = 60_000  # ms
HOUR = 60  # minutes
DAY = 1_440  # minutes
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
#: The reference of other days: so many minutes to either side of the same time. On a thin series
#: that is a handful of reports, so the last hours join in as if they had brought so many witnesses.
AROUND = 30
BLEND = 5
#: Weeks whose same hour is remembered.
WEEKS = 4
#: With fewer minutes of history nothing is called normal, hence nothing a burst.
LEAST_HISTORY = 15
#: Below normal for so many minutes, a burst is over.
FADE = 30
#: What lasts longer than so many minutes has become normal.
NEW_NORMAL = 360
#: The first report of a burst is looked for at most so many minutes back.
WALK_BACK = 180
#: Minutes of history that are kept, and that a restart has to read again.
KEEP = DAY + 2 * HOUR
#: Stands for "nothing known", so that n reports in T minutes never give a rate of zero.
PRIOR = 0.5
#: How much ordinary counts vary is measured over pieces of so many minutes, and believed as if
#: so many pieces had varied like ``UNREST``: the rate of a minute by half (standard deviation).
PIECE = 5
PIECES = 24
UNREST = 1 / 4


class Said(NamedTuple):
    """One report: when (ms), by whom, and names its labels gave, such as ("topic", "network")."""

    at_ms: int
    witness: str
    names: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Episode:
    """A burst while it lasts: from which minute, above which rate, by whom."""

    onset: int
    onset_ms: int
    rate: float
    z: float
    margin: float
    window: int
    witnesses: set[str]
    names: Counter[tuple[str, str]]


@dataclass(slots=True)
class Series:
    """What was counted per minute, oldest first, ``fresh[0]`` at minute ``base``.

    ``since``: from this minute on, silence means that all is well. ``hours``: witnesses and calm
    minutes of the hours that had any, up to ``folded``; an hour without an entry was quiet.
    """

    since: int
    base: int = 0
    fresh: list[int] = field(default_factory=list)
    calm: bytearray = field(default_factory=bytearray)
    first_ms: dict[int, int] = field(default_factory=dict)
    names: dict[int, Counter[tuple[str, str]]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)  # witness → last minute
    hours: dict[int, tuple[int, int]] = field(default_factory=dict)
    folded: int = 0
    unrest: float = UNREST  # see ``surprise``
    last: int = 0  # the last minute with a report
    awake_until: int = -1
    episode: Episode | None = None

    @property
    def end(self) -> int:
        """The minute after the last that there is room for."""
        return self.base + len(self.fresh)

    # ---- counting -------------------------------------------------------------------------------

    def reach(self, minute: int) -> None:
        """Makes room up to ``minute``, with zeros between; forgets what is too old."""
        if minute - self.end >= KEEP or not self.fresh:
            self.base, self.fresh, self.calm = minute - KEEP, [0] * KEEP, bytearray(b"\1" * KEEP)
            self._forget(minute)
        if minute >= self.end:
            more = minute + 1 - self.end
            self.fresh += [0] * more
            self.calm += b"\1" * more
        if len(self.fresh) > KEEP + DAY // 2:
            old = len(self.fresh) - KEEP
            del self.fresh[:old], self.calm[:old]
            self.base += old
            self._forget(minute)

    def _forget(self, minute: int) -> None:
        """Drops what is known of minutes that are no longer counted."""
        self.first_ms = {m: v for m, v in self.first_ms.items() if m >= self.base}
        self.names = {m: v for m, v in self.names.items() if m >= self.base}
        self.seen = {w: m for w, m in self.seen.items() if m >= minute - WALK_BACK}

    def fold(self, minute: int, said: Iterable[Said], judged: int) -> None:
        """Counts the reports of one minute, the last of which may be ``judged`` (or later)."""
        self.last = max(self.last, minute)
        for one in said:
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
        # Only a series with enough new witnesses for some window has to be judged each minute.
        if self.count(judged, max(WINDOWS)) >= FLOOR:
            self.awake_until = judged + max(WINDOWS) - 1

    def count(self, minute: int, window: int) -> int:
        """New witnesses in the ``window`` minutes up to and with ``minute``."""
        return sum(self.fresh[max(0, minute + 1 - window - self.base) : minute + 1 - self.base])

    def is_awake(self, minute: int) -> bool:
        """Whether a burst lasts or may begin with ``minute``."""
        return self.episode is not None or minute <= self.awake_until

    # ---- what is normal -------------------------------------------------------------------------

    def settle(self, hour: int) -> bool:
        """Takes stock at the beginning of an hour; whether the day before had enough for a burst.

        The hours that have ended join those of earlier weeks, and how much the counts of the last
        day varied is measured.
        """
        self.reach(min(hour, self.end // HOUR + 1) * HOUR)
        first = max(self.folded, self.base // HOUR + 1, self.since // HOUR + 1)
        for ended in range(first, min(hour, self.end // HOUR + 1)):
            count, minutes = self._calm(ended * HOUR, (ended + 1) * HOUR)
            if count or minutes < HOUR:
                self.hours[ended] = count, minutes
        self.folded = max(self.folded, hour)
        self.reach(hour * HOUR)
        oldest = hour - (WEEKS * WEEK) // HOUR - 1
        if len(self.hours) > 2 and min(self.hours) < oldest:
            self.hours = {h: told for h, told in self.hours.items() if h >= oldest}
        start = hour * HOUR - DAY
        self.unrest = self._unrest(start, hour * HOUR)
        return sum(self.fresh[max(0, start - self.base) : hour * HOUR - self.base]) >= FLOOR

    def _unrest(self, start: int, stop: int) -> float:
        """How much the rate of a minute wavers: its variance over its square, 0 if only by chance.

        From one piece to the next, so that the tides of a day do not count (von Neumann 1941).
        Chance alone gives counts their mean for a variance; what is more comes of the rate.
        """
        counts: list[int] = []
        for at in range(max(start, self.since, self.base), stop - PIECE + 1, PIECE):
            a = at - self.base
            if self.calm.find(0, a, a + PIECE) < 0:
                counts.append(sum(self.fresh[a : a + PIECE]))
        pairs = list(pairwise(counts))
        mean = sum(a + b for a, b in pairs) / 2
        if not mean:
            return UNREST
        more = max(0.0, sum((b - a) ** 2 for a, b in pairs) / 2 / mean - 1)
        height = max(1.0, sum(a * b for a, b in pairs) / mean)
        own = more * PIECE / height
        return (own * len(pairs) + UNREST * PIECES) / (len(pairs) + PIECES)

    def references(self, minute: int, window: int) -> list[tuple[float, float]]:
        """(witnesses, minutes) of each stretch that tells what is normal around ``minute``."""
        start = minute + 1 - window
        length = RECENT
        recent = self._calm(start - length, start)
        while recent[0] < ENOUGH and length < LOOK_FOR:
            length *= 2
            recent = self._calm(start - length, start)
        count, minutes = self._same_time(minute)
        if recent[1] < LEAST_HISTORY:
            return [(count, minutes)] if minutes >= LEAST_HISTORY else []
        if minutes < LEAST_HISTORY:
            return [recent]
        rate = (recent[0] + PRIOR) / recent[1]
        # Quiet hours before a rush that comes at this time every week must not water it down.
        rate = max(rate, count / minutes / RATIO)
        return [recent, (count + BLEND, minutes + BLEND / rate)]

    def _same_time(self, minute: int) -> tuple[float, float]:
        """(witnesses, minutes) around the same time of the week, else of yesterday."""
        hour, into = divmod(minute - HOUR // 2, HOUR)
        count = minutes = 0.0
        for week in range(1, WEEKS + 1):
            for neighbour, part in ((0, 1 - into / HOUR), (1, into / HOUR)):
                then = hour + neighbour - week * WEEK // HOUR
                if then * HOUR >= self.since:
                    told = self.hours.get(then, (0, HOUR))
                    count += part * told[0]
                    minutes += part * told[1]
        if minutes >= AROUND:
            return count, minutes
        return self._calm(minute - DAY - AROUND, minute - DAY + AROUND)

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

    # ---- bursts ---------------------------------------------------------------------------------

    def judge(self, minute: int, watched: int, budget: float) -> tuple[Episode, bool] | None:
        """The burst that the series is in with this minute and whether it is over; None: quiet.

        ``watched``: how many series share the ``budget``.
        """
        self.reach(minute)
        first = minute
        if self.episode is None:
            self.episode = self._alarm(minute, watched, budget)
            if self.episode is None:
                return None
            first = self.episode.onset
        for at in range(first, minute + 1):
            self.calm[at - self.base] = 0
        episode = self.episode
        over = self._is_over(episode, minute)
        if over:
            self.episode = None
        return episode, over

    def _alarm(self, minute: int, watched: int, budget: float) -> Episode | None:
        """The burst that begins to show with ``minute``, if any: the most surprising window."""
        best: Episode | None = None
        asked = thresholds(watched, budget)
        for window in WINDOWS:
            count = self.count(minute, window)
            if self.calm.find(0, max(0, self.end - window - self.base)) >= 0:
                break  # these witnesses belong to the burst before
            if count < FLOOR:
                continue
            known = self.references(minute, window)
            if not known:
                continue
            z = min(surprise(count, window, n, t, self.unrest) for n, t in known)
            rate = max((n + PRIOR) / t for n, t in known)
            margin = z - asked[window]
            if margin < 0 or count < RATIO * rate * window:
                continue
            if best is None or margin > best.margin:
                best = Episode(minute, 0, rate, z, margin, window, set(), Counter())
        if best is not None:
            self._walk_back(best, minute, self.count(minute, best.window) / best.window)
        return best

    def _walk_back(self, episode: Episode, minute: int, height: float) -> None:
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

    def _is_over(self, episode: Episode, minute: int) -> bool:
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
