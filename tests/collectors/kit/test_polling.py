"""The poller before a platform in memory: what no single platform shows by itself."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.kit.budget import Budget, Window
from collectors.kit.limits import Limited
from collectors.kit.money import Price, Purse
from collectors.kit.polling import Call, Entry, Habits, Page, Poller, Query, Value
from collectors.kit.progress import Progress
from pipeline.clock import ManualClock
from pipeline.errors import TryLater
from pipeline.model import Coverage, Mention
from tests.contracts.listening import START, Listener

PAGE = 5


class Memory:
    """Posts by number; pages of five, newest first. ``failing`` calls fail."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.posts: dict[int, datetime] = {}
        self.calls: list[tuple[str, datetime]] = []
        self.failing: list[bool] = []
        self.error = TryLater("away")
        self.reach: timedelta | None = None

    def page(
        self, query: Query, since: datetime, before: str | None, stop: threading.Event
    ) -> Page:
        self.calls.append((query.key, self.clock.now()))
        if self.failing and self.failing.pop(0):
            raise self.error
        if self.reach is not None:
            return Page([], reach=self.clock.now() - self.reach)
        below = int(before) if before is not None else 1 << 60
        found = sorted((n for n in self.posts if n < below), reverse=True)
        entries = [self._entry(number) for number in found[:PAGE]]
        more = str(found[PAGE - 1]) if len(found) > PAGE else None
        return Page(entries, more, is_all=more is None)

    def _entry(self, number: int) -> Entry:
        at = self.posts[number]
        told = Mention(source="m", external_id=str(number), text=f"post {number}", said_at=at)
        return Entry(str(number), at, told)

    def besides(self, progress: Progress, stop: threading.Event) -> Iterator[Value | Call]:
        return iter(())


class Source:
    """A source over it; opened anew it knows what its cursor knows."""

    def __init__(self, memory: Memory, *queries: Query, **more: object) -> None:
        habits = more.pop("habits", Habits(timedelta(minutes=1)))
        budget = Budget(Window(30, timedelta(minutes=5)))
        asked = queries or (Query("acme", "acme"),)
        self.name = "memory"
        self.poller = Poller(self.name, memory.clock, memory, asked, habits, budget, **more)  # type: ignore[arg-type]
        self.items = self.poller.items


def scene() -> tuple[ManualClock, Memory]:
    clock = ManualClock(START)
    return clock, Memory(clock)


def test_a_look_that_is_interrupted_goes_on_at_the_same_page() -> None:
    """Otherwise a limit that is always met before the end would never let it end."""
    clock, memory = scene()
    memory.posts = {n: START - timedelta(minutes=90 - n) for n in range(1, 31)}
    memory.failing = [False, True, False, True, False, True, False, True, False, True]
    listener = Listener(Source(memory)).until(lambda one: len(one.numbers) == 30, clock)
    assert listener.numbers == list(range(1, 31))
    assert len(memory.calls) == 6 + 5


def test_our_own_bound_is_a_gap_too() -> None:
    """What lies beyond the pages we are ready to walk is on record."""
    clock, memory = scene()
    habits = Habits(timedelta(minutes=1), pages=2, overlap=timedelta(0))
    listener = Listener(Source(memory, habits=habits)).for_(timedelta(minutes=2), clock)
    listener.kill()
    for number in range(1, 31):
        clock.set(clock.now() + timedelta(seconds=10))
        memory.posts[number] = clock.now()
    later = Listener(Source(memory, habits=habits), listener.cursor)
    later.for_(timedelta(minutes=3), clock)
    assert later.numbers == list(range(21, 31))
    [gap] = later.gaps
    assert (gap.cause, gap.track) == ("stopped", "acme")
    assert gap.to_at == memory.posts[21]
    assert all(gap.from_at <= memory.posts[n] for n in range(1, 21))


