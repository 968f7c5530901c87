"""What a source of a platform must tell of what it read and what it could not."""

import random
from datetime import timedelta
from functools import partial

import pytest

from tests.contracts.listening import START, Stage, has_read_on, heard
from tests.servers.platform import Fault

#: What a disconnect looks like from here.
DISCONNECTS = (
    Fault(kind="abort"),
    Fault(200, b"{", kind="cut"),
    Fault(502, b"<html>"),
    Fault(429),
    Fault(200, b""),
)


class LedgerContract:
    """Part of the contract of ``PlatformContract``."""

    def test_the_ledger_is_the_truth(self, stage: Stage) -> None:
        """After cuts of all lengths each post has come, or its time stands in a gap."""
        listener = heard(stage, 1)
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
            listener.until(partial(has_read_on, len(listener.read)), stage.clock)
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
        listener = heard(stage, 1)
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
        listener = heard(stage, 1)
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
