"""The ClickHouse warehouse over the network: connections that break, and a server that dies."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest

pytest.importorskip("chdb", reason="the engine of ClickHouse is missing: make clickhouse")

from pipeline.errors import GiveUp, TryLater
from pipeline.model import Removal
from pipeline.ports import Rows
from sinks.clickhouse_warehouse import ClickHouseWarehouse
from tests.contracts.warehouse_faults import EVERYTHING, HELD
from tests.contracts.warehouse_words import OFFICIAL, START, all_views, feedback, link, minutes
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.cutting import CuttingDoor
from tests.servers.fixtures import served
from tests.sinks.postgres_helpers import KEY

#: Everything that a write may bring, where every post keeps its author.
BATCH = replace(
    EVERYTHING,
    feedback=[
        feedback(n, version=1, author=f"a{n % 5}", links=[link(OFFICIAL)]) for n in range(5, 15)
    ],
)


@pytest.fixture(scope="module")
def server() -> Iterator[ClickHouseServer]:
    with served(ClickHouseServer, "ClickHouse over the network is") as server:
        yield server


@pytest.fixture
def wanted(server: ClickHouseServer) -> dict[str, object]:
    """What the views say when nothing went wrong."""
    with closing(ClickHouseWarehouse(server.at(server.new_database()), key=KEY)) as warehouse:
        warehouse.write(HELD, START)
        warehouse.write(BATCH, START)
        return dict(all_views(warehouse))


class Cut:
    """Cuts the connection at the n-th insert: before its rows are all there, or after its work."""

    def __init__(self, door: CuttingDoor, number: int, *, is_done: bool) -> None:
        self._number, self._is_done, self._is_answer_due = number, is_done, False
        door.to_server = self.asked
        if is_done:
            door.to_client = self.answered

    def asked(self, data: bytes) -> bool:
        """Arrow's mark stands at the end of the rows."""
        if not data.endswith(b"ARROW1"):
            return False
        self._number -= 1
        self._is_answer_due = self._number < 0
        return self._is_answer_due and not self._is_done

    def answered(self, data: bytes) -> bool:
        """The server has done what it was asked."""
        del data
        return self._is_answer_due


@pytest.mark.timeout(400)
@pytest.mark.parametrize("is_done", [False, True])
def test_a_connection_that_breaks_in_the_middle_of_an_insert(
    server: ClickHouseServer, wanted: dict[str, object], is_done: bool
) -> None:
    """At any insert (every third): later; and the same batch once more gives the same rows."""
    with CuttingDoor(server.port) as door:
        url = server.at(server.new_database(), door.port)
        with closing(ClickHouseWarehouse(url, key=KEY)) as warehouse:
            warehouse.write(HELD, START)
            while True:
                Cut(door, 3 * door.cuts, is_done=is_done)
                try:
                    warehouse.write(BATCH, START)
                except TryLater:
                    continue
                break
            door.to_server = door.to_client = None
            assert door.cuts > 2
            assert all_views(warehouse) == wanted


def later(write: Callable[[], object]) -> None:
    with pytest.raises(TryLater, match="does not answer"):
        write()


def test_a_server_that_dies_between_batches_and_is_away(
    server: ClickHouseServer, wanted: dict[str, object]
) -> None:
    """Each attempt is put off until it is back; what was acknowledged is there."""
    url = server.at(server.new_database())
    with closing(ClickHouseWarehouse(url, key=KEY)) as warehouse:
        warehouse.write(HELD, START)
        server.kill()
        for _ in range(3):
            later(partial(warehouse.write, BATCH, START))
            later(partial(warehouse.sql, "SELECT count(*) FROM feedback"))
        later(partial(ClickHouseWarehouse, url, key=KEY))
        server.start()
        assert warehouse.sql("SELECT count(*) FROM feedback").rows == [(10,)]
        warehouse.write(BATCH, START)
        assert all_views(warehouse) == wanted


def test_a_server_that_dies_in_the_middle_of_a_write(
    server: ClickHouseServer, wanted: dict[str, object]
) -> None:
    """What was acknowledged is there, and the same batch once more ends the same."""
    with CuttingDoor(server.port) as door:
        database = server.new_database()
        with closing(ClickHouseWarehouse(server.at(database, door.port), key=KEY)) as warehouse:
            warehouse.write(HELD, START)
            for number in (0, 3, 7):
                cut = Cut(door, number, is_done=False)

                def dies(data: bytes, cut: Cut = cut) -> bool:
                    is_time = cut.asked(data)
                    if is_time:
                        os.kill(server.pid or 0, signal.SIGKILL)
                    return is_time

                door.to_server = dies
                with pytest.raises(TryLater):
                    warehouse.write(BATCH, START)
                server.kill()  # it is dead, and gone when this returns
                server.start()
                # Instead of the seconds in which the dead writer might still be writing.
                server.run(f"DROP TABLE {database}.writer_lock")
            warehouse.write(BATCH, START)
            assert all_views(warehouse) == wanted


def test_what_was_acknowledged_is_on_the_disk(server: ClickHouseServer) -> None:
    """Every table waits for it, also one that an erasure wrote anew, and one of older releases."""
    database = server.new_database()
    exposed = (
        f"SELECT name FROM system.tables WHERE database = '{database}' AND "
        "engine LIKE '%MergeTree' AND engine_full NOT LIKE "
        "'%fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1%'"
    )
    with closing(ClickHouseWarehouse(server.at(database), key=KEY)) as warehouse:
        warehouse.write(HELD, START)
        gone = Removal(removal="x:1", kind="erased", at=minutes(5), scope="mention")
        warehouse.erase([gone], minutes(6))
        warehouse.write(BATCH, START)
        assert server.run(exposed) == ""
    settings = "fsync_after_insert, fsync_part_directory, min_rows_to_fsync_after_merge"
    server.run(f"ALTER TABLE {database}.fct_link_row RESET SETTING {settings}")
    assert server.run(exposed) == "fct_link_row\n"
    ClickHouseWarehouse(server.at(database), key=KEY).close()
    assert server.run(exposed) == ""


def test_a_wrong_password_and_a_database_that_is_not_there(server: ClickHouseServer) -> None:
    """Each is said, without the password."""
    for url in (server.url.replace("tide-4711", "wrong-pass"), server.at("nowhere")):
        with pytest.raises(GiveUp, match="refuses the login") as refused:
            ClickHouseWarehouse(url, key=KEY)
        assert "pass" not in str(refused.value).replace("password", "")


def test_large_batches_and_long_answers(server: ClickHouseServer) -> None:
    """A server limits how long a value may be: what a store writes at once goes in parts."""
    posts = [feedback(n) for n in range(5_000)]
    gone = [
        Removal(removal=f"x:{n}", kind="erased", at=minutes(5), scope="mention")
        for n in range(1_500)
    ]
    with closing(ClickHouseWarehouse(server.at(server.new_database()), key=KEY)) as warehouse:
        for rows in (Rows(feedback=posts), Rows(removals=gone), Rows(feedback=posts)):
            warehouse.write(rows, START)
        days = {"from_at": START, "to_at": minutes(10_000), "texts": True}
        streamed = warehouse.stream("export_feedback", **days)
        told = [text for batch in streamed for text in batch.column("text").to_pylist()]
        assert (len(told), sum(text is None for text in told)) == (5_000, 1_500)
