"""What every source of a platform must do, however the platform behaves.

A test module of a source makes a subclass of ``PlatformContract`` with the fixture ``stage``: a
local server that speaks the platform's protocol, and how posts get there. ``kind``
is the source's type in the catalogue: a test looks that every type has such a class.
"""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

import pytest

from pipeline.clock import ManualClock
from pipeline.errors import GiveUp, TryLater
from pipeline.model import Coverage, Incident, Mention, Removal
from pipeline.ports import Collector, Item, Unreadable
from tests.contracts.collector import CollectorContract, OpenSource
from tests.servers.platform import Fault, Platform

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
#: A bound on turns, so that a source that never stops asking fails instead of hanging.
MANY = 200_000


#: What a disconnect looks like from here.
DISCONNECTS = (
    Fault(kind="abort"),
    Fault(200, b"{", kind="cut"),
    Fault(502, b"<html>"),
    Fault(429),
    Fault(200, b""),
)


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
                self._heard(_number(item.value))
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


def _number(told: Mention | Incident) -> int:
    text = told.text if isinstance(told, Mention) else told.title
    found = text.rsplit(" ", 1)[-1]
    return int(found) if found.isdecimal() else 0


def _has_more_than(came: set[int], listener: Listener) -> bool:
    return bool(set(listener.numbers) - came)


def _has_read_on(count: int, listener: Listener) -> bool:
    return len(listener.read) > count + 1


