"""What is not where it was: hidden, shown again, erased."""

from datetime import timedelta
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from collectors.kit.away import MOST, State, told
from tests.contracts.listening import START


def kinds(*states: State, apart: timedelta = timedelta(days=1)) -> list[str | None]:
    """What is told of looks a day apart."""
    own: dict[str, Any] = {}
    return [told(own, "1", state, START + n * apart) for n, state in enumerate(states)]


def test_what_is_missing_twice_is_gone() -> None:
    """Once may be a place that is closed for a day."""
    assert kinds("missing", "missing") == ["hidden", "erased"]
    assert kinds("missing", "here", "missing") == ["hidden", "shown", "hidden"]
    assert kinds("here", "erased") == [None, "erased"]


def test_what_is_hidden_stays_hidden_until_it_is_back() -> None:
    """It is told once; that it is missing later does not make it gone at once."""
    assert kinds("hidden", "hidden", "here", "here") == ["hidden", None, "shown", None]
    assert kinds("hidden", "missing", "missing") == ["hidden", None, "erased"]


def test_two_looks_in_a_row_are_one() -> None:
    """A look that is repeated after a crash, or in the same round, takes nothing away for good."""
    hour = timedelta(hours=1)
    looks: list[State] = ["missing"] * 14
    assert kinds(*looks, apart=hour) == ["hidden", *[None] * 11, "erased", "hidden"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(get_args(State)))))
def test_each_post_is_told_in_turns(looks: list[tuple[str, State]]) -> None:
    """Hidden only when it was shown, shown only when it was hidden, whatever others do."""
    own: dict[str, Any] = {}
    hidden: set[str] = set()
    for day, (number, state) in enumerate(looks):
        kind = told(own, number, state, START + timedelta(days=day))
        assert kind != "hidden" or number not in hidden
        assert kind != "shown" or number in hidden
        assert (kind == "shown") == (state == "here" and number in hidden)
        if kind == "hidden":
            hidden.add(number)
        elif kind is not None:
            hidden.discard(number)
    assert set(own.get("away") or {}) == hidden


def test_memory_is_bounded() -> None:
    """Of what went long ago it is not told that it is back."""
    own: dict[str, Any] = {}
    for number in range(MOST + 10):
        told(own, str(number), "hidden", START)
    assert len(own["away"]) == MOST
    assert told(own, "0", "here", START) is None
