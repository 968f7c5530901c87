"""What is measured: spreads, roles and warehouses seen from outside, questions that may hang."""

import threading
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import floats, lists

from config.operating.asked import Answer, Asked
from config.operating.measured import MeasuredWarehouse
from config.operating.spread import Spread
from config.operating.watched import Watched
from pipeline.clock import ManualClock
from pipeline.decoding import check
from pipeline.errors import Fenced, TryLater
from pipeline.model import Feedback, Mention, Repeat
from pipeline.ports import Rows
from pipeline.roles import run
from sinks.duckdb_warehouse import DuckDBWarehouse

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
BOUNDS = (0.1, 1, 10)


@given(lists(lists(floats(-5, 100), max_size=8)))
def test_a_spread_counts_as_one_by_one(batches: Sequence[Sequence[float]]) -> None:
    """However values are cut into batches, each is counted under every bound that it reaches."""
    spread = Spread(BOUNDS)
    for batch in batches:
        spread.add(batch)
    values = [max(0.0, value) for batch in batches for value in batch]
    buckets, total = spread.read()
    expected = [sum(value <= bound for value in values) for bound in BOUNDS]
    assert buckets == [*zip(("0.1", "1", "10"), expected, strict=True), ("+Inf", len(values))]
    assert abs(total - sum(values)) < 1e-6 * max(1.0, total)


class Scripted:
    """A role whose turns give or raise what its script says."""

    def __init__(self, *script: Exception | int) -> None:
        self.stop = threading.Event()
        self.is_closed = False
        self._script = list(script)

    def turn(self, timeout: float) -> int:
        step = self._script.pop(0)
        if not self._script:
            self.stop.set()
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self.is_closed = True


def test_a_role_is_seen_from_outside() -> None:
    """Turns, records and retries are counted; the role itself knows nothing of it."""
    role = Scripted(3, 0, TryLater("away"), Fenced("another came"), TryLater("away"), 5)
    watched = Watched(role, ManualClock(NOW))

    run(watched, role.stop, ManualClock(NOW))

    assert (watched.turns, watched.records) == (3, 8)
    assert watched.retries == {"TryLater": 2, "Fenced": 1}
    assert watched.trouble is None
    assert watched.trouble_since is None
    assert watched.batches.read()[1] == 8
    assert watched.name == "scripted"
    assert role.is_closed


@given(st.integers(1, 5))
def test_trouble_has_its_beginning(failures: int) -> None:
    """Since when something is away is when it was missed first, not last."""
    clock = ManualClock(NOW)
    role = Scripted(*(TryLater(f"away {n}") for n in range(failures)))
    watched = Watched(role, clock)

    run(watched, role.stop, clock)

    assert watched.trouble == f"away {failures - 1}"
    assert watched.trouble_since == NOW


def test_a_turn_that_hangs_is_seen_while_it_does() -> None:
    """How long the present turn has been going on is told from outside."""
    entered, leave = threading.Event(), threading.Event()

    class Hanging(Scripted):
        def turn(self, timeout: float) -> int:
            entered.set()
            leave.wait(30)
            return 0

    watched = Watched(Hanging(), ManualClock(NOW))
    idle = watched.turn_seconds
    thread = threading.Thread(target=watched.turn, args=(1.0,))
    thread.start()
    assert entered.wait(30)
    before = watched.turn_seconds
    time.sleep(0.01)
    assert watched.turn_seconds > before
    leave.set()
    thread.join()
    assert (idle, watched.turn_seconds) == (0, 0)


def feedback(number: int, *, said: float, seen: float, kind: str = "original") -> Feedback:
    """A post that was said and received so many seconds before NOW."""
    told = {
        "source": "x",
        "external_id": str(number),
        "text": "acme is down",
        "said_at": NOW - timedelta(seconds=said),
        "seen_at": NOW - timedelta(seconds=seen),
    }
    mention = check(Mention, told)
    repeat = check(Repeat, {"kind": kind, "group": mention.id})
    return Feedback(mention=mention, repeat=repeat, labels={}, model="1")


def test_writes_are_measured(tmp_path: Path) -> None:
    """Rows by kind, repeats by kind, and how old posts are when they stand in the warehouse."""
    with closing(DuckDBWarehouse(tmp_path / "w.duckdb")) as kept:
        warehouse = MeasuredWarehouse(kept)
        posts = [
            feedback(1, said=100, seen=2),
            feedback(2, said=20, seen=3, kind="copy"),
            feedback(3, said=5, seen=5),  # of a file: nobody knows when it was received
        ]
        warehouse.write(Rows(feedback=posts), NOW)
        assert warehouse.rows("standing")[0]["mentions"] == 3
        assert warehouse.revision() == kept.revision()
    assert warehouse.written == {"feedback": 3}
    assert warehouse.repeats == {"original": 2, "copy": 1}
    took = warehouse.write_seconds.read()[1]
    received, total = warehouse.since_received.read()
    assert received[-1] == ("+Inf", 2.0)
    assert abs(total - (2 + 3 + 2 * took)) < 1e-6
    assert warehouse.since_said.read()[0][-1] == ("+Inf", 3.0)


def test_nobody_waits_long_for_what_hangs() -> None:
    """One question is on its way at most; meanwhile everybody hears for how long already."""
    leave, asked = threading.Event(), []

    def hang() -> int:
        asked.append(1)
        leave.wait(30)
        return 7

    question = Asked(hang, every=0.0)
    first, second = question.answer(patience=0.01), question.answer(patience=0.01)
    assert first.value is second.value is None
    assert "no answer for" in str(second.trouble)
    leave.set()
    assert question.answer(patience=30) == Answer(7)
    assert len(asked) == 1


def test_questions_are_not_repeated_too_soon() -> None:
    """However often somebody asks us, the other side is asked once in a while."""
    asked: list[int] = []
    question = Asked(lambda: asked.append(1), every=3600)
    for _ in range(5):
        assert question.answer(patience=30).trouble is None
    assert len(asked) == 1


def test_trouble_is_an_answer() -> None:
    """What is away is told in its own words; a fault of ours ends no scrape and quotes nothing."""

    def away() -> None:
        raise TryLater("the broker is away")

    def broken() -> None:
        raise ValueError("my secret text")

    assert Asked(away, 0).answer(30).trouble == "the broker is away"
    assert Asked(broken, 0).answer(30).trouble == "a fault of its own: ValueError"
