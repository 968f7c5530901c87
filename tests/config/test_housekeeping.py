"""What is done now and then while everything runs."""

import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config import housekeeping
from config.housekeeping import Housekeeping
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.decoding import check
from pipeline.model import Feedback, Mention, Removal, Repeat
from pipeline.ports import Rows
from pipeline.topics import TOPICS
from sinks.duckdb_warehouse import DuckDBWarehouse, open_for_reading

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SECRET = "my cat is called Zanzibar"


def feedback() -> Feedback:
    """One post of an invented account."""
    told = {"source": "x", "external_id": "1", "text": SECRET, "said_at": NOW}
    mention = check(Mention, told)
    return Feedback(mention=mention, repeat=Repeat(group=mention.id), labels={}, model="1")


def test_snapshots_follow_changes_and_erased_bytes_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot is made when something changed; the hourly round writes erased bytes away."""
    monkeypatch.setattr(housekeeping, "COMPACT_SECONDS", 0.0)
    path = tmp_path / "w.duckdb"
    with (
        closing(DuckDBWarehouse(path)) as warehouse,
        closing(LocalBroker(tmp_path / "b.broker")) as broker,
    ):
        broker.ensure(TOPICS)
        keeper = Housekeeping(
            warehouse, broker, ManualClock(NOW), snapshot_seconds=0.01, stop=threading.Event()
        )
        warehouse.write(Rows(feedback=[feedback()]), NOW)
        assert keeper.turn(1) == 1
        assert open_for_reading(path)[1] is not None

        warehouse.write(Rows(removals=[Removal(removal="x:1", kind="erased", at=NOW)]), NOW)
        keeper.turn(1)
        for file in tmp_path.glob("w.duckdb*"):
            assert SECRET.encode() not in file.read_bytes(), file.name


def test_a_stop_ends_the_wait(tmp_path: Path) -> None:
    """It does nothing more once it is told to stop."""
    stop = threading.Event()
    stop.set()
    with (
        closing(DuckDBWarehouse(tmp_path / "w.duckdb")) as warehouse,
        closing(LocalBroker(tmp_path / "b.broker")) as broker,
    ):
        keeper = Housekeeping(warehouse, broker, ManualClock(NOW), snapshot_seconds=60, stop=stop)
        assert keeper.turn(1) == 0
        assert not (tmp_path / "w.duckdb.snapshot").exists()
