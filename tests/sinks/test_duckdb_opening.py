"""Who may open a DuckDB warehouse, what is told of other files, and what a kill leaves."""

import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import GiveUp, Misuse
from pipeline.ports import Rows
from sinks.duckdb_warehouse import DuckDBWarehouse, open_for_reading
from tests.contracts.warehouse_words import START, feedback, one


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
