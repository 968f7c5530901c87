"""The DuckDB warehouse: the contract, and what only a file can get into."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import GiveUp, GroundswellError, Misuse, TryLater
from pipeline.model import Removal
from pipeline.ports import Rows
from sinks.duckdb_file import snapshot_path
from sinks.duckdb_warehouse import DuckDBWarehouse, open_for_reading
from tests.contracts.warehouse import WarehouseContract
from tests.contracts.warehouse_reading import Make
from tests.contracts.warehouse_words import OFFICIAL, START, feedback, link, minutes, one, view

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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "groundswell.duckdb"


def run(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python process of its own that runs ``code``."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


OWNER = """
import sys
from pathlib import Path
from pipeline.ports import Rows
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse_words import START, feedback
warehouse = DuckDBWarehouse(Path(sys.argv[1]))
warehouse.write(Rows(feedback=[feedback(1)]), START)
if len(sys.argv) > 2:
    warehouse.snapshot()
print("ready", flush=True)
sys.stdin.read()
"""


def test_owned_by_another_process(path: Path) -> None:
    """Who comes second is told who may own the file; reading goes to the snapshot, with its age."""
    owner = run(OWNER, str(path))
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    with pytest.raises(GiveUp, match=r"groundswell up.*running"):
        DuckDBWarehouse(path)
    with pytest.raises(GiveUp, match="no snapshot yet"):
        open_for_reading(path)
    owner.communicate("")
    second = run(OWNER, str(path), "with a snapshot")
    assert second.stdout is not None
    assert second.stdout.readline() == "ready\n"
    warehouse, age = open_for_reading(path)
    assert age is not None
    assert age >= 0
    assert warehouse.sql("SELECT count(*) FROM feedback").rows == [(1,)]
    warehouse.close()
    second.communicate("")
    warehouse, age = open_for_reading(path)
    assert age is None
    warehouse.close()


def test_already_open_in_this_process(path: Path) -> None:
    """Two writers in one process would lose each other's arrivals: the second is refused."""
    first = DuckDBWarehouse(path)
    with pytest.raises(GiveUp, match="already open"):
        DuckDBWarehouse(path)
    first.write(Rows(feedback=[feedback(1)]), START)
    first.close()


def test_foreign_files(path: Path) -> None:
    """A text file, another program's database, a newer schema: each is named for what it is."""
    path.write_text("this is no database, it is a shopping list\n" * 500)
    with pytest.raises(GiveUp, match="no warehouse of this program"):
        DuckDBWarehouse(path)
    path.unlink()
    with duckdb.connect(str(path)) as other:
        other.execute("CREATE TABLE meta (a INTEGER)")
    with pytest.raises(GiveUp, match="no warehouse of this program"):
        DuckDBWarehouse(path)
    path.unlink()
    DuckDBWarehouse(path).close()
    with duckdb.connect(str(path)) as newer:
        newer.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    with pytest.raises(GiveUp, match="newer version"):
        DuckDBWarehouse(path)


def test_missing_file_for_reading(path: Path) -> None:
    """Reading makes no file."""
    with pytest.raises(Misuse, match="no warehouse at"):
        open_for_reading(path)
    assert not path.exists()


def test_wrong_key(path: Path) -> None:
    """With another key no erased author would be recognised, so it is refused."""
    DuckDBWarehouse(path).close()
    key = path.with_name(path.name + ".key")
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_bytes(bytes(32))
    with pytest.raises(GiveUp, match="key does not belong"):
        DuckDBWarehouse(path)


def test_read_only_writes_nothing(path: Path) -> None:
    """A warehouse opened for reading refuses to write and leaves no file behind."""
    warehouse = DuckDBWarehouse(path)
    warehouse.write(Rows(feedback=[feedback(1)]), START)
    warehouse.close()
    before = path.read_bytes()
    reader = DuckDBWarehouse(path, read_only=True)
    with pytest.raises(GiveUp, match="reading only"):
        reader.write(Rows(feedback=[feedback(2)]), START)
    assert one(reader, 1)["text"]
    reader.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["a b'c.duckdb", 'quo"te', "temp.duckdb", "main", "x-y.z"])
def test_odd_file_names(tmp_path: Path, name: str) -> None:
    """Whatever the file is called, it is written, copied and rewritten."""
    warehouse = DuckDBWarehouse(tmp_path / name)
    warehouse.write(Rows(feedback=[feedback(1)]), START)
    warehouse.snapshot()
    warehouse.rewrite()
    assert one(warehouse, 1)["text"]
    warehouse.close()


