"""Budgets: never more calls within any span, whatever happens in between."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.kit.budget import Budget, Window

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SPAN = timedelta(minutes=15)


@given(
    waits=st.lists(st.floats(0, 400), max_size=120),
    calls=st.integers(1, 12),
    restart=st.integers(1, 9),
)
def test_no_span_ever_holds_more_calls(waits: list[float], calls: int, restart: int) -> None:
    """In any sliding window, with a restart now and then, there are at most so many."""
    budget, now, made = Budget(Window(calls, SPAN)), START, list[datetime]()
    for number, wait in enumerate(waits):
        now += timedelta(seconds=wait)
        if budget.wait(now) <= 0:
            budget.take(now)
            made.append(now)
        if number % restart == 0:
            spent, budget = budget.spent, Budget(Window(calls, SPAN))
            budget.recall(spent)
    for first in made:
        assert sum(first <= at < first + SPAN for at in made) <= calls


@given(calls=st.integers(1, 40))
def test_the_wait_it_tells_is_enough(calls: int) -> None:
    """After the wait a call is allowed, and it is never longer than span and a thirtieth."""
    budget = Budget(Window(calls, SPAN))
    for _ in range(calls):
        budget.take(START)
    wait = budget.wait(START)
    assert SPAN.total_seconds() <= wait <= SPAN.total_seconds() * 31 / 30
    assert budget.wait(START + timedelta(seconds=wait)) == 0


def test_all_windows_hold() -> None:
    """A short and a long one: the stricter one counts."""
    budget = Budget(Window(2, timedelta(seconds=1)), Window(3, timedelta(hours=1)))
    budget.take(START)
    budget.take(START)
    assert 0 < budget.wait(START) <= 2
    budget.take(START + timedelta(seconds=2))
    assert budget.wait(START + timedelta(seconds=5)) > 3_000


def test_a_clock_that_was_ahead_does_not_block_for_ever() -> None:
    """Calls dated in the future count from now on, for one span."""
    budget = Budget(Window(1, SPAN))
    budget.take(START + timedelta(days=900))
    assert SPAN.total_seconds() <= budget.wait(START) <= SPAN.total_seconds() * 31 / 30


def test_a_call_that_is_not_allowed_is_an_error() -> None:
    """Whoever asks without waiting has a fault."""
    budget = Budget(Window(1, SPAN))
    budget.take(START)
    with pytest.raises(ValueError, match="no call left"):
        budget.take(START)
