"""Looking again: rounds over what is held, what is linked before the rest, and when that was."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.kit.rechecks import STRETCHES, Held, Rechecks
from pipeline.errors import TryLater
from tests.contracts.platform import START

HOUR = timedelta(hours=1)


class Shelf:
    """What is held: all of it, and what is linked or shown."""

    def __init__(self, numbers: Sequence[str], linked: Sequence[str] = ()) -> None:
        self.numbers = numbers
        self.linked = linked

    def __call__(self, platform: str, since: datetime, after: str, most: int) -> Sequence[str]:
        return [number for number in self.numbers if number > after][:most]

    def first(self, platform: str, since: datetime, after: str, most: int) -> Sequence[str]:
        return [number for number in self.linked if number > after][:most]


def looked(
    rounds: Rechecks, own: dict[str, Any], now: Callable[[], datetime], times: int
) -> list[str]:
    """What is looked at in so many goes."""
    seen: list[str] = []
    for _ in range(times):
        for number in rounds.due(own, now()):
            seen.append(number)
            rounds.done(own, number)
    return seen


def test_what_is_linked_is_looked_at_first() -> None:
    """In every round, and with all the rest once more."""
    shelf = Shelf(["a", "b", "c", "d"], ["b", "d"])
    rounds = Rechecks("p", shelf, HOUR, 24 * HOUR, at_once=1)
    own: dict[str, Any] = {}
    assert looked(rounds, own, lambda: START, 9) == ["b", "d", "a", "b", "c", "d"]
    assert looked(rounds, own, lambda: START + HOUR, 3) == ["b", "d", "a"]


def test_when_a_post_was_looked_at_is_known() -> None:
    """Of this round or the one before; of what was never looked at nothing is."""
    rounds = Rechecks("p", Shelf(["a", "b", "c"]), HOUR, 24 * HOUR, at_once=1)
    own: dict[str, Any] = {}
    for minute in range(4):
        now = START + timedelta(minutes=minute)
        looked(rounds, own, lambda now=now: now, 1)  # type: ignore[misc]
    assert rounds.checked_at(own, "b") == START + timedelta(minutes=1)
    assert rounds.checked_at(own, "d") is None
    later = START + 2 * HOUR
    looked(rounds, own, lambda: later, 1)
    assert rounds.checked_at(own, "a") == later
    assert rounds.checked_at(own, "c") == START + timedelta(minutes=2)


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(1, 100))
def test_what_is_remembered_is_small_and_never_too_young(count: int, at_once: int) -> None:
    """However many are held: a look is told as no later than it was."""
    numbers = [f"{n:05}" for n in range(count)]
    rounds = Rechecks("p", Shelf(numbers), 1_000 * HOUR, 24 * HOUR, at_once)
    own: dict[str, Any] = {}
    truth: dict[str, datetime] = {}
    now = START
    while due := rounds.due(own, now):
        truth |= dict.fromkeys(due, now)
        rounds.done(own, due[-1])
        now += timedelta(minutes=1)
    assert list(truth) == numbers
    assert len(own["checks"]["marks"]) <= STRETCHES
    for number, at in truth.items():
        told = rounds.checked_at(own, number)
        assert told is not None
        assert START <= told <= at


def test_a_round_that_takes_too_long_is_told() -> None:
    """More is held than the budget lets us look at: what was deleted stays too long."""
    rounds = Rechecks("p", Shelf(["a", "b", "c"]), HOUR, 24 * HOUR, at_once=1)
    own: dict[str, Any] = {}
    assert rounds.trouble(own, START) is None
    looked(rounds, own, lambda: START, 1)
    assert rounds.trouble(own, START + HOUR) is None
    told = rounds.trouble(own, START + 3 * HOUR)
    assert told is not None
    assert "3 h" in told
    looked(rounds, own, lambda: START + 3 * HOUR, 3)
    assert rounds.trouble(own, START + 3 * HOUR) is None


def test_a_round_waits_for_a_store_that_is_away() -> None:
    """It goes on where it was."""
    is_away = True

    def held(platform: str, since: datetime, after: str, most: int) -> Sequence[str]:
        if is_away:
            raise TryLater("away")
        return Shelf(["a"])(platform, since, after, most)

    kept: Held = held
    rounds = Rechecks("p", kept, HOUR, 24 * HOUR)
    own: dict[str, Any] = {}
    assert looked(rounds, own, lambda: START, 2) == []
    is_away = False
    assert looked(rounds, own, lambda: START, 2) == ["a"]


def test_a_place_of_an_earlier_version_is_read() -> None:
    """Cursors outlive programs."""
    rounds = Rechecks("p", Shelf(["a", "b", "c"]), HOUR, 24 * HOUR)
    began = int(START.timestamp() * 1e6)
    own: dict[str, Any] = {"checks": {"began": began, "after": "a", "over": False}}
    assert looked(rounds, own, lambda: START, 2) == ["b", "c"]
