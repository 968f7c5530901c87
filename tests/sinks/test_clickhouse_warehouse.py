"""The ClickHouse warehouse: the contract, on the engine in the process of the test."""

import itertools
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("chdb", reason="the engine of ClickHouse is missing: make clickhouse")

from pipeline.errors import GiveUp, Misuse, TryLater
from pipeline.model import Removal
from pipeline.ports import Rows
from sinks.clickhouse_link import ClickHouseLink
from sinks.clickhouse_there import is_there
from sinks.clickhouse_warehouse import ClickHouseWarehouse
from sinks.clickhouse_write import TABLES, ClickHouseUpserts
from sinks.dialect import VIEWS
from sinks.duckdb_warehouse import DUCKDB, DuckDBWarehouse
from tests.config.export_loader import DAY, days, export
from tests.config.export_moves import MOVES, after_move, named
from tests.contracts.warehouse import WarehouseContract, in_two_orders
from tests.contracts.warehouse_faults import EVERYTHING, HELD, Crash
from tests.contracts.warehouse_history import breaks, ends_in_the_present, written_apart
from tests.contracts.warehouse_reading import Make
from tests.contracts.warehouse_rollups import RollupContract
from tests.contracts.warehouse_words import (
    OFFICIAL,
    START,
    Word,
    all_views,
    feedback,
    link,
    minutes,
    one,
    rows_of,
    worlds,
)
from tests.sinks.clickhouse_helpers import FEW, new_database, run
from tests.sinks.postgres_helpers import KEY


class TestContract(WarehouseContract):
    @pytest.fixture(autouse=True)
    def _not_here_yet(self, request: pytest.FixtureRequest) -> None:
        """There are no counts at rest to go wrong."""
        if request.function.__name__ in vars(RollupContract):
            pytest.skip("ClickHouse counts when it is asked")

    @pytest.fixture
    def make(self, clickhouse_engine: str) -> Iterator[Make]:
        made: list[ClickHouseWarehouse] = []

        def make() -> ClickHouseWarehouse:
            made.append(ClickHouseWarehouse(new_database(clickhouse_engine), key=KEY))
            return made[-1]

        yield make
        for warehouse in made:
            warehouse.close()

    @FEW
    @given(words=worlds(), seed=st.integers(0, 2**32))
    def test_order_batches_and_repetition_do_not_matter(
        self, make: Make, words: list[Word], seed: int
    ) -> None:
        """As elsewhere, with fewer examples."""
        once, often = in_two_orders(make, words, seed)
        assert often == once

    @FEW
    @given(words=worlds(), data=st.data())
    def test_history_is_a_chain_that_ends_in_the_present(
        self, make: Make, words: list[Word], data: st.DataObject
    ) -> None:
        """As elsewhere, with fewer examples."""
        warehouse = written_apart(make, words, data.draw(st.randoms(use_true_random=False)))
        assert breaks(warehouse) == []
        past, present = ends_in_the_present(warehouse)
        assert past == present


@FEW
@given(words=worlds())
def test_it_answers_as_duckdb(clickhouse_engine: str, tmp_path: Path, words: list[Word]) -> None:
    """The same words, written in the same batches, give the same views and the page's answers."""
    ours = ClickHouseWarehouse(new_database(clickhouse_engine), key=KEY)
    other = DuckDBWarehouse(tmp_path / secrets.token_hex(6), key=KEY)
    half = len(words) // 2
    for batch in (words[:half], words[half:]):
        told = ours.write(rows_of(batch), START)
        assert sorted(told) == sorted(other.write(rows_of(batch), START))
    assert all_views(ours) == all_views(other)
    asked: list[tuple[str, dict[str, Any]]] = [
        ("newest_feedback", {}),
        ("newest_feedback", {"linked": True, "track": "acme"}),
        ("counts_per_minute", {"from_at": START, "to_at": minutes(60)}),
        ("incident_list", {}),
        ("totals", {}),
        ("incident", {"id": OFFICIAL}),
        ("incident_posts", {"id": OFFICIAL}),
    ]
    for query, values in asked:
        assert ours.rows(query, **values) == other.rows(query, **values), query
    ours.close()
    other.close()


