"""A DuckDB file that is written anew while others read it, without what was erased."""

import threading
from pathlib import Path

from pipeline.errors import GroundswellError
from pipeline.model import Removal
from pipeline.ports import Rows
from sinks.duckdb_file import snapshot_path
from sinks.duckdb_warehouse import DuckDBWarehouse, open_for_reading
from tests.contracts.warehouse_words import OFFICIAL, START, feedback, link, minutes


def test_bytes_are_gone(path: Path) -> None:
    """After an erasure no file of the warehouse holds the text, the handle or the address."""
    told = "my unmistakable words about the shop"
    warehouse = DuckDBWarehouse(path)
    keep = [feedback(n, text=f"{n} keeps its words") for n in range(3000)]
    gone = feedback("4711", author="ann-0815", text=told, links=[link(OFFICIAL)])
    edited = feedback("4711", author="ann-0815", text=f"{told}, edited", version=1)
    warehouse.write(Rows(feedback=[*keep, gone]), START)
    warehouse.write(Rows(feedback=[edited]), START)
    warehouse.snapshot()
    folder = path.parent
    needles = [told, "ann-0815", "handle-4711", "https://x.example/4711"]
    assert any(needle.encode() in f.read_bytes() for f in folder.iterdir() for needle in needles)
    removal = Removal(removal="x:ann-0815", kind="erased", at=minutes(9), scope="author")
    receipt = warehouse.erase([removal], minutes(10))
    assert receipt["rewritten"] == ["groundswell.duckdb", "groundswell.duckdb.snapshot"]
    for running in (True, False):
        if not running:
            warehouse.close()
        for file in folder.iterdir():
            held = file.read_bytes()
            found = [needle for needle in needles if needle.encode() in held]
            assert (file.name, found) == (file.name, [])
    warehouse, _ = open_for_reading(path)
    assert warehouse.sql("SELECT count(*) FROM feedback WHERE text IS NOT NULL").rows == [(3000,)]
    warehouse.close()


#: Snapshots and erasures that are made at the same time.
ROUNDS = 8


def test_snapshots_during_an_erasure(path: Path) -> None:
    """Both make copies; neither takes away the other's, and no later snapshot has the text."""
    told = "my unmistakable words about the shop"
    warehouse = DuckDBWarehouse(path)
    warehouse.write(Rows(feedback=[feedback(n) for n in range(500)]), START)
    start, troubles = threading.Barrier(2), []

    def snapshots() -> None:
        for _ in range(ROUNDS):
            start.wait(60)
            for _ in range(3):
                try:
                    warehouse.write(Rows(feedback=[feedback(9_999)]), START)
                    warehouse.snapshot()
                except (OSError, GroundswellError) as trouble:
                    troubles.append(trouble)

    thread = threading.Thread(target=snapshots)
    thread.start()
    for number in range(ROUNDS):
        warehouse.write(Rows(feedback=[feedback(number, text=told)]), START)
        removal = Removal(removal=f"x:{number}", kind="erased", at=minutes(1), scope="mention")
        start.wait(60)
        warehouse.erase([removal], minutes(2))
    thread.join()
    assert told.encode() not in snapshot_path(path).read_bytes()
    warehouse.close()
    assert troubles == []


def test_readers_during_rewrite(path: Path) -> None:
    """Readers and a writer go on while the file is exchanged under them."""
    warehouse = DuckDBWarehouse(path)
    warehouse.write(Rows(feedback=[feedback(n) for n in range(200)]), START)
    stop = threading.Event()
    failures: list[Exception] = []

    def read() -> None:
        while not stop.is_set():
            try:
                assert len(warehouse.rows("newest_feedback", limit=50)) == 50
            except Exception as error:  # noqa: BLE001 - a thread's failure is the test's
                failures.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(3):
        warehouse.rewrite()
        warehouse.write(Rows(feedback=[feedback(1000 + n)]), START)
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert warehouse.rows("totals")[0]["mentions"] == 203
    warehouse.close()