def test_coverage_of_a_track_is_what_all_its_questions_cover() -> None:
    """A term that was not asked for is a part of the track that was not read."""
    clock, memory = scene()
    queries = (Query("a", "acme"), Query("b", "acme"), Query("n", "nordwind"))
    memory.failing = [False, True]
    listener = Listener(Source(memory, *queries))
    listener.until(lambda one: len(one.pauses) == 1, clock)
    assert listener.read == []
    listener.until(lambda one: len(one.read) == 2, clock)
    assert {word.track for word in listener.read} == {"acme", "nordwind"}


def test_nobody_spends_more_than_the_cap_and_what_was_not_bought_is_a_gap() -> None:
    """A busy day on a paid platform: reading in samples, gaps on record, a restart in between."""
    clock, memory = scene()
    price = Price(per_read=0.01, a_day=1.0, a_month=30.0)
    habits = Habits(timedelta(minutes=5), overlap=timedelta(0), reads=PAGE)
    purse = Purse(price)
    listener = Listener(Source(memory, habits=habits, purse=purse))
    number = 0
    for step in range(24 * 4):
        for _ in range(6):
            number += 1
            memory.posts[number] = clock.now() + timedelta(seconds=1)
        listener.for_(timedelta(minutes=15), clock)
        assert purse.spent(clock.now())[0] <= 1.0
        if step == 40:
            listener.kill()
            purse = Purse(price)
            again = Listener(Source(memory, habits=habits, purse=purse), listener.cursor)
            again.came, listener = listener.came, again
    assert {gap.cause for gap in listener.gaps} == {"budget spent"}
    came = {m.external_id for m in listener.came if isinstance(m, Mention)}
    unread = [n for n in memory.posts if str(n) not in came]
    assert unread
    last = max(word.to_at for word in listener.came if isinstance(word, Coverage))
    for missed in unread:
        at = memory.posts[missed]
        assert at > last or any(gap.from_at <= at <= gap.to_at for gap in listener.gaps)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 12),  # posts
            st.integers(0, 9),  # minutes without us
            st.lists(st.booleans(), max_size=4),  # calls that fail
            st.integers(1, 40),  # items until the next crash
        ),
        min_size=1,
        max_size=8,
    )
)
def test_after_any_cuts_and_crashes_the_ledger_is_the_truth(
    steps: list[tuple[int, int, list[bool], int]],
) -> None:
    """Nothing is lost without a gap, and no window ever has more calls than it may."""
    clock, memory = scene()
    cursor, came = None, set[int]()
    number = 0
    for posts, minutes, failing, items in steps:
        for _ in range(posts):
            number += 1
            clock.set(clock.now() + timedelta(seconds=7))
            memory.posts[number] = clock.now()
        clock.set(clock.now() + timedelta(minutes=minutes))
        memory.failing = list(failing)
        one = Listener(Source(memory), cursor)
        count = iter(range(items))
        one.until(lambda _, count=count: next(count, None) is None, clock)  # type: ignore[misc]
        came |= set(one.numbers)
        cursor = one.cursor
    last = Listener(Source(memory), cursor).for_(timedelta(minutes=12), clock)
    assert came | set(last.numbers) == set(memory.posts)
    assert last.gaps == []
    times = [at for _, at in memory.calls]
    for first in times:
        assert sum(first <= at < first + timedelta(minutes=5) for at in times) <= 30


def test_a_long_way_back_costs_no_more_than_the_cap_either() -> None:
    """The walk ends where the money does; what lies further back is a gap, the rest has come."""
    clock, memory = scene()
    price = Price(per_read=0.01, a_day=0.3, a_month=30.0, spread=False)
    habits = Habits(timedelta(minutes=1), overlap=timedelta(0), reads=PAGE)
    purse = Purse(price)
    listener = Listener(Source(memory, habits=habits, purse=purse))
    listener.for_(timedelta(minutes=2), clock)
    listener.kill()
    for number in range(1, 101):
        clock.set(clock.now() + timedelta(seconds=10))
        memory.posts[number] = clock.now()
    later = Listener(Source(memory, habits=habits, purse=purse), listener.cursor)
    later.until(lambda one: bool(one.numbers), clock).for_(timedelta(minutes=1), clock)
    assert purse.spent(clock.now())[0] <= 0.3
    assert later.numbers == list(range(101 - len(later.numbers), 101))
    gap = later.gaps[0]
    assert (gap.cause, gap.to_at) == ("budget spent", memory.posts[later.numbers[0]])