def test_tables_and_views_have_the_columns_that_they_have_elsewhere(
    clickhouse_url: str, tmp_path: Path
) -> None:
    """In any order; who changes a table for the others changes it here."""
    ours = ClickHouseWarehouse(clickhouse_url, key=KEY)
    other = DuckDBWarehouse(tmp_path / "w.duckdb", key=KEY)
    # For counts that are not kept here, and for a database without an index on groups.
    elsewhere = {"left_at", "left_groups", "left_names", "is_repeat"}
    names = [*TABLES, *DUCKDB.views(*VIEWS)]
    for name in names:
        if not name.startswith("rollup"):
            wanted = set(other.sql(f"SELECT * FROM {name} LIMIT 0").columns) - elsewhere
            assert set(ours.sql(f"SELECT * FROM {name} LIMIT 0").columns) == wanted, name
    assert "fct_mention" in names
    ours.close()
    other.close()


def test_a_crash_between_any_two_statements_on_the_server(
    clickhouse_url: str, clickhouse_engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was erased is never seen again, and the same batch written once more ends the same."""
    undisturbed = ClickHouseWarehouse(new_database(clickhouse_engine), key=KEY)
    warehouse = ClickHouseWarehouse(clickhouse_url, key=KEY)
    for each in (undisturbed, warehouse):
        each.write(HELD, START)
    # A post keeps its author.
    posts = [
        feedback(n, version=1, author=f"a{n % 5}", links=[link(OFFICIAL)]) for n in range(5, 15)
    ]
    everything = replace(EVERYTHING, feedback=posts)
    undisturbed.write(everything, START)
    whole = ClickHouseUpserts.steps
    last = 0

    def dying(upserts: ClickHouseUpserts) -> Iterator[Any]:
        for number, step in enumerate(whole(upserts)):
            if number == last:
                raise Crash
            yield step

    monkeypatch.setattr(ClickHouseUpserts, "steps", dying)
    for last in itertools.count():
        try:
            warehouse.write(everything, START)
        except Crash:
            if last > 1:  # the words go right after the request
                held = warehouse.sql("SELECT mention_id FROM mention_private").rows
                assert ("x:1",) not in held, f"after {last} statements"
        else:
            break
    assert last > 8
    assert all_views(warehouse) == all_views(undisturbed)
    for each in (undisturbed, warehouse):
        each.close()


def test_bytes_are_gone(clickhouse_url: str, clickhouse_folder: Path) -> None:
    """After an erasure no file of the engine holds the text, the handle or the address."""
    told = "my unmistakable words about the shop"
    warehouse = ClickHouseWarehouse(clickhouse_url, key=KEY)
    gone = feedback("4711", author="ann-0815", text=told, links=[link(OFFICIAL)])
    warehouse.write(Rows(feedback=[feedback(1, text="keeps its words"), gone]), START)
    receipt = warehouse.erase(
        [Removal(removal="x:ann-0815", kind="erased", at=minutes(9), scope="author")], minutes(10)
    )
    assert receipt["mentions"] == 1
    assert warehouse.sql("SELECT evidence FROM fct_link").rows == [(None,)]
    held = [file for file in clickhouse_folder.rglob("*") if file.is_file()]
    assert held
    name = clickhouse_url.rpartition("=")[2]
    for file in held:
        assert not any(
            word in file.read_bytes() for word in (told.encode(), b"ann-0815", b"handle-4711")
        ), file
    assert one(warehouse, 1)["text"] == "keeps its words"
    assert receipt["rewritten"][0].startswith(name)
    warehouse.close()


def test_foreign_database_other_key_newer_version(
    clickhouse_url: str, clickhouse_engine: str
) -> None:
    """Each is named for what it is, and nothing is written."""
    assert not is_there(clickhouse_url, "url")
    ClickHouseWarehouse(clickhouse_url, key=KEY).close()
    assert is_there(clickhouse_url, "url")
    with pytest.raises(GiveUp, match="key does not belong"):
        ClickHouseWarehouse(clickhouse_url, key=bytes(32))
    newest = "(SELECT max(revision) + 1 FROM meta_row)"
    run(clickhouse_url, f"INSERT INTO meta_row SELECT 'schema', '99', {newest}")
    with pytest.raises(GiveUp, match="newer version"):
        ClickHouseWarehouse(clickhouse_url, key=KEY)
    run(clickhouse_url, f"INSERT INTO meta_row SELECT 'schema', '0', {newest} + 1")
    with pytest.raises(GiveUp, match="groundswell migrate"):
        ClickHouseWarehouse(clickhouse_url, key=KEY)
    foreign = new_database(clickhouse_engine)
    run(foreign, "CREATE TABLE theirs (a Int64) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(GiveUp, match="another program"):
        ClickHouseWarehouse(foreign, key=KEY)


def test_a_database_called_as_a_name_in_our_sql(clickhouse_engine: str) -> None:
    """ClickHouse takes one for the other: it is said when the warehouse is opened."""
    run(f"{clickhouse_engine}default", "CREATE DATABASE w")
    with pytest.raises(GiveUp, match="the database w is called as something in our SQL"):
        ClickHouseWarehouse(f"{clickhouse_engine}w", key=KEY)


def test_writers_come_one_after_the_other(
    clickhouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row lost, no number given twice."""
    warehouses = [ClickHouseWarehouse(clickhouse_url, key=KEY) for _ in range(2)]
    failures: list[Exception] = []

    def write(warehouse: ClickHouseWarehouse, first: int) -> None:
        try:
            for n in range(3):
                warehouse.write(Rows(feedback=[feedback(first + n)]), START)
        except Exception as error:  # noqa: BLE001  # a thread's failure is the test's
            failures.append(error)

    writers = [
        threading.Thread(target=write, args=(warehouse, 100 * n))
        for n, warehouse in enumerate(warehouses)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    found = warehouses[0].sql("SELECT count(*), count(DISTINCT arrival) FROM fct_mention").rows
    assert found == [(6, 6)]
    for warehouse in warehouses:
        warehouse.close()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 INTO OUTFILE '/tmp/groundswell-test.csv'",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT file('/etc/passwd')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "SELECT 1 SETTINGS readonly = 0",
        "WITH 1 AS a INSERT INTO meta_row SELECT 'a', 'b', 1",
        "SELECT * FROM remote('127.0.0.1', system.one)",
        "SHOW TABLES; DROP TABLE meta_row",
        "SET readonly = 0",
    ],
)
def test_sql_reaches_nothing_else(clickhouse_url: str, text: str) -> None:
    """No file, no other server, no setting, no second statement."""
    connection = ClickHouseLink(clickhouse_url, "url")
    from sinks.clickhouse_query import answer

    with connection.asking() as one_of_them, pytest.raises(Misuse):
        answer(one_of_them, text, 10, 5)
    connection.close()


