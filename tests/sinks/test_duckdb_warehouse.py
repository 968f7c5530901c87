"""The DuckDB warehouse: the contract, and what only a file can get into."""

import itertools
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.ports import Rows
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse import WarehouseContract
from tests.contracts.warehouse_reading import Make
from tests.contracts.warehouse_words import START, feedback, minutes, one

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of no words: copied, for to make its tables takes five times as long."""
    path = tmp_path_factory.mktemp("empty") / "empty.duckdb"
    DuckDBWarehouse(path, key=KEY).close()
    return path


class TestContract(WarehouseContract):
    @pytest.fixture
    def make(self, tmp_path: Path, empty: Path) -> Iterator[Make]:
        made: list[DuckDBWarehouse] = []
        names = itertools.count()

        def make() -> DuckDBWarehouse:
            path = tmp_path / f"{next(names)}.duckdb"
            shutil.copy(empty, path)
            made.append(DuckDBWarehouse(path, key=KEY))
            return made[-1]

        yield make
        for warehouse in made:
            warehouse.close()


@pytest.mark.parametrize("name", ["a b'c.duckdb", 'quo"te', "temp.duckdb", "main", "x-y.z"])
def test_odd_file_names(tmp_path: Path, name: str) -> None:
    """Whatever the file is called, it is written, copied and rewritten."""
    warehouse = DuckDBWarehouse(tmp_path / name)
    warehouse.write(Rows(feedback=[feedback(1)]), START)
    warehouse.snapshot()
    warehouse.rewrite()
    assert one(warehouse, 1)["text"]
    warehouse.close()


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns"])
def test_another_time_zone(path: Path, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's zone bends no time."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with closing(DuckDBWarehouse(path)) as warehouse:
            warehouse.write(Rows(feedback=[feedback(1)]), START)
            (found,) = warehouse.sql("SELECT event_at, event_at::VARCHAR FROM feedback").rows
            assert found == (START, f"{START:%Y-%m-%d %H:%M:%S}")
            (span,) = warehouse.rows("counts_per_minute", from_at=START, to_at=minutes(1))
            assert span["minute"] == START
    finally:
        monkeypatch.undo()
        time.tzset()


def test_only_its_owner_may_read_it(path: Path) -> None:
    """Warehouse, key and snapshot; a rewrite keeps the rights that somebody gave since."""
    with closing(DuckDBWarehouse(path)) as warehouse:
        warehouse.write(Rows(feedback=[feedback(1)]), START)
        warehouse.snapshot()
        modes = {f.name: f.stat().st_mode & 0o777 for f in path.parent.iterdir()}
        assert {modes[name] for name in modes if not name.endswith(".wal")} == {0o600}
        path.chmod(0o640)
        warehouse.rewrite()
    assert path.stat().st_mode & 0o777 == 0o640


def test_it_takes_the_memory_that_it_needs(tmp_path: Path) -> None:
    """A limit that is too small for what is held stops neither writes nor counts nor copies."""
    warehouse = DuckDBWarehouse(tmp_path / "w.duckdb", key=KEY, memory_limit="8MB")
    for first in range(0, 6_000, 2_000):
        posts = [feedback(number) for number in range(first, first + 2_000)]
        warehouse.write(Rows(feedback=posts), START)
    assert warehouse.roll_up(START) > 0
    warehouse.snapshot()
    assert warehouse.sql("SELECT sum(mentions) FROM mentions_hourly").rows == [(6_000,)]
    warehouse.close()
