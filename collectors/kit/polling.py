"""Asking a platform page by page: back to the cursor, delivered oldest first, gaps on record.

A platform's file gives a ``Feed``; this does the rest. A look begins with the newest page and walks
back until it meets what was delivered before, however long the outage was. Only then is anything
delivered, oldest first, and each item's cursor covers exactly what came before it. Where the
platform's reach or our own bound (``pages``) ends too early, the rest becomes a gap in coverage.
A look that is interrupted (429, network) goes on at the same page. Each call is counted before it
is made, and durably: the item without a value that comes before a call carries the count.
"""

import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias

from collectors.kit.budget import Budget
from collectors.kit.causes import BUDGET_SPENT, LOOK_BACK_EXCEEDED
from collectors.kit.hindrance import Hindrance
from collectors.kit.ledger import by_track, covered, gap, skipped
from collectors.kit.limits import Answered
from collectors.kit.money import Purse
from collectors.kit.progress import Place, Progress
from collectors.kit.silence import Silence
from collectors.kit.streaming import opening, streamed_on
from collectors.kit.times import LONGEST_WAIT, from_us, to_us
from collectors.kit.web import Stopped
from pipeline.errors import TryLater
from pipeline.model import Decision, Incident, Mention, Removal
from pipeline.ports import Clock, Item, Unreadable
from pipeline.roles import pause

Value: TypeAlias = Mention | Removal | Decision | Incident | Unreadable

#: How long a pause for want of money lasts before it is told, and how often from then on.
FIRST_PIECE, PIECE = timedelta(minutes=1), timedelta(minutes=15)


class Call(Enum):
    """What ``Feed.besides`` yields before each call, so that it is counted."""

    CALL = "call"


class Query(NamedTuple):
    """One question to the platform; ``key`` names it in the cursor, ``track`` in the coverage."""

    key: str
    track: str | None = None


class Entry(NamedTuple):
    """One thing on a page: its id in this source, its place in the platform's order, the word.

    What changes in place (an edited entry of a feed) gets another id with each change.
    """

    number: str
    at: datetime
    value: Value


@dataclass(frozen=True, slots=True)
class Page:
    """A page, in any order. ``before`` asks for the page with what is older (None: there is none).

    ``is_all``: the platform has nothing older. False on the last page: it has, and keeps it; all
    from ``reach`` on was there (without it: from the oldest entry on).
    """

    entries: Sequence[Entry]
    before: str | None = None
    is_all: bool = False
    reach: datetime | None = None


class Feed(Protocol):
    """What the poller asks of a platform's file."""

    def page(
        self, query: Query, since: datetime, before: str | None, stop: threading.Event
    ) -> Page:
        """One page, the newest one or the one that ``before`` asks for; exactly one call.

        Entries from before ``since`` may be left out: a page that is short of them for that reason
        ``is_all``. Raises TryLater or GiveUp.
        """
        ...

    def besides(self, progress: Progress, stop: threading.Event) -> Iterator[Value | Call]:
        """What else is to be done after each look: edits, deletes.

        Yields ``Call.CALL`` before each call. Raises TryLater or GiveUp.
        """
        ...


class Pushing(Protocol):
    """What a feed may have besides: a stream that tells sooner what looks would find.

    Looks stay the truth, so whatever the stream loses is found; it must be told of no call.
    """

    def pushed(self) -> Sequence[Entry | Value]:
        """What came since the last time, at once: an entry as looks have it, or another word."""
        ...


@dataclass(frozen=True, slots=True)
class Habits:
    """How a platform is polled.

    ``every``: from look to look. ``look_back``: how far the first look reaches. ``overlap``: how
    late an entry may turn up among older ones; None where entries stand in no order of time, then
    ids alone say what is new. ``pages``: how far a look walks back. ``reads``: the most one page
    costs, for ``Purse``. ``delay``: how long after it was said a post is not found yet.
    ``from_read``: a look begins (by our clock) where the last one ended and not at the newest
    entry, which is paid again with every look where entries cost.
    """

    every: timedelta
    look_back: timedelta = timedelta(days=1)
    overlap: timedelta | None = timedelta(minutes=5)
    pages: int = 100
    reads: int = 0
    delay: timedelta = timedelta(0)
    from_read: bool = False


@dataclass(slots=True)
class _Walk:
    """A look under way."""

    asked: datetime
    place: Place
    entries: dict[str, Entry] = field(default_factory=dict)
    before: str | None = None
    pages: int = 0
    is_over: bool = False
    is_cut: bool = False
    reach: datetime | None = None
    cause: str | None = None


