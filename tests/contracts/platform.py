"""What every source of a platform must do, however the platform behaves.

A test module of a source makes a subclass of ``PlatformContract`` with the fixture ``stage``: a
local server that speaks the platform's protocol, and how posts get there. ``kind``
is the source's type in the catalogue: a test looks that every type has such a class.
"""

import threading
from datetime import timedelta
from functools import partial
from typing import ClassVar

import pytest

from pipeline.errors import GiveUp, TryLater
from pipeline.model import Mention, Removal
from pipeline.ports import Unreadable
from tests.contracts.collector import CollectorContract, OpenSource
from tests.contracts.listening import MANY, Listener, Stage, has_more_than, heard, number_of
from tests.contracts.platform_ledger import LedgerContract
from tests.servers.platform import Fault


class PlatformContract(CollectorContract, LedgerContract):
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

    # ---- an outage -----------------------------------------------------------------------------

    def test_an_outage_of_many_pages_loses_nothing(self, stage: Stage) -> None:
        """What was said while nobody listened comes in full, oldest first."""
        listener = heard(stage, 1, 2)
        listener.kill()
        numbers = range(3, 2 + min(3 * stage.page + 2, stage.reach or MANY))
        stage.say(*numbers)
        later = Listener(stage.open(), listener.cursor)
        later.until(lambda one: len(one.numbers) >= len(numbers), stage.clock)
        assert later.numbers == list(numbers)
        assert later.gaps == []

    def test_a_kill_at_any_moment_of_a_backfill_loses_nothing(self, stage: Stage) -> None:
        """Every cursor on the way leads to all that was not delivered before it."""
        listener = heard(stage, 1)
        numbers = range(2, 2 + min(stage.page + 3, stage.reach or MANY))
        stage.say(*numbers)
        cursor, came = listener.cursor, set[int]()
        for _ in numbers:
            one = Listener(stage.open(), cursor)
            one.until(partial(has_more_than, came), stage.clock)
            came = came | set(one.numbers)
            cursor = one.cursor
        assert came >= set(numbers)

    def test_a_deleted_anchor_is_no_end(self, stage: Stage) -> None:
        """That the newest delivered post is gone makes no difference."""
        if stage.remove is None:
            pytest.skip("nothing is removed there")
        listener = heard(stage, 1, 2)
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
        listener = heard(stage, 1)
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
        listener = heard(stage, 1)
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
        listener = heard(stage, 1)
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
        listener = heard(stage, 1)
        stage.say(2, 3, 4)
        stage.spoil(3)
        listener.until(lambda one: {2, 4} <= set(one.numbers), stage.clock)
        listener.until(lambda one: any(isinstance(v, Unreadable) for v in one.came), stage.clock)
        assert 3 not in listener.numbers

    def test_removals_are_told(self, stage: Stage) -> None:
        """What the platform takes away is told as taken away."""
        if stage.remove is None:
            pytest.skip("nothing is removed there")
        listener = heard(stage, 1, 2)
        stage.remove(1)
        listener.until(lambda one: isinstance(one.came[-1], Removal), stage.clock)
        [removal] = [v for v in listener.came if isinstance(v, Removal)]
        [gone] = [m for m in listener.came if isinstance(m, Mention) and number_of(m) == 1][:1]
        assert removal.removal == gone.id
