"""DuckDB on a disk that fills or can only be read."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.errors import GiveUp, TryLater
from pipeline.ports import Rows
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse_words import START, feedback


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
