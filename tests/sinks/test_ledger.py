"""What was erased stays erased after a backup was put back."""

import shutil
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model import Removal
from pipeline.ports import Rows
from sinks.duckdb_file import DuckDBFile, snapshot_path
from sinks.duckdb_warehouse import DuckDBWarehouse
from sinks.ledger import Ledger
from sinks.postgres_warehouse import PostgresWarehouse
from sinks.removals import Request
from tests.contracts.warehouse_words import OFFICIAL, START, feedback, late, link, minutes
from tests.sinks.postgres_helpers import KEY, MakeOn

AT = datetime(2026, 3, 1, 12, 0)  # noqa: DTZ001 - as the tables hold it
REQUEST = Request("0123", "mention", "erased", AT)


def test_erased_again_after_a_restore(tmp_path: Path) -> None:
    """The words and their bytes are gone again, of mentions and of authors; the others stay."""
    path, backup = tmp_path / "groundswell.duckdb", tmp_path / "backup"
    words = [
        feedback(1, text="unmistakable words of one"),
        feedback(2, author="ann", text="unmistakable words of ann"),
        feedback(3, text="keeps its words"),
    ]
    with closing(DuckDBWarehouse(path)) as warehouse:
        warehouse.write(Rows(feedback=words), START)
    shutil.copy(path, backup)
    removals = [
        Removal(removal=words[0].mention.id, kind="erased", at=minutes(9), scope="mention"),
        Removal(removal="x:ann", kind="erased", at=minutes(9), scope="author"),
    ]
    with closing(DuckDBWarehouse(path)) as warehouse:
        warehouse.erase(removals, minutes(10))
        counts = warehouse.sql("SELECT sum(mentions), sum(witnesses) FROM mentions_hourly").rows

    shutil.copy(backup, path)
    with closing(DuckDBWarehouse(path)) as warehouse:
        assert sorted(warehouse.erased_again) == sorted(w.mention.id for w in words[:2])
        assert warehouse.sql("SELECT text FROM feedback WHERE text IS NOT NULL").rows == [
            ("keeps its words",)
        ]
        found = warehouse.sql("SELECT sum(mentions), sum(witnesses) FROM mentions_hourly").rows
        assert found == counts
        # It cannot come back either.
        warehouse.write(Rows(feedback=words), START)
        assert warehouse.sql("SELECT count(text) FROM feedback").rows == [(1,)]
    held = [file.read_bytes() for file in tmp_path.iterdir() if file != backup]
    assert not any(b"unmistakable" in content for content in held)
    with closing(DuckDBWarehouse(path)) as warehouse:
        assert warehouse.erased_again == []


def test_erased_again_in_postgres(make_on: MakeOn, tmp_path: Path) -> None:
    """After a restore the first process whose ledger knows of an erasure does it again."""
    ledger = tmp_path / "key.erased"
    word, other = feedback(1, author="ann", text="unmistakable"), feedback(2, text="stays")
    warehouse = make_on()
    warehouse.write(Rows(feedback=[word, other]), START)
    # As if erased after the backup that is here now: only the ledger knows of it.
    elsewhere = DuckDBWarehouse(tmp_path / "a.duckdb", key=KEY)
    removal = Removal(removal="x:ann", kind="erased", at=minutes(9), scope="author")
    elsewhere.write(Rows(removals=[removal]), START)
    elsewhere.close()
    shutil.move(tmp_path / "a.duckdb.erased", ledger)
    again = make_on(ledger=ledger)
    assert again.erased_again == [word.mention.id]
    assert [row["text"] for row in again.rows("newest_feedback")] == ["stays"]
    assert make_on(ledger=ledger).erased_again == []
    again.write(
        Rows(removals=[Removal(removal="x:2", kind="erased", at=minutes(9), scope="mention")]),
        minutes(10),
    )
    assert len(Ledger(ledger).read()) == 2


def erased_author(day: int) -> Removal:
    """A request to erase the author ann, on a day."""
    return Removal(removal="x:ann", kind="erased", at=minutes(day * 1440), scope="author")


def test_an_author_erased_twice_does_not_come_back(tmp_path: Path) -> None:
    """The backup knows of the first request only: what was said after it goes once more."""
    path, backup = tmp_path / "groundswell.duckdb", tmp_path / "backup"
    later = feedback(2, author="ann", text="unmistakable words", at=2 * 1440)
    with closing(DuckDBWarehouse(path)) as warehouse:
        warehouse.write(Rows(feedback=[feedback(1, author="ann")]), START)
        warehouse.erase([erased_author(1)], minutes(1440))
        warehouse.write(Rows(feedback=[later]), minutes(2 * 1440))
    shutil.copy(path, backup)
    with closing(DuckDBWarehouse(path)) as warehouse:
        warehouse.erase([erased_author(3)], minutes(3 * 1440))
    shutil.copy(backup, path)
    with closing(DuckDBWarehouse(path)) as warehouse:
        assert later.mention.id in warehouse.erased_again
        assert warehouse.rows("newest_feedback") == []
    assert b"unmistakable" not in path.read_bytes()
    with closing(DuckDBWarehouse(path)) as warehouse:
        assert warehouse.erased_again == []