class Poller:
    """The items of a source that is asked. ``totals`` counts calls, failures and gaps."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        feed: Feed,
        queries: Sequence[Query],
        habits: Habits,
        budget: Budget,
        purse: Purse | None = None,
        silence: Silence | None = None,
    ) -> None:
        self._name = name
        self._clock = clock
        self._feed = feed
        self._tracks = by_track(queries)
        self._habits = habits
        overlap = habits.overlap
        self._overlap = None if overlap is None else overlap // timedelta(microseconds=1)
        self._budget = budget
        self._purse = purse
        self._walks: dict[str, _Walk] = {}
        self._failures = 0
        self._silence = silence or Silence()
        self._was_pushed = False
        self._hindrance = Hindrance(3 * habits.every)
        self.totals: Counter[str] = Counter()

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``."""
        progress = Progress.of(self._name, cursor, self._budget, self._purse)
        self._silence.recall(progress.own.get("silence"))
        self._hindrance.begin(progress.places.values(), self._clock.now())
        try:
            while not stop.is_set():
                due = self._clock.now() + self._habits.every
                yield from self._look(progress, stop)
                self._hindrance.over()
                progress.forget_pushed(self._overlap or 0)
                yield from self._quiet(progress, partial(_left, due, self._clock), stop)
        except Stopped:
            return
        except TryLater as error:
            # A turn that counted a call went well, so the pauses have to grow here.
            self._failures += 1
            self.totals["failures"] += 1
            self._hindrance.met(error)
            raise TryLater(str(error), pause(self._failures, error.after)) from error

    def trouble(self) -> str | None:
        """One line when it has been silent for too long, or its money is spent, else None."""
        if self._unpaid() > 0:
            return "the money for now is spent: nothing is read until there is more"
        return self._silence.trouble(self._clock.now())

    def _look(self, progress: Progress, stop: threading.Event) -> Iterator[Item]:
        """Every question once, and what else is to be done."""
        yield from self._opened(progress, stop)
        for track, keys in self._tracks.items():
            for key in keys:
                if stop.is_set():
                    return
                yield from self._ask(Query(key, track), progress, stop)
            word = covered(self._name, track, [progress.places.get(key) for key in keys])
            if word is not None:
                yield Item(word, progress.cursor)
        for value in self._feed.besides(progress, stop):
            if isinstance(value, Call):
                yield from self._allowed(progress, stop)
                if stop.is_set():
                    return
            else:
                yield Item(value, progress.cursor)
        for bill in () if self._purse is None else self._purse.bill(self._name, self._clock.now()):
            yield Item(bill, progress.cursor)

    def _ask(self, query: Query, progress: Progress, stop: threading.Event) -> Iterator[Item]:
        """One question: walks back, then delivers."""
        if query.key not in self._walks and (
            place := streamed_on(self._feed, progress.places.get(query.key), self._overlap)
        ):
            progress.places[query.key] = place
            self._heard(progress, self._clock.now(), has_come=False)
            return
        yield from self._affordable(progress, stop)
        place = progress.place(query.key, self._clock.now(), self._habits.look_back)
        progress.places[query.key] = place  # where a first look began is kept across restarts
        walk = self._walks.get(query.key)
        if walk is None or walk.place != place:
            walk = self._walks[query.key] = _Walk(self._clock.now(), place)
        while not walk.is_over:
            if walk.pages and self._unpaid() > 0:
                walk.is_over, walk.is_cut, walk.cause = True, True, BUDGET_SPENT
                break
            yield from self._allowed(progress, stop, self._habits.reads)
            if stop.is_set():
                return
            self._step(query, walk, stop)
        del self._walks[query.key]
        yield from self._deliver(query, walk, progress)

    def _step(self, query: Query, walk: _Walk, stop: threading.Event) -> None:
        """One page further back."""
        floor = self._floor(walk.place)
        if not walk.pages:  # it may have been tried for an hour: read is up to when it succeeds
            walk.asked = self._clock.now()
        try:
            page = self._feed.page(query, from_us(floor), walk.before, stop)
        except Answered:
            if self._purse is not None:  # whatever else became of the call may have been paid
                self._purse.take(self._clock.now(), -self._habits.reads)
            raise
        self._failures = 0
        if self._purse is not None:
            self._purse.take(self._clock.now(), len(page.entries) - self._habits.reads)
        walk.pages += 1
        walk.entries.update({entry.number: entry for entry in page.entries})
        is_met = any(self._is_met(entry, walk.place, floor) for entry in page.entries)
        is_end = page.before is None or page.before == walk.before
        walk.is_over = is_met or page.is_all or is_end or walk.pages >= self._habits.pages
        walk.is_cut = walk.is_over and not is_met and not page.is_all
        walk.before, walk.reach = page.before, page.reach

    def _floor(self, place: Place) -> int:
        """From when on a look asks."""
        stands = place.at
        if self._habits.from_read:
            stands = max(stands, place.read or 0)
        return stands - (self._overlap or 0)

    def _is_met(self, entry: Entry, place: Place, floor: int) -> bool:
        """Whether an entry stands where an earlier look has been."""
        if self._overlap is None:
            return entry.number in place.ids
        return to_us(entry.at) < floor

    def _deliver(self, query: Query, walk: _Walk, progress: Progress) -> Iterator[Item]:
        """What is new, oldest first, after the gap before it if there is one."""
        place, asked = walk.place, to_us(walk.asked)
        entries = sorted(walk.entries.values(), key=_in_order)
        floor = self._floor(place)
        if walk.is_cut and (entries or walk.reach):
            oldest, read = min(to_us(walk.reach or entries[0].at), asked), place.read
            if oldest > (place.at if read is None else read):
                place = replace(place, at=oldest - 1, ids={}, since=oldest, read=oldest)
                progress.places[query.key] = place
                if read is not None:
                    self.totals["gaps"] += 1
                    cause = walk.cause or self._hindrance.cause or LOOK_BACK_EXCEEDED
                    yield Item(gap(self._name, query.track, read, oldest, cause), progress.cursor)
        has_come = False
        for entry in entries:
            at = min(to_us(entry.at), asked)
            is_old = self._overlap is not None and at < floor
            if is_old or entry.number in place.ids:
                continue
            place = place.having(entry.number, at, self._overlap)
            progress.places[query.key] = place
            if entry.number not in progress.pushed:
                has_come = True
                yield Item(entry.value, progress.cursor)
        if self._overlap is None:
            listed = {number: at for number, at in place.ids.items() if number in walk.entries}
            place = replace(place, ids=listed or place.ids)
        self._heard(progress, walk.asked, has_come=has_come)
        since = walk.place.at if place.since is None else place.since
        read = max(since, asked - self._habits.delay // timedelta(microseconds=1))
        progress.places[query.key] = replace(place, since=since, read=max(read, place.read or 0))

    # ---- coverage, waiting, counting -----------------------------------------------------------

    def _heard(self, progress: Progress, at: datetime, *, has_come: bool) -> None:
        self._silence.looked(at, has_come=has_come or self._was_pushed)
        self._was_pushed = False
        progress.own["silence"] = self._silence.state

    def _opened(self, progress: Progress, stop: threading.Event) -> Iterator[Item]:
        """Opens the stream, where the feed has one, with its calls counted."""
        for _ in opening(self._feed, progress, stop):
            yield from self._allowed(progress, stop)
            if stop.is_set():
                return

    def _unpaid(self) -> float:
        """Seconds until another page can be paid for; 0: now."""
        purse = self._purse
        return 0.0 if purse is None else purse.wait(self._clock.now(), self._habits.reads)

    def _affordable(self, progress: Progress, stop: threading.Event) -> Iterator[Item]:
        """Waits until a page can be paid. What was said meanwhile is not bought later: a gap.

        The gap is told while it lasts, in pieces.
        """
        piece = FIRST_PIECE
        while not stop.is_set() and (seconds := self._unpaid()) > 0:
            due = self._clock.now() + min(piece, timedelta(seconds=seconds))
            yield from self._quiet(progress, partial(_left, due, self._clock), stop)
            for word in skipped(self._name, self._tracks, progress, self._clock.now()):
                self.totals["gaps"] += 1
                yield Item(word, progress.cursor)
            piece = PIECE

    def _allowed(
        self, progress: Progress, stop: threading.Event, reads: int = 0
    ) -> Generator[Item, None, None]:
        """Waits until a call is allowed and counts it; the count is durable when this is over."""
        if self._budget.wait(self._clock.now()) > self._habits.every.total_seconds():
            self._hindrance.limited()
        yield from self._quiet(progress, lambda: self._budget.wait(self._clock.now()), stop)
        if stop.is_set():
            return
        self._budget.take(self._clock.now())
        if self._purse is not None:
            self._purse.take(self._clock.now(), reads)
        self.totals["calls"] += 1
        yield Item(None, progress.cursor)

    def _quiet(
        self, progress: Progress, left: Callable[[], float], stop: threading.Event
    ) -> Iterator[Item]:
        """Says that nothing is new until no time is left."""
        while not stop.is_set() and (seconds := left()) > 0:
            yield from self._pushed(progress)
            yield Item(None, progress.cursor)
            self._clock.wait(min(seconds, LONGEST_WAIT), stop)

    def _pushed(self, progress: Progress) -> Iterator[Item]:
        """What a stream has told; the next look knows it by its id, and reads up to it itself."""
        feed: Any = self._feed
        for told in feed.pushed() if hasattr(feed, "pushed") else ():
            if not isinstance(told, Entry):
                yield Item(told, progress.cursor)
                continue
            if progress.has_delivered(told.number):
                continue
            progress.push(told.number, min(to_us(told.at), to_us(self._clock.now())))
            self._was_pushed = True
            yield Item(told.value, progress.cursor)


def _in_order(entry: Entry) -> tuple[datetime, int, str]:
    """By time; what was said at one moment by its number, which is text but most often counts."""
    return (entry.at, len(entry.number), entry.number)


def _left(due: datetime, clock: Clock) -> float:
    return (due - clock.now()).total_seconds()