@pytest.fixture(scope="module")
def open_for_sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[DuckDBWarehouse]]:
    """A warehouse open for writing and one open for reading only, each with one mention."""
    folder = tmp_path_factory.mktemp("sql")
    opened = []
    for name in ("write.csv", "read.csv"):  # one that DuckDB would read as a table, if let
        warehouse = DuckDBWarehouse(folder / name)
        warehouse.write(Rows(feedback=[feedback(1)]), START)
        opened.append(warehouse)
    opened[1].close()
    opened[1] = DuckDBWarehouse(folder / "read.csv", read_only=True)
    yield opened
    for warehouse in opened:
        warehouse.close()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM read_csv('{file}')",
        "FROM '{file}'",
        "COPY feedback TO '{file}.csv'",
        "ATTACH '{file}.db'",
        "SET enable_external_access = true",
        "PRAGMA enable_external_access",
        "CALL force_checkpoint()",
        "INSTALL httpfs",
        "EXPLAIN ANALYZE DELETE FROM fct_mention",
        "WITH gone AS (DELETE FROM fct_mention RETURNING *) SELECT * FROM gone",
        "SELECT * FROM local_secret",
        "SELECT content FROM read_blob('{own}')",
        "SELECT (SELECT count(content) FROM main.\"READ_BLOB\"('{own}'))",
        "WITH own AS (FROM read_text('{own}')) SELECT * FROM own",
        "EXPLAIN ANALYZE SELECT * FROM read_blob('{own}')",
        "EXPLAIN (ANALYZE /*) SELECT 1 --*/) SELECT * FROM read_blob('{own}')",
        "SELECT * FROM query('FROM read_blob(''{own}'')')",
        "FROM '{own}'",
        "DESCRIBE '{own}'",
        "SELECT * FROM checkpoint()",
        "EXPLAIN (ANALYZE) SELECT * FROM force_checkpoint()",
        "SELECT * FROM truncate_duckdb_logs()",
    ],
)
def test_sql_reaches_nothing_else(open_for_sql: list[DuckDBWarehouse], text: str) -> None:
    """No file, no setting, no variable of the program and no row can be reached or changed."""
    local_secret = [("a", 1)]
    for warehouse in open_for_sql:
        other = warehouse.path.with_name("other.txt")
        other.write_text("secret\n")
        with pytest.raises(Misuse) as refused:
            warehouse.sql(text.replace("{file}", str(other)).replace("{own}", str(warehouse.path)))
        assert "secret\n" not in str(refused.value)
        assert len(view(warehouse, "feedback")) == len(local_secret)
        assert warehouse.sql("SELECT now() IS NOT NULL, now()").rows[0][0] is True


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM range(3)",
        "SELECT unnest([1, 2])",
        "SELECT * FROM feedback f, json_each('[1, 2]')",
        "SELECT count(*) FROM duckdb_columns()",
        "EXPLAIN (FORMAT JSON) SELECT * FROM feedback",
        "EXPLAIN ANALYZE SELECT * FROM feedback",
        "SUMMARIZE feedback",
        "DESCRIBE feedback",
        "SHOW TABLES",
        "FROM feedback SELECT id",
        "PIVOT mentions_hourly ON intent IN ('question') USING sum(mentions)",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) FROM n",
    ],
)
def test_sql_that_reads_is_answered(open_for_sql: list[DuckDBWarehouse], text: str) -> None:
    """Whatever reads the warehouse's tables only is answered, in any form."""
    for warehouse in open_for_sql:
        assert warehouse.sql(text).columns


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


WRITER = """
import sys
from pathlib import Path
from pipeline.ports import Rows
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse_words import START, feedback
warehouse = DuckDBWarehouse(Path(sys.argv[1]))
first = int(sys.argv[2])
for batch in range(first, first + 10_000):
    warehouse.write(Rows(feedback=[feedback(batch * 10 + n) for n in range(10)]), START)
    print(batch, flush=True)
"""


@pytest.mark.slow
def test_killed_while_writing(path: Path) -> None:
    """kill -9 in mid-write, ten times: every acknowledged batch is there whole, and none twice."""
    acknowledged = -1
    for turn in range(10):
        writer = run(WRITER, str(path), str(acknowledged + 1))
        assert writer.stdout is not None
        for _ in range(3 + turn):
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.communicate()[0].split()
        acknowledged = max([acknowledged, *map(int, rest)])
    warehouse = DuckDBWarehouse(path)
    ids = {row[0] for row in warehouse.sql("SELECT id FROM feedback").rows}
    assert {f"x:{n}" for n in range((acknowledged + 1) * 10)} <= ids
    assert len(ids) % 10 == 0
    warehouse.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if mount is None or subprocess.run([mount, *options], check=False).returncode:
        pytest.skip("mounting a small tmpfs needs root: the full disk is NOT tested here")
    yield disk
    # Lazily: a failed test may have left its warehouse open; a mount that stays stops later runs.
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_full_disk(small_disk: Path) -> None:
    """A full disk is TryLater; once there is room the same object writes on, nothing is lost."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(8 << 20))
    warehouse = DuckDBWarehouse(small_disk / "groundswell.duckdb")
    written = 0

    def write(batch: int) -> None:
        rows = [
            feedback(batch * 200 + n, text=f"{batch} {n} " + os.urandom(400).hex())
            for n in range(200)
        ]
        warehouse.write(Rows(feedback=rows), START)

    def write_on() -> None:
        nonlocal written
        while True:
            write(written)
            written += 1

    with pytest.raises(TryLater, match="full"):
        write_on()
    with pytest.raises(TryLater, match="full"):
        write(written)
    ballast.unlink()
    write(written)
    assert warehouse.rows("totals")[0]["mentions"] == (written + 1) * 200
    warehouse.close()
    again = DuckDBWarehouse(small_disk / "groundswell.duckdb")
    assert again.rows("totals")[0]["mentions"] == (written + 1) * 200
    again.close()


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


def test_read_only_disk(small_disk: Path) -> None:
    """A warehouse on a disk that can only be read is read, and a write says what is wrong."""
    path = small_disk / "groundswell.duckdb"
    with closing(DuckDBWarehouse(path)) as warehouse:
        warehouse.write(Rows(feedback=[feedback(1)]), START)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with closing(DuckDBWarehouse(path, read_only=True)) as warehouse:
        assert len(warehouse.rows("newest_feedback")) == 1
    with pytest.raises((GiveUp, TryLater), match=r"groundswell\.duckdb.*(full|cannot be written)"):
        DuckDBWarehouse(path)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    with closing(DuckDBWarehouse(path)) as warehouse:
        warehouse.write(Rows(feedback=[feedback(2)]), START)
        assert len(warehouse.rows("newest_feedback")) == 2


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
