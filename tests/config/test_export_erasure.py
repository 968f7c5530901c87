"""What a post leaves in exports when it moves or is forgotten, whatever happened meanwhile."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.exported import of_warehouse
from config.exporting import Export
from pipeline.model import Removal
from pipeline.ports import Receipt, Rows
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.config.export_loader import DAY
from tests.config.export_moves import AGAIN, MOVES, after_move, after_worlds, named, words_in
from tests.contracts.warehouse_words import START, Word, feedback, minutes, worlds
from tests.end_to_end.program import run

WORDS = b"unmistakable words"
GONE = Removal(removal="x:1", kind="erased", at=minutes(9 * DAY), scope="mention")
POST = Rows(feedback=[feedback(1, text=WORDS.decode())])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a warehouse is that is still to be made."""
    return tmp_path / "groundswell.duckdb"


@pytest.fixture
def warehouse(path: Path) -> Iterator[DuckDBWarehouse]:
    """A warehouse with one post."""
    with closing(DuckDBWarehouse(path)) as made:
        made.write(POST, START)
        yield made


def as_csv(warehouse: DuckDBWarehouse, folder: Path) -> None:
    """Exports with texts, uncompressed."""
    of_warehouse(warehouse.path).note(folder, "csv", texts=True)
    Export(warehouse, folder, "csv", texts=True).run(minutes(3 * DAY), lambda *_: None)


@pytest.mark.parametrize("move", [*MOVES.values(), AGAIN], ids=[*MOVES, "a decision's id again"])
def test_days_that_were_left_come_again(tmp_path: Path, move: tuple[Rows, Rows, set[int]]) -> None:
    """A post that moved, a repeat whose head left, a person's word that is about another post."""
    with closing(DuckDBWarehouse(tmp_path / "a.duckdb")) as made:
        again, held, new = after_move(made, tmp_path, *move[:2])
    assert again >= named(move[2])
    assert held == new


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(words=worlds(), seed=st.integers(0, 2**32))
def test_a_folder_is_as_a_new_one(tmp_path: Path, words: list[Word], seed: int) -> None:
    """After writes of all sorts, posts that move and ids used again among them."""
    base = Path(tempfile.mkdtemp(dir=tmp_path))
    with closing(DuckDBWarehouse(base / "a.duckdb")) as made:
        held, new = after_worlds(made, base, words, seed)
    assert held == new