def test_what_the_platform_refused_is_not_counted_as_paid() -> None:
    """An answer that gives nothing costs nothing; a call whose end is unknown may have cost."""
    clock, memory = scene()
    habits = Habits(timedelta(minutes=1), reads=PAGE)
    for error, reads in ((Limited("429"), 0), (TryLater("cut off"), PAGE)):
        purse = Purse(Price(per_read=0.01, a_day=1.0, a_month=30.0))
        memory.failing, memory.error = [True], error
        listener = Listener(Source(memory, habits=habits, purse=purse))
        listener.until(lambda one: len(one.pauses) == 1, clock)
        assert sum(purse.reads.values()) == reads


@pytest.mark.parametrize(
    ("error", "cause"),
    [(Limited("429"), "rate_limited"), (TryLater("away"), "disconnected"), (None, "stopped")],
)
def test_a_gap_says_what_kept_us_from_reading(error: TryLater | None, cause: str) -> None:
    """Refusals, no connection, no process: the same posts are gone, for different reasons."""
    clock, memory = scene()
    habits = Habits(timedelta(minutes=1), pages=2, overlap=timedelta(0))
    listener = Listener(Source(memory, habits=habits)).for_(timedelta(minutes=2), clock)
    if error is None:
        listener = listener.again(Source(memory, habits=habits))
    else:
        memory.failing, memory.error = [True], error
        listener.until(lambda one: len(one.pauses) == 1, clock)
    for number in range(1, 31):
        clock.set(clock.now() + timedelta(seconds=10))
        memory.posts[number] = clock.now()
    listener.until(lambda one: bool(one.gaps), clock)
    assert [gap.cause for gap in listener.gaps] == [cause]


def test_what_lies_beyond_the_platforms_reach_is_a_gap_even_if_nothing_came() -> None:
    """A week of silence after a month's outage says nothing of the three weeks before."""
    clock, memory = scene()
    listener = Listener(Source(memory)).for_(timedelta(minutes=2), clock)
    clock.set(START + timedelta(days=30))
    memory.reach = timedelta(days=7)
    listener.until(lambda one: bool(one.gaps), clock)
    [gap] = listener.gaps
    assert gap.from_at < START + timedelta(minutes=3)
    assert gap.to_at == START + timedelta(days=23)


def test_a_pause_for_want_of_money_is_told_while_it_lasts() -> None:
    """For all questions, in pieces that join; whoever asks hears why nothing comes."""
    clock, memory = scene()
    price = Price(per_read=0.01, a_day=0.2, a_month=30.0, spread=False)
    habits = Habits(timedelta(minutes=1), overlap=timedelta(0), reads=PAGE)
    queries = (Query("a", "acme"), Query("n", "nordwind"))
    source = Source(memory, *queries, habits=habits, purse=Purse(price))
    listener = Listener(source).for_(timedelta(minutes=2), clock)
    assert source.poller.trouble() is None
    memory.posts = {n: clock.now() + timedelta(seconds=n) for n in range(1, 40)}
    listener.until(lambda one: len(one.gaps) >= 8, clock)
    assert "money" in str(source.poller.trouble())
    for track in ("acme", "nordwind"):
        gaps = [gap for gap in listener.gaps if gap.track == track and gap.cause == "budget spent"]
        assert len(gaps) >= 3
        later = gaps[-3:]
        assert [gap.to_at for gap in later[:-1]] == [gap.from_at for gap in later[1:]]
        assert clock.now() - later[-1].to_at <= timedelta(minutes=16)
