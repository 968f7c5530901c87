"""DuckDB while it is asked from several sides at once."""

import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from pipeline.errors import GroundswellError
from pipeline.ports import Rows
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse_words import START, feedback


def test_operators_may_ask_while_a_snapshot_is_made(tmp_path: Path) -> None:
    """Neither the questions of ``status`` fail nor the snapshot, which would end the process."""
    trouble: list[GroundswellError] = []
    with closing(DuckDBWarehouse(tmp_path / "test.duckdb", key=bytes(32))) as warehouse:
        warehouse.write(Rows(feedback=[feedback(n) for n in range(6)]), START)
        is_over = threading.Event()

        def ask() -> None:
            while not is_over.is_set():
                try:
                    warehouse.rows("standing")
                    warehouse.rows("newest_ages", since=START - timedelta(minutes=10))
                except GroundswellError as error:
                    trouble.append(error)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for number in range(10):
                warehouse.write(Rows(feedback=[feedback(100 + number)]), START)
                warehouse.snapshot()
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
    assert trouble == []
