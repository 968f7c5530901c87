"""The memory index: the contract, and what only it promises."""

import tracemalloc

import numpy as np
import pytest

from pipeline.indexes.memory import MemoryRepeatIndex
from pipeline.indexes.slots import SlotTable
from pipeline.ports import Fingerprints
from tests.contracts.repeat_index import HOUR, MakeIndex, Post, RepeatIndexContract, claim


def make() -> MemoryRepeatIndex:
    return MemoryRepeatIndex(alike=0.5)


class TestMemoryRepeatIndex(RepeatIndexContract):
    @pytest.fixture
    def make_index(self) -> MakeIndex:
        return make


def strangers(count: int, first: int = 0, hours: float = 0) -> Fingerprints:
    """Posts of which no two have anything in common."""
    rng = np.random.default_rng(first + 1)
    return Fingerprints(
        ids=[f"x:{number:018}" for number in range(first, first + count)],
        exact=rng.integers(1, 2**64 - 1, (count, 2), np.uint64),
        bands=rng.integers(1, 2**64 - 1, (count, 16), np.uint64),
        sketch=rng.integers(0, 256, (count, 64), np.uint8),
        at=np.full(count, 1_700_000_000_000 + round(hours * HOUR), np.int64),
        author=rng.integers(1, 2**64 - 1, count, np.uint64),
        comparable=np.ones(count, np.bool_),
    )


def test_it_grows_and_still_finds_everything() -> None:
    """Columns and tables grow many times; every post is found again by its exact key."""
    index, first = make(), strangers(2_000)
    index.claim(first)
    for number in range(1, 20):
        index.claim(strangers(2_000, number * 2_000))
    again = Fingerprints(
        ids=[f"y:{name}" for name in first.ids],
        exact=first.exact,
        bands=first.bands,
        sketch=first.sketch,
        at=first.at,
        author=first.author,
        comparable=first.comparable,
    )
    assert [answer.owner for answer in index.claim(again)] == list(first.ids)
    assert index.posts == 42_000


def test_it_forgets_what_is_past() -> None:
    """A stream of ten weeks needs no more room than its last days, and still finds repeats."""
    index = make()
    for day in range(70):
        index.claim(strangers(1_000, day * 1_000, hours=day * 24))
    assert index.posts < 40_000
    claim(index, Post("z:1", text=5, exact=(0, 9), hour=70 * 24, author=3))
    for day in range(70, 73):
        index.claim(strangers(6_000, day * 10_000, hours=day * 24))
    (answer,) = claim(index, Post("z:2", text=5, exact=(0, 9), hour=72 * 24, author=3))
    assert (answer.group, answer.owner, answer.is_echo) == ("z:1", "z:1", True)


def test_a_post_from_the_far_future_expires_nothing() -> None:
    """One wrong clock does not move the time by which keys die."""
    index = make()
    claim(index, Post("x:1", exact=(0, 4)), Post("x:2", hour=800_000), Post("x:3"))
    (answer,) = claim(index, Post("x:4", exact=(0, 4), hour=1))
    assert answer.group == "x:1"


def test_a_post_needs_less_than_500_bytes() -> None:
    """Measured on 100,000 posts, growing included."""
    tracemalloc.start()
    index = make()
    for number in range(50):
        index.claim(strangers(2_000, number * 2_000))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / index.posts < 500


def test_a_table_tells_keys_apart_by_their_upper_half_or_in_full() -> None:
    """Two keys with one upper half are one key, unless the full keys are given."""
    keys = np.array([7 << 32 | 1, 7 << 32 | 2], np.uint64)
    table = SlotTable()
    table.put(keys[:1], np.array([0]))
    assert table.find(keys).numbers.tolist() == [0, 0]
    assert table.find(keys, full=keys).numbers.tolist() == [0, -1]


def test_a_table_takes_many_keys_with_one_home() -> None:
    """A full bucket overflows into the next ones, the last bucket into the first."""
    keys = np.arange((1 << 64) - (1 << 32), (1 << 64) - (1 << 32) + 100, dtype=np.uint64)
    table = SlotTable()
    table.put(keys, np.arange(100))
    assert table.find(keys, full=keys).numbers.tolist() == list(range(100))
    table.renumber(np.where(np.arange(100) % 2 == 0, np.arange(100) // 2, -1))
    assert table.find(keys, full=keys[::2]).numbers.tolist()[:4] == [0, -1, 1, -1]
