"""Surprise: how far a count is above normal, and how far it has to be."""

import math
import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.surprise import WEEK, WINDOWS, surprise, thresholds


def test_known_values() -> None:
    """Worked out by hand: 4 where 5 in five times the time make 1 normal; 5 where 12 h had none."""
    by_hand = math.sqrt(2 * (4 * math.log(6 * 4 / 9) + 5 * math.log(1.2 * 5 / 9)))
    assert math.isclose(surprise(4, 1, 5, 5), by_hand)
    assert surprise(5, 30, 0, 720) > 5
    assert surprise(1, 5, 100, 50) == 0


@given(st.integers(1, 500), st.sampled_from(WINDOWS), st.floats(0, 1_000), st.floats(15, 2_000))
def test_more_is_more_surprising(count: int, window: int, normal: float, minutes: float) -> None:
    """One more report never surprises less, one more that was normal never surprises more."""
    here = surprise(count, window, normal, minutes)
    assert surprise(count + 1, window, normal, minutes) >= here - 1e-9
    assert surprise(count, window, normal + 1, minutes) <= here + 1e-9


def test_more_series_ask_for_more() -> None:
    """The budget is the deployment's: every doubling of series makes each of them harder."""
    asked = [thresholds(2**n) for n in range(10)]
    for fewer, more in pairwise(asked):
        assert all(more[window] > fewer[window] for window in WINDOWS)
    assert all(thresholds(10, 30.0)[w] == thresholds(1, 3.0)[w] for w in WINDOWS)


@given(st.integers(1, 200), st.sampled_from([1, 3, 15]), st.integers(1, 500), st.floats(0.01, 1))
def test_what_wavers_surprises_less(count: int, window: int, normal: int, unrest: float) -> None:
    """The more a rate wavers by itself, the less a high count says; a little is nearly nothing."""
    calm = surprise(count, window, normal, 90)
    here = surprise(count, window, normal, 90, unrest)
    assert surprise(count, window, normal, 90, 2 * unrest) <= here + 1e-9
    assert here <= calm + 1e-9
    assert math.isclose(surprise(count, window, normal, 90, 2e-6), calm, abs_tol=0.02)


def test_wavering_tells_most_on_busy_series() -> None:
    """A rare report hardly shows it."""

    def left(count: float, window: float, rate: float) -> float:
        normal = rate * 10_000
        return surprise(count, window, normal, 10_000, 0.4) / surprise(
            count, window, normal, 10_000
        )

    assert left(16, 1, 4) < 0.6
    assert left(5, 1, 0.1) > 0.8


def test_chance_alone_keeps_the_budget() -> None:
    """Looked at side by side, Poisson counts pass a threshold no more often than it promises."""
    rng = random.Random(4)
    window, budget = 15, 300.0
    asked = thresholds(1, budget)[window]
    looks = round(WEEK / math.sqrt(window))
    passed = sum(
        surprise(_poisson(6, rng), window, _poisson(36, rng), 90) >= asked for _ in range(looks * 4)
    )
    assert passed / 4 <= 1.5 * budget / len(WINDOWS)


def _poisson(mean: float, rng: random.Random) -> int:
    limit, k, p = math.exp(-mean), 0, rng.random()
    while p > limit:
        k, p = k + 1, p * rng.random()
    return k
