"""Clocks hand out time; nobody takes it."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.clock import ManualClock, ScaledClock, SystemClock
from pipeline.ports import Clock

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock(NOON), ScaledClock(NOON, 60)])
def test_every_clock_is_a_clock_in_utc(clock: Clock) -> None:
    """All clocks answer in UTC and stop waiting at once when they are told to."""
    stop = threading.Event()
    stop.set()

    assert clock.now().utcoffset() == timedelta(0)
    assert clock.wait(3_600, stop)


def test_a_manual_clock_stands_still_until_it_is_set() -> None:
    """A replay's time moves only when the replay moves it, and never back."""
    clock = ManualClock(NOON)
    assert clock.now() == clock.now() == NOON

    clock.set(NOON + timedelta(hours=2))
    clock.set(NOON)

    assert clock.now() == NOON + timedelta(hours=2)


def test_waiting_on_a_manual_clock_takes_its_own_time_only() -> None:
    """An hour's wait moves the clock by an hour and blocks nobody."""
    clock = ManualClock(NOON)

    assert not clock.wait(3_600, threading.Event())

    assert clock.now() == NOON + timedelta(hours=1)


def test_a_scaled_clock_runs_faster() -> None:
    """A wait of five hundred of its seconds takes a twentieth of a second of ours, or more."""
    clock = ScaledClock(NOON, speed=10_000)

    assert not clock.wait(500, threading.Event())

    assert clock.now() >= NOON + timedelta(seconds=500)


def test_a_scaled_clock_cannot_stand_or_run_back() -> None:
    """A speed of nothing is a wrong setting."""
    with pytest.raises(ValueError, match="above 0"):
        ScaledClock(NOON, 0)
