"""Whatever stands where the warehouse should: one line says what it is, and it is left alone."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import GiveUp, GroundswellError, Misuse
from pipeline.ports import Rows
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse_words import START, feedback


def warehouse(path: Path) -> None:
    with closing(DuckDBWarehouse(path)) as made:
        made.write(Rows(feedback=[feedback(n) for n in range(50)]), START)


def jsonl(path: Path) -> None:
    path.write_text('{"source": "x", "external_id": "1"}\n')


def csv(path: Path) -> None:
    path.write_text("a,b\n1,2\n")


def sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE letters (a INTEGER)")
        other.commit()


def empty(path: Path) -> None:
    path.touch()


def folder(path: Path) -> None:
    path.mkdir()


def cut_short(path: Path) -> None:
    warehouse(path)
    os.truncate(path, 20_000)


def overwritten(path: Path) -> None:
    warehouse(path)
    with path.open("r+b") as file:
        file.seek(13_000)
        file.write(b"nothing that DuckDB wrote")


def of_another_program(path: Path) -> None:
    with duckdb.connect(str(path)) as other:
        other.execute("CREATE TABLE feedback (a INTEGER)")


@pytest.mark.parametrize("read_only", [True, False], ids=["reading", "writing"])
@pytest.mark.parametrize(
    ("made", "told"),
    [
        (jsonl, "no warehouse of this program, it is a file of JSON .*groundswell replay"),
        (csv, "no warehouse of this program, it is no DuckDB file"),
        (sqlite, "no warehouse of this program, it is a file of SQLite"),
        (empty, "no warehouse of this program; name another"),
        (of_another_program, "no warehouse of this program; name another"),
        (folder, "is a folder: name a file"),
        (cut_short, r"is damaged .*backup"),
        (overwritten, r"is damaged .*backup"),
    ],
)
def test_a_file_is_told_for_what_it_is(
    tmp_path: Path, made: Callable[[Path], None], told: str, read_only: bool
) -> None:
    """Never "the disk is full", never a name of DuckDB's errors; nothing is written into it."""
    path = tmp_path / "given"
    made(path)
    before = path.read_bytes() if path.is_file() else b""
    beside = {other.name for other in tmp_path.iterdir()}
    with pytest.raises(GroundswellError, match=told) as refused:
        DuckDBWarehouse(path, read_only=read_only)
    assert "given" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert {other.name for other in tmp_path.iterdir()} == beside


def test_no_folder_to_make_it_in(tmp_path: Path) -> None:
    """The missing folder is named, and not made; so is a file where the folder should be."""
    with pytest.raises(Misuse, match=r"no folder .*nowhere"):
        DuckDBWarehouse(tmp_path / "nowhere" / "a.duckdb")
    jsonl(tmp_path / "posts.jsonl")
    with pytest.raises(Misuse, match=r"posts\.jsonl is no folder"):
        DuckDBWarehouse(tmp_path / "posts.jsonl" / "a.duckdb")


def test_a_missing_key_is_named_and_no_other_is_made(tmp_path: Path) -> None:
    """A new key beside an old warehouse would hide that the right one is gone."""
    path, key = tmp_path / "a.duckdb", tmp_path / "a.duckdb.key"
    warehouse(path)
    right = key.read_bytes()
    key.unlink()
    for _ in range(2):
        with pytest.raises(GiveUp, match=r"a\.duckdb\.key back"):
            DuckDBWarehouse(path)
        assert not key.exists()
    key.write_bytes(right)
    warehouse(path)