def test_forget_reaches_the_day_that_a_post_was_moved_from(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    """It moved after the export, and is forgotten before the next one."""
    as_csv(warehouse, tmp_path / "out")
    warehouse.write(Rows(feedback=[feedback(1, version=1, at=DAY)]), START)
    warehouse.write(Rows(removals=[GONE]), START)
    assert of_warehouse(warehouse.path).erase(warehouse) == (1, ())
    assert words_in(tmp_path / "out", WORDS) == []


class Killed(BaseException):
    """The process is gone: nothing catches this."""


def test_forget_reaches_an_export_that_was_killed(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    """The first one into its folder, which left no state; no file comes that was not there."""

    def die(done: int, of: int) -> None:
        if done == of:
            raise Killed

    exports = of_warehouse(warehouse.path)
    exports.note(tmp_path / "out", "csv", texts=True)
    with pytest.raises(Killed):
        Export(warehouse, tmp_path / "out", "csv", texts=True).run(START, die)
    assert words_in(tmp_path / "out", WORDS)
    (tmp_path / "out" / "dim_author.csv").unlink()
    warehouse.write(Rows(removals=[GONE]), START)
    assert exports.erase(warehouse) == (1, ())
    assert words_in(tmp_path / "out", WORDS) == []
    assert not (tmp_path / "out" / "dim_author.csv").exists()
    assert exports.erase(warehouse) == (0, ())


def test_forget_reaches_exports_of_a_warehouse_put_back(path: Path, tmp_path: Path) -> None:
    """Its numbers are lower than those that the folder knows; so they may be after more writes."""
    for number, more in enumerate((0, 60)):
        folder, backup = tmp_path / f"out-{number}", tmp_path / "backup"
        path.unlink(missing_ok=True)
        with closing(DuckDBWarehouse(path)) as made:
            made.write(POST, START)
        shutil.copy(path, backup)
        with closing(DuckDBWarehouse(path)) as made:
            made.write(Rows(feedback=[feedback(n) for n in range(2, 30)]), START)
            as_csv(made, folder)
        shutil.copy(backup, path)
        with closing(DuckDBWarehouse(path)) as made:
            made.write(Rows(removals=[GONE]), minutes(5))
            made.write(Rows(feedback=[feedback(n) for n in range(100, 100 + more)]), minutes(6))
            exports = of_warehouse(path)
            exports.erase(made)
            assert words_in(folder, WORDS) == []
            assert exports.erase(made) == (0, ())


def test_forget_tells_of_an_export_that_still_runs(path: Path, tmp_path: Path) -> None:
    """It may hold what was read before: the receipt says so, the command fails, and again helps."""
    with closing(DuckDBWarehouse(path)) as made:
        made.write(POST, START)
    folder = tmp_path / "out"
    run("export", "out", "--texts", "--format", "csv", cwd=tmp_path)
    handle = os.open(folder / ".lock", os.O_WRONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    told = run("forget", "--mention", "x:1", cwd=tmp_path, code=1)
    assert b"exports_left" in told.stdout
    assert str(folder).encode() in told.stderr
    os.close(handle)
    run("forget", "--mention", "x:1", cwd=tmp_path)
    assert words_in(folder, WORDS) == []
    with closing(DuckDBWarehouse(path, read_only=True)) as made:
        receipts = made.sql("SELECT places FROM erasures ORDER BY done_at").rows
    assert "exports, but 1 of their folders not yet" in receipts[0][0]
    assert "exports" in receipts[1][0]


def test_a_refused_export_hinders_no_forget(path: Path, tmp_path: Path) -> None:
    """Another format or kind, a watermark there never was, a folder that cannot be made."""
    with closing(DuckDBWarehouse(path)) as made:
        made.write(POST, START)
    (tmp_path / "file").write_text("x")
    run("export", "out", "--format", "csv", "--texts", cwd=tmp_path)
    noted = path.with_name(f"{path.name}.exports")
    before = noted.read_bytes()
    for options in (("out",), ("out", "--format", "csv"), ("new", "--since", "999999")):
        run("export", *options, cwd=tmp_path, code=2)
    for folder in ("file", "/dev/null"):
        run("export", folder, cwd=tmp_path, code=1)
    assert noted.read_bytes() == before
    told = run("forget", "--mention", "x:1", cwd=tmp_path)
    assert b"exports_left" not in told.stdout
    assert words_in(tmp_path / "out", WORDS) == []


def test_a_killed_export_that_came_again_with_other_contents(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    """Without a state nothing refuses the second: its word on the folder counts."""
    exports, folder = of_warehouse(warehouse.path), tmp_path / "out"
    exports.note(folder, "csv", texts=False)
    as_csv(warehouse, folder)
    warehouse.write(Rows(removals=[GONE]), START)
    assert exports.erase(warehouse) == (1, ())
    assert words_in(folder, WORDS) == []


def test_both_formats_of_killed_exports_are_reached(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    """Into one folder, neither with a state: what is done in one is not done in the other."""
    exports, folder = of_warehouse(warehouse.path), tmp_path / "out"

    def die(done: int, of: int) -> None:
        if done == of:
            raise Killed

    for form in ("parquet", "csv"):
        exports.note(folder, form, texts=True)
        with pytest.raises(Killed):
            Export(warehouse, folder, form, texts=True).run(START, die)
    warehouse.write(Rows(removals=[GONE]), START)
    assert exports.erase(warehouse) == (2, ())
    assert words_in(folder, WORDS) == []


def test_an_export_is_noted_before_its_first_row(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    """Whenever it is killed, an erasure knows of what it wrote."""
    folder = tmp_path / "out"
    found: list[Path] = []

    def accepted() -> None:
        found.extend(folder.rglob("*"))
        raise Killed

    with pytest.raises(Killed):
        Export(warehouse, folder, "csv", texts=True).run(START, lambda *_: None, accepted=accepted)
    assert found == [folder / ".lock"]


def test_reasons_for_erasures_are_people_s_words(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    """Who asked and why are exported with texts only."""
    receipt = Receipt("r", START, START, "ada", "was asked to", 1, 1, ("tables",))
    warehouse.write(Rows(receipts=[receipt]), START)
    as_csv(warehouse, tmp_path / "with")
    assert words_in(tmp_path / "with", b"was asked to") == ["erasures.csv"]
    Export(warehouse, tmp_path / "out", "csv", texts=False).run(START, lambda *_: None)
    for words in (b"was asked to", b"ada"):
        assert words_in(tmp_path / "out", words) == []
