"""Wherever the process dies, no post is lost and none is there twice."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import deadletters
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.incidents import Book
from pipeline.intake import Intake
from pipeline.model import Mention
from pipeline.ports import Item, Unreadable
from pipeline.store import Store
from pipeline.topics import TOPICS
from pipeline.worker import Worker
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.pipeline.flow import NOON, enrich, mention

#: Posts, two edits, and something broken in between.
POSTS = [
    *[mention(n) for n in range(12)],
    mention(3, "first edit", version=1),
    *[mention(n) for n in range(12, 20)],
    mention(3, "second edit", version=2),
]
BROKEN = 7


class Death(BaseException):
    """Stands for kill -9: nobody catches it."""


class Fuse:
    """Lets the process die at the n-th thing it does to the outside, before or after doing it."""

    def __init__(self, length: int, after: bool) -> None:
        self._left = length
        self._after = after

    def guard(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*values: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Death
            result = act(*values, **named)
            if self._left == 0:
                raise Death
            return result

        return guarded


class Fused:
    """Any object of the outside world, with a fuse before each of the named methods."""

    def __init__(self, inner: object, fuse: Fuse, *names: str) -> None:
        self._inner = inner
        for name in names:
            setattr(self, name, fuse.guard(getattr(inner, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class FusedBroker(LocalBroker):
    """The real broker; each flush, poll and commit may be the last."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        super().__init__(path, ManualClock(NOON), temporary=True)
        self._fuse = fuse

    def producer(self) -> Any:
        return Fused(super().producer(), self._fuse, "flush")

    def consumer(self, group: str, topics: Sequence[str]) -> Any:
        return Fused(super().consumer(group, topics), self._fuse, "poll", "commit")


class Recorded:
    """A source of the posts above that resumes at its cursor."""

    name = "recorded"

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        for number in range(int(cursor or 0), len(POSTS)):
            if number == BROKEN:
                yield Item(Unreadable(b"no json", "no JSON", "line 7"), str(number))
            yield Item(POSTS[number], str(number + 1))


def live(path: Path, warehouse: object, fuse: Fuse, turns: Sequence[int]) -> None:
    """One life of the process: the roles take turns as told, then until all is done."""
    with closing(FusedBroker(path, fuse)) as broker:
        broker.ensure(TOPICS)
        clock = ManualClock(NOON)
        kept: Any = Fused(warehouse, fuse, "write")
        intake = Intake(Recorded(), broker, None, clock, batch=4)
        worker = Worker(broker, enrich, Book(), clock, batch=5, at_once=2)
        store = Store(broker, kept, clock, batch=5)
        roles = (intake, worker, store)
        for turn in turns:
            roles[turn].turn(0)
        while not intake.done or worker.turn(0) or store.turn(0):
            intake.turn(0)


@given(
    deaths=st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=6),
    turns=st.lists(st.integers(0, 2), max_size=12),
)
@settings(max_examples=10, deadline=None)
def test_no_death_loses_or_doubles_a_post(deaths: list[tuple[int, bool]], turns: list[int]) -> None:
    """Any number of deaths at any moment ends in the rows of a run without one."""
    with TemporaryDirectory() as folder:
        warehouse = DuckDBWarehouse(Path(folder) / "w.duckdb", key=b"k" * 32)
        broker_path = Path(folder) / "broker"
        for length, after in deaths:
            try:
                live(broker_path, warehouse, Fuse(length, after), turns)
            except Death:
                continue
        live(broker_path, warehouse, Fuse(0, after=False), [])

        rows = warehouse.sql("SELECT id, text FROM feedback ORDER BY id").rows
        warehouse.close()
        with closing(LocalBroker(broker_path)) as broker:
            dead = deadletters.listing(broker)
            lag = {**broker.lag("worker"), **broker.lag("store")}

    assert rows == sorted(newest(POSTS).items())
    assert [each.stage for each in dead] == ["intake"]
    assert set(lag.values()) == {0}


def newest(posts: Sequence[Mention]) -> dict[str, str]:
    """The text of each post's last version."""
    return {post.id: post.text for post in posts}