class PlatformContract(CollectorContract):
    """The suite; it has what every source must do, too."""

    kind: ClassVar[str]

    @pytest.fixture
    def stage(self) -> Stage:
        raise AssertionError("the source's test gives this fixture")

    @pytest.fixture
    def words(self, stage: Stage) -> int:
        stage.say(1, 2, 3, 4)
        return 4

    @pytest.fixture
    def open_source(self, stage: Stage) -> OpenSource:
        return stage.open

    def heard(self, stage: Stage, *numbers: int) -> Listener:
        """A listener that has heard these posts, and that they are read."""
        stage.say(*numbers)
        listener = Listener(stage.open())
        listener.until(lambda one: set(numbers) <= set(one.numbers), stage.clock)
        return listener.until(partial(_has_read_on, len(listener.read)), stage.clock)

    # ---- an outage -----------------------------------------------------------------------------

    def test_an_outage_of_many_pages_loses_nothing(self, stage: Stage) -> None:
        """What was said while nobody listened comes in full, oldest first."""
        listener = self.heard(stage, 1, 2)
        listener.kill()
        numbers = range(3, 2 + min(3 * stage.page + 2, stage.reach or MANY))
        stage.say(*numbers)
        later = Listener(stage.open(), listener.cursor)
        later.until(lambda one: len(one.numbers) >= len(numbers), stage.clock)
        assert later.numbers == list(numbers)
        assert later.gaps == []

    def test_a_kill_at_any_moment_of_a_backfill_loses_nothing(self, stage: Stage) -> None:
        """Every cursor on the way leads to all that was not delivered before it."""
        listener = self.heard(stage, 1)
        numbers = range(2, 2 + min(stage.page + 3, stage.reach or MANY))
        stage.say(*numbers)
        cursor, came = listener.cursor, set[int]()
        for _ in numbers:
            one = Listener(stage.open(), cursor)
            one.until(partial(_has_more_than, came), stage.clock)
            came = came | set(one.numbers)
            cursor = one.cursor
        assert came >= set(numbers)

    def test_a_deleted_anchor_is_no_end(self, stage: Stage) -> None:
        """That the newest delivered post is gone makes no difference."""
        if stage.remove is None:
            pytest.skip("nothing is removed there")
        listener = self.heard(stage, 1, 2)
        listener.kill()
        stage.remove(2)
        stage.say(3, 4)
        later = Listener(stage.open(), listener.cursor)
        later.until(lambda one: {3, 4} <= set(one.numbers), stage.clock)
        assert not any(gap.cause for gap in later.gaps)

    @pytest.mark.parametrize("cursor", ["", "nonsense", '{"places":{}}', "1:2", "[]", "null"])
    def test_a_cursor_of_something_else_starts_anew(self, stage: Stage, cursor: str) -> None:
        """It is said in the log, and nothing is lost but the place."""
        stage.say(1, 2)
        listener = Listener(stage.open(), cursor)
        listener.until(lambda one: {1, 2} <= set(one.numbers), stage.clock)
        assert listener.cursor != cursor

    # ---- a platform that refuses ---------------------------------------------------------------

    @pytest.mark.parametrize(
        "headers",
        [
            (),
            (("Retry-After", "7"),),
            (("X-Rate-Limit-Reset", "99999999999999"),),
            (("Retry-After", "-5"),),
            (("X-RateLimit-Reset", "1970-01-01T00:00:00Z"),),
            (("Retry-After", "Mon, 02 Mar 2026 09:05:00 GMT"),),
        ],
        ids=["none", "seconds", "absurd", "negative", "past", "date"],
    )
    def test_429_makes_it_wait(self, stage: Stage, headers: tuple[tuple[str, str], ...]) -> None:
        """With, without and with absurd headers: it waits within bounds, and loses nothing."""
        listener = self.heard(stage, 1)
        stage.platform.always = Fault(429, b"slow down", headers)
        before = len(stage.platform.asked)
        listener.until(lambda one: len(one.pauses) >= 6, stage.clock)
        assert len(stage.platform.asked) - before == 6
        assert all(0.1 <= pause <= 900 for pause in listener.pauses)
        assert listener.pauses[-1] >= 1
        stage.platform.always = None
        stage.say(2, 3)
        listener.until(lambda one: {2, 3} <= set(one.numbers), stage.clock)

    @pytest.mark.parametrize("status", [401, 403])
    def test_refused_credentials_end_it(self, stage: Stage, status: int) -> None:
        """It names the setting; a source without credentials asks again, seldom."""
        listener = self.heard(stage, 1)
        stage.platform.always = Fault(status, b"no")
        before = len(stage.platform.asked)
        if stage.setting is None:
            listener.for_(timedelta(hours=1), stage.clock)
            assert 3 <= len(stage.platform.asked) - before <= 130
            return
        with pytest.raises(GiveUp, match=stage.setting):
            listener.for_(timedelta(hours=1), stage.clock)
        assert len(stage.platform.asked) - before <= 5

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(kind="abort"),
            Fault(500),
            Fault(200, b""),
            Fault(200, b"<html>"),
            Fault(200, b"[]"),
            Fault(200, b"{}"),
        ],
        ids=["abort", "500", "empty", "page", "list", "object"],
    )
    def test_a_storm_stays_within_the_budget(self, stage: Stage, fault: Fault) -> None:
        """Whatever the server does for an hour, pauses grow and the budget holds."""
        listener = self.heard(stage, 1)
        stage.platform.always = fault
        before = len(stage.platform.asked)
        listener.for_(timedelta(hours=1), stage.clock)
        calls, span = stage.calls
        assert len(stage.platform.asked) - before <= calls * (timedelta(hours=1) / span + 1)
        stage.platform.always = None
        stage.say(2)
        listener.until(lambda one: 2 in one.numbers, stage.clock)

    def test_it_stops_in_the_middle_of_an_answer(self, stage: Stage) -> None:
        """A server that falls silent in the middle does not hold up the end."""
        stage.say(1)
        stage.platform.always = Fault(200, b"[", kind="hang")
        stop, ended = threading.Event(), threading.Event()

        def listen() -> None:
            try:
                for _ in stage.open().items(None, stop):
                    pass
            except TryLater:
                pass
            ended.set()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        assert not ended.wait(0.2)
        stop.set()
        assert ended.wait(5)
        thread.join()

    def test_a_malformed_item_is_set_aside(self, stage: Stage) -> None:
        """It becomes a dead letter; what stands beside it comes."""
        if stage.spoil is None:
            pytest.skip("an item there cannot be malformed by itself")
        listener = self.heard(stage, 1)
        stage.say(2, 3, 4)
        stage.spoil(3)
        listener.until(lambda one: {2, 4} <= set(one.numbers), stage.clock)
        listener.until(lambda one: any(isinstance(v, Unreadable) for v in one.came), stage.clock)
        assert 3 not in listener.numbers

    # ---- the ledger ----------------------------------------------------------------------------

    def test_the_ledger_is_the_truth(self, stage: Stage) -> None:
        """After cuts of all lengths each post has come, or its time stands in a gap."""
        listener = self.heard(stage, 1)
        said = {1: START}
        number = 1
        for cut in (1, stage.page // 2 + 1, 4 * stage.page):
            stage.platform.always = Fault(503)
            listener.for_(timedelta(minutes=1), stage.clock)
            for _ in range(cut):
                number += 1
                stage.say(number)
                said[number] = stage.clock.now()
            listener.for_(timedelta(minutes=1), stage.clock)
            stage.platform.always = None
            listener.until(partial(_has_read_on, len(listener.read)), stage.clock)
        missed = {n: at for n, at in said.items() if n not in listener.numbers}
        for at in missed.values():
            assert any(gap.from_at <= at <= gap.to_at for gap in listener.gaps)
        if stage.reach is None:
            assert not missed
            assert not listener.gaps
        whole = max(listener.read, key=lambda word: word.to_at)
        assert whole.to_at >= said[number]

    @pytest.mark.parametrize(
        ("fault", "cause"),
        [(Fault(429), "rate_limited"), (Fault(kind="abort"), "disconnected"), (None, "stopped")],
        ids=["refused", "cut off", "not running"],
    )
    def test_a_gap_says_what_kept_us_from_reading(
        self, stage: Stage, fault: Fault | None, cause: str
    ) -> None:
        """What the platform no longer gives was lost for one of three reasons, told apart."""
        if stage.reach is None:
            pytest.skip("it goes back as far as one likes")
        listener = self.heard(stage, 1)
        stage.platform.always = fault
        if fault is not None:
            listener.until(lambda one: bool(one.pauses), stage.clock)
        stage.say(*range(2, 2 + 2 * stage.reach))
        stage.platform.always = None
        if fault is None:
            stage.clock.set(stage.clock.now() + timedelta(hours=2))
            listener = listener.again(stage.open())
        listener.until(lambda one: bool(one.gaps), stage.clock)
        assert {gap.cause for gap in listener.gaps} == {cause}

    def test_a_hundred_random_disconnects_leave_no_gap_unrecorded(self, stage: Stage) -> None:
        """Whatever breaks, whenever, with restarts in between: a post came, or a gap says so."""
        chance = random.Random(11)
        listener = self.heard(stage, 1)
        said = {1: START}
        for _ in range(100):
            stage.platform.faults = chance.choices(DISCONNECTS, k=chance.randint(1, 4))
            if chance.random() < 0.3:
                listener = listener.again(stage.open())
            (posts,) = chance.choices((0, 1, 3, stage.page + 1), (9, 9, 9, 1))
            for _ in range(posts):
                number = len(said) + 1
                stage.say(number)
                said[number] = stage.clock.now()
            listener.for_(timedelta(minutes=chance.choice((0, 1, 6))), stage.clock)
        stage.platform.faults = []
        listener.for_(timedelta(minutes=15), stage.clock)
        came = set(listener.numbers)
        missed = [at for number, at in said.items() if number not in came]
        for at in missed:
            assert any(gap.from_at <= at <= gap.to_at for gap in listener.gaps)
        if stage.reach is None:
            assert not missed
            assert not listener.gaps

    def test_removals_are_told(self, stage: Stage) -> None:
        """What the platform takes away is told as taken away."""
        if stage.remove is None:
            pytest.skip("nothing is removed there")
        listener = self.heard(stage, 1, 2)
        stage.remove(1)
        listener.until(lambda one: isinstance(one.came[-1], Removal), stage.clock)
        [removal] = [v for v in listener.came if isinstance(v, Removal)]
        [gone] = [m for m in listener.came if isinstance(m, Mention) and _number(m) == 1][:1]
        assert removal.removal == gone.id