def test_nobody_there_and_no_address() -> None:
    """A server that does not answer may come; what is no address is said to be none."""
    with pytest.raises(TryLater, match="does not answer"):
        ClickHouseWarehouse("clickhouse://groundswell@127.0.0.1:1/groundswell", key=KEY)
    for wrong in ("nonsense", "clickhouse://", "clickhouse://host", "http://host/database"):
        with pytest.raises(GiveUp, match="no address") as refused:
            ClickHouseWarehouse(wrong, key=KEY)
        assert "nonsense" not in str(refused.value)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (b"", TryLater),
        (b"Code: 243. DB::Exception: Cannot reserve 1 MiB (NOT_ENOUGH_SPACE)", TryLater),
        (b"Code: 241. DB::Exception: no memory (MEMORY_LIMIT_EXCEEDED)", TryLater),
        (b"Code: 516. DB::Exception: wrong-pass (AUTHENTICATION_FAILED)", GiveUp),
        (b"Code: 497. DB::Exception: not for you (ACCESS_DENIED)", GiveUp),
    ],
)
def test_what_a_server_says(told: bytes, expected: type[Exception]) -> None:
    """A connection dropped in mid-answer, a full disk, a wrong password: each is told apart."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            for _ in range(5):
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    if told:
                        head = f"HTTP/1.1 500 E\r\nContent-Length: {len(told)}\r\n\r\n".encode()
                        connection.sendall(head + told)

        threading.Thread(target=serve, daemon=True).start()
        url = f"clickhouse://groundswell:wrong-pass@127.0.0.1:{port}/groundswell"
        with pytest.raises(expected) as refused:
            ClickHouseLink(url, "GROUNDSWELL_WAREHOUSE__URL").open()
        assert "wrong-pass" not in str(refused.value)
        assert "\n" not in str(refused.value)
        listener.close()


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_days_that_were_left_are_exported_again(
    clickhouse_url: str, tmp_path: Path, move: tuple[Rows, Rows, set[int]]
) -> None:
    """When a post was said before is not kept here: an edit has all days looked at."""
    ours = ClickHouseWarehouse(clickhouse_url, key=KEY)
    again, held, new = after_move(ours, tmp_path, *move[:2])
    assert again >= named(move[2])
    assert held == new
    ours.write(Rows(feedback=[feedback(9, at=2 * DAY)]), START)
    assert days(export(ours, tmp_path / "out")) == {"2026-03-04"}
    removal = Removal(removal="x:1", kind="erased", at=START, scope="mention")
    ours.write(Rows(removals=[removal]), START)
    assert None in {row["day"] for row in ours.rows("removed_days", since=-1)}
    ours.close()