def test_an_author_erased_twice_does_not_come_back_in_postgres(
    make_on: MakeOn, tmp_path: Path
) -> None:
    """As on DuckDB: the schema knows of the first request only."""
    ledger = tmp_path / "key.erased"
    first, later = (feedback(n, author="ann", at=n * 1440) for n in (0, 2))
    warehouse = make_on()
    warehouse.write(Rows(feedback=[first], removals=[erased_author(1)]), START)
    warehouse.write(Rows(feedback=[later]), minutes(2 * 1440))
    with closing(DuckDBWarehouse(tmp_path / "a.duckdb", key=KEY)) as elsewhere:
        elsewhere.write(Rows(removals=[erased_author(1), erased_author(3)]), START)
    shutil.move(tmp_path / "a.duckdb.erased", ledger)
    assert [row["id"] for row in warehouse.rows("newest_feedback")] == [later.mention.id]
    again = make_on(ledger=ledger)
    assert later.mention.id in again.erased_again
    assert again.rows("newest_feedback") == []
    assert make_on(ledger=ledger).erased_again == []


def test_reasons_for_links_are_erased_again(make_on: MakeOn, tmp_path: Path) -> None:
    """Also when the backup has the link, but not its mention; on DuckDB and on PostgreSQL."""
    removal = Removal(removal="x:1", kind="erased", at=minutes(9), scope="mention")
    path, ledger = tmp_path / "a.duckdb", tmp_path / "key.erased"
    with closing(DuckDBWarehouse(tmp_path / "b.duckdb", key=KEY)) as elsewhere:
        elsewhere.write(Rows(removals=[removal]), START)
    shutil.copy(tmp_path / "b.duckdb.erased", tmp_path / "a.duckdb.erased.later")
    shutil.move(tmp_path / "b.duckdb.erased", ledger)
    restored: list[DuckDBWarehouse | PostgresWarehouse] = [
        DuckDBWarehouse(path, key=KEY),
        make_on(),
    ]
    for warehouse in restored:
        warehouse.write(Rows(links=[late(1, link(OFFICIAL))]), START)
        warehouse.close()
    shutil.move(tmp_path / "a.duckdb.erased.later", tmp_path / "a.duckdb.erased")
    for again in (DuckDBWarehouse(path, key=KEY), make_on(ledger=ledger)):
        with closing(again):
            assert again.erased_again == ["x:1"]
            assert again.sql("SELECT evidence FROM fct_link").rows == [(None,)]


def test_the_ledger_names_nobody(tmp_path: Path) -> None:
    """It holds keyed hashes, and only its owner may read it."""
    path = tmp_path / "groundswell.duckdb"
    with closing(DuckDBWarehouse(path)) as warehouse:
        removal = Removal(removal="x:ann-0815", kind="erased", at=minutes(9), reason="asked")
        warehouse.write(Rows(removals=[removal]), START)
    ledger = tmp_path / "groundswell.duckdb.erased"
    assert b"ann-0815" not in ledger.read_bytes()
    assert ledger.stat().st_mode & 0o777 == 0o600
    assert len(Ledger(ledger).read()) == 2  # no scope: a mention or an author


@settings(deadline=None)
@given(cut=st.integers(min_value=0, max_value=200))
def test_half_a_line(cut: int) -> None:
    """A crash in the middle of a line costs that line only, and the next one is whole."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "ledger"
        Ledger(path).append([REQUEST, REQUEST._replace(subject="4567")])
        whole = path.read_bytes()
        path.write_bytes(whole[: min(cut, len(whole))])
        before = Ledger(path).read()
        Ledger(path).append([REQUEST._replace(subject="89ab")])
        assert Ledger(path).read() == [*before, REQUEST._replace(subject="89ab")]


def test_bytes_left_by_a_crash_are_remembered(tmp_path: Path) -> None:
    """A warehouse that ended before it was written anew knows that it still has to be."""
    path = tmp_path / "groundswell.duckdb"
    removal = Removal(removal="x:1", kind="erased", at=minutes(9), scope="mention")
    with closing(DuckDBWarehouse(path)) as warehouse:
        warehouse.write(Rows(feedback=[feedback(1, text="unmistakable words")]), START)
        warehouse.write(Rows(removals=[removal]), START)
    with closing(DuckDBWarehouse(path)) as warehouse:
        assert warehouse.tidy()
        assert not warehouse.tidy()
    assert b"unmistakable" not in path.read_bytes()
    with closing(DuckDBWarehouse(path)) as warehouse:
        assert not warehouse.tidy()


def test_times_are_those_of_the_tables(tmp_path: Path) -> None:
    """A request comes back as it went."""
    ledger = Ledger(tmp_path / "ledger")
    at = datetime.now(UTC).replace(tzinfo=None)
    ledger.append([REQUEST._replace(at=at)])
    assert ledger.read() == [REQUEST._replace(at=at)]


def test_bytes_left_in_the_snapshot_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An end between the file and its snapshot: the snapshot is written anew by the next one."""
    path = tmp_path / "groundswell.duckdb"
    removal = Removal(removal="x:1", kind="erased", at=minutes(9), scope="mention")

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    with closing(DuckDBWarehouse(path)) as warehouse:
        warehouse.write(Rows(feedback=[feedback(1, text="unmistakable words")]), START)
        warehouse.snapshot()
        with monkeypatch.context() as patch:
            patch.setattr(DuckDBFile, "copy_to", end)
            with pytest.raises(KeyboardInterrupt):
                warehouse.erase([removal], minutes(10))
    assert b"unmistakable" in snapshot_path(path).read_bytes()
    with closing(DuckDBWarehouse(path)) as warehouse:
        assert warehouse.tidy()
        assert not warehouse.tidy()
    assert b"unmistakable" not in snapshot_path(path).read_bytes()
