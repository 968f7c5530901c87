"""The PostgreSQL warehouse: the contract, and what only a server can get into."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from config.exporting import Export
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.errors import GiveUp, TryLater
from pipeline.model import Coverage, Removal
from pipeline.ports import Rows
from pipeline.store import Store
from pipeline.topics import FEEDBACK, TOPICS
from sinks.duckdb_warehouse import DuckDBWarehouse
from sinks.postgres_link import patient
from sinks.postgres_warehouse import PostgresWarehouse
from tests.contracts.warehouse import WarehouseContract
from tests.contracts.warehouse_reading import Make
from tests.contracts.warehouse_words import (
    OFFICIAL,
    START,
    Word,
    all_views,
    decision,
    feedback,
    incident,
    link,
    minutes,
    one,
    rows_of,
    view,
    worlds,
)
from tests.servers.cutting import CuttingDoor
from tests.servers.postgres import PASSWORD, USER, PostgresServer
from tests.sinks.postgres_helpers import KEY, MakeOn, admin, drop


class TestContract(WarehouseContract):
    @pytest.fixture
    def make(self, postgres_url: str) -> Iterator[Make]:
        made: list[PostgresWarehouse] = []

        def make() -> PostgresWarehouse:
            schema = f"test_{secrets.token_hex(6)}"
            made.append(PostgresWarehouse(postgres_url, key=KEY, schema=schema))
            return made[-1]

        yield make
        for warehouse in made:
            warehouse.close()
        drop(postgres_url, [warehouse.schema for warehouse in made])


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(words=worlds())
def test_it_answers_as_duckdb(postgres_url: str, tmp_path: Path, words: list[Word]) -> None:
    """The same words, written in the same batches, give the same views and the page's answers."""
    name = f"test_{secrets.token_hex(6)}"
    ours = PostgresWarehouse(postgres_url, key=KEY, schema=name)
    other = DuckDBWarehouse(tmp_path / name, key=KEY)
    half = len(words) // 2
    for batch in (words[:half], words[half:]):
        assert sorted(ours.write(rows_of(batch), START)) == sorted(
            other.write(rows_of(batch), START)
        )
    assert all_views(ours) == all_views(other)
    asked: list[tuple[str, dict[str, Any]]] = [
        ("newest_feedback", {}),
        ("newest_feedback", {"linked": True, "track": "acme"}),
        ("newest_feedback", {"intent": "question"}),
        ("counts_per_minute", {"from_at": START, "to_at": minutes(60)}),
        ("counts_per_minute", {"from_at": START, "to_at": minutes(60), "linked": False}),
        ("incident_list", {}),
        ("sources_and_tracks", {}),
        ("totals", {}),
        ("coverage_now", {}),
        ("last_event", {}),
        ("incident_records", {}),
        *(("mention", {"id": f"x:{n}"}) for n in range(5)),
        *((query, {"id": OFFICIAL}) for query in ("incident", "incident_posts")),
        ("incident_timeline", {"id": OFFICIAL}),
    ]
    for query, values in asked:
        assert ours.rows(query, **values) == other.rows(query, **values), query
    ours.close()
    other.close()
    drop(postgres_url, [name])


def test_it_exports_as_duckdb(make_on: MakeOn, tmp_path: Path) -> None:
    """The same files come out of both: names, types and rows."""
    told = Rows(
        feedback=[feedback(n, at=n * 300, links=[link(OFFICIAL)]) for n in range(9)],
        incidents=[incident()],
        decisions=[decision("d1", "relabel", "x:3", "intent=question")],
        removals=[Removal(removal="x:4", kind="erased", at=minutes(9), scope="mention")],
        coverage=[Coverage(source="x", from_at=START, to_at=minutes(9))],
    )
    found = {}
    with closing(DuckDBWarehouse(tmp_path / "a.duckdb", key=KEY)) as file:
        for name, warehouse in (("duckdb", file), ("postgres", make_on())):
            warehouse.write(told, START)
            folder = tmp_path / name
            files = Export(warehouse, folder, "parquet", texts=True).run(START, lambda *_: None)
            found[name] = {str(f.relative_to(folder)): pq.read_table(f) for f in files}
    assert found["duckdb"].keys() == found["postgres"].keys()
    for name, table in found["duckdb"].items():
        assert found["postgres"][name].schema.equals(table.schema), name
        assert found["postgres"][name].to_pylist() == table.to_pylist(), name


# ---- lost connections --------------------------------------------------------------------------

SOME = Rows(
    feedback=[feedback(n, links=[link(OFFICIAL)]) for n in range(50)], incidents=[incident()]
)


@pytest.mark.parametrize("where", ["to_server", "to_client"])
def test_cut_in_mid_commit(postgres_server: PostgresServer, make_on: MakeOn, where: str) -> None:
    """Cut before the COMMIT arrives, or before its answer does: TryLater, and the same again."""
    with CuttingDoor(postgres_server.port) as door:
        url = postgres_server.url.replace(str(postgres_server.port), str(door.port))
        warehouse = make_on(url)
        warehouse.write(Rows(feedback=[feedback(1000)]), START)
        setattr(door, where, lambda data: b"COMMIT" in data)
        with pytest.raises(TryLater, match="lost"):
            warehouse.write(SOME, START)
        assert door.cuts == 1
        came_about = len(view(make_on(), "feedback")) == 51
        assert came_about == (where == "to_client")
        warehouse.write(SOME, START)
        after = all_views(warehouse)
        warehouse.write(SOME, START)
        assert all_views(warehouse) == after
        assert len(after["feedback"]) == 51
        warehouse.close()


def test_ten_minutes_without_the_server(
    postgres_server: PostgresServer, make_on: MakeOn, tmp_path: Path
) -> None:
    """The store tries again and again and loses nothing; then all of it is there, once."""
    clock = ManualClock(START)
    words = [feedback(n, links=[link(OFFICIAL)]) for n in range(30)]
    with CuttingDoor(postgres_server.port) as door, ExitStack() as opened:
        url = postgres_server.url.replace(str(postgres_server.port), str(door.port))
        warehouse = make_on(url)
        broker = opened.enter_context(closing(LocalBroker(tmp_path / "a.broker", clock)))
        broker.ensure(TOPICS)
        producer = opened.enter_context(closing(broker.producer()))
        store = opened.enter_context(closing(Store(broker, warehouse, clock, batch=10)))
        for word in words[:10]:
            producer.send(FEEDBACK, word.key, word.to_json())
        producer.flush()
        assert store.turn(0) == 10
        for word in words[10:]:
            producer.send(FEEDBACK, word.key, word.to_json())
        producer.flush()
        for _ in range(20):
            door.to_server = lambda data: bool(data)
            with pytest.raises(TryLater):
                store.turn(0)
            clock.set(clock.now() + timedelta(seconds=30))
            assert broker.lag("store")[FEEDBACK] == 20
        door.to_server = None
        while store.turn(0):
            pass
        assert len(view(warehouse, "feedback")) == 30
        assert broker.lag("store")[FEEDBACK] == 0
        warehouse.close()


def test_another_time_zone(postgres_server: PostgresServer, make_on: MakeOn) -> None:
    """A role whose sessions live in another zone writes and reads the same times."""
    admin(postgres_server, f"ALTER ROLE {USER} SET TimeZone = 'Asia/Kolkata'", "SELECT 1")
    try:
        warehouse = make_on()
        warehouse.write(SOME, START)
        assert one(warehouse, 7)["event_at"] == START
        (found,) = warehouse.sql("SELECT event_at, CAST(event_at AS text) FROM feedback", 1).rows
        assert found == (START, f"{START:%Y-%m-%d %H:%M:%S}")
        (span,) = warehouse.rows("counts_per_minute", from_at=START, to_at=minutes(1))
        assert (span["minute"], span["mentions"]) == (START, 50)
    finally:
        admin(postgres_server, f"ALTER ROLE {USER} RESET TimeZone", "SELECT 1")


def test_server_killed_and_back(make_on: MakeOn) -> None:
    """While the server is away everything is TryLater; back again, what was written is there."""
    server = PostgresServer()
    server.start()
    warehouse = PostgresWarehouse(server.url, key=KEY)
    warehouse.write(SOME, START)
    before = warehouse.revision()
    server.kill()
    for _ in range(2):
        with pytest.raises(TryLater):
            warehouse.write(Rows(feedback=[feedback(7777)]), START)
        with pytest.raises(TryLater):
            warehouse.rows("totals")
        with pytest.raises(TryLater):
            warehouse.sql("SELECT 1")
    server.start()
    warehouse.write(Rows(feedback=[feedback(7777)]), START)
    assert warehouse.rows("totals")[0]["mentions"] == 51
    assert warehouse.revision() > before
    warehouse.close()
    server.stop()


def test_connections_ended_by_the_administrator(
    postgres_server: PostgresServer, make_on: MakeOn
) -> None:
    """Each kept connection fails at most once, then new ones are made."""
    warehouse = make_on()
    warehouse.write(SOME, START)
    warehouse.rows("totals")
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "
    admin(postgres_server, f"{ended}'{USER}'")
    with pytest.raises(TryLater):
        warehouse.rows("totals")
    with pytest.raises(TryLater):
        warehouse.write(SOME, START)
    assert warehouse.rows("totals")[0]["mentions"] == 50
    warehouse.write(SOME, START)


# ---- what is told ------------------------------------------------------------------------------


def test_login_refused(postgres_server: PostgresServer) -> None:
    """A wrong password, role or database is one line that names the setting, not the password."""
    url = postgres_server.url
    for wrong, told in (
        (url.replace(PASSWORD, "wrong-pass"), "password authentication failed"),
        (url.replace(f"//{USER}", "//nobody"), "password authentication failed"),
        (url.replace("/groundswell", "/missing").replace("//missing", f"//{USER}"), "missing"),
    ):
        with pytest.raises(GiveUp, match=f"login in GROUNDSWELL_STORE.*{told}") as refused:
            PostgresWarehouse(wrong, key=KEY, setting="GROUNDSWELL_STORE")
        assert "wrong-pass" not in str(refused.value)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("url", ["nonsense", "postgresql://h/d?nonsense=1", "host"])
def test_no_address(url: str) -> None:
    """What is no address is said to be none, without quoting it."""
    with pytest.raises(GiveUp, match="no address") as refused:
        PostgresWarehouse(url, key=KEY)
    assert "nonsense" not in str(refused.value)


def test_nobody_there() -> None:
    """An address where nobody listens is TryLater: the server may still come."""
    with pytest.raises(TryLater, match="does not answer"):
        PostgresWarehouse("postgresql://groundswell@127.0.0.1:1/groundswell", key=KEY)


def test_foreign_schema_other_key_newer_version(
    postgres_server: PostgresServer, make_on: MakeOn
) -> None:
    """Each is named for what it is, and nothing is written."""
    warehouse = make_on()
    with pytest.raises(GiveUp, match="key does not belong"):
        make_on(key=bytes(32))
    newer = f"UPDATE {warehouse.schema}.meta SET value = '99' WHERE key = 'schema'"
    admin(postgres_server, newer)
    with pytest.raises(GiveUp, match="newer version"):
        make_on()
    admin(postgres_server, f"DROP TABLE {warehouse.schema}.meta")
    with pytest.raises(GiveUp, match="another program"):
        make_on()
    admin(postgres_server, f"CREATE TABLE {warehouse.schema}.meta (a integer)")
    with pytest.raises(GiveUp, match="another program"):
        make_on()
    with pytest.raises(GiveUp, match="small letters"):
        PostgresWarehouse(postgres_server.url, key=KEY, schema="x; DROP TABLE y")


def test_a_role_without_rights(postgres_server: PostgresServer) -> None:
    """A role that may not make the schema is told what it needs."""
    admin(postgres_server, f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
    url = postgres_server.url.replace(f"//{USER}", "//guest")
    with pytest.raises(GiveUp, match="owner of the database"):
        PostgresWarehouse(url, key=KEY)
    admin(postgres_server, "DROP ROLE guest")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "host=h dbname=d connect_timeout=3",
            "host=h dbname=d connect_timeout=3 tcp_user_timeout=",
        ),
        ("postgresql://h/d", "postgresql://h/d?connect_timeout=10&tcp_user_timeout=30000&"),
        ("postgresql://h/d?sslmode=require", "postgresql://h/d?sslmode=require&connect_timeout="),
    ],
)
def test_a_server_that_vanished_is_noticed(url: str, expected: str) -> None:
    """Addresses get the time-outs that they do not give themselves."""
    assert patient(url).startswith(expected)


# ---- several at once ---------------------------------------------------------------------------


def test_many_writers(make_on: MakeOn) -> None:
    """Four processes' worth of writers, opened at once: no row lost, no arrival twice."""
    failures: list[Exception] = []

    def write(first: int) -> None:
        try:
            warehouse = make_on()
            for batch in range(5):
                mine = [feedback(first + batch * 10 + n) for n in range(10)]
                shared = [feedback(n, version=first + batch) for n in range(10)]
                warehouse.write(Rows(feedback=[*mine, *shared]), START)
        except Exception as error:  # noqa: BLE001 - a thread's failure is the test's
            failures.append(error)

    writers = [threading.Thread(target=write, args=(1000 * n,)) for n in range(1, 5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    warehouse = make_on()
    found = warehouse.sql("SELECT count(*), count(DISTINCT arrival) FROM fct_mention")
    assert found.rows == [(210, 210)]
    assert warehouse.revision() == 20
    assert {row["version"] for row in view(warehouse, "feedback") if row["version"]} == {4004}


# ---- erasure -----------------------------------------------------------------------------------


def test_bytes_are_gone(postgres_server: PostgresServer, make_on: MakeOn) -> None:
    """After an erasure no table file of the server holds the text, the handle or the address."""
    told = "my unmistakable words about the shop"
    warehouse = make_on()
    keep = [feedback(n, text=f"{n} keeps its words") for n in range(500)]
    gone = feedback("4711", author="ann-0815", text=told, links=[link(OFFICIAL)])
    edited = feedback("4711", author="ann-0815", text=f"{told}, edited", version=1)
    warehouse.write(Rows(feedback=[*keep, gone]), START)
    warehouse.write(Rows(feedback=[edited]), START)
    needles = [told, "ann-0815", "handle-4711", "https://x.example/4711"]

    def held() -> set[str]:
        admin(postgres_server, "CHECKPOINT", "SELECT 1")
        contents = []
        for path in (postgres_server.data / "base").glob("*/*"):
            with suppress(FileNotFoundError):  # the server removes files of its own
                contents.append(path.read_bytes())
        return {needle for needle in needles if any(needle.encode() in c for c in contents)}

    assert held() == set(needles)
    removal = Removal(removal="x:ann-0815", kind="erased", at=minutes(9), scope="author")
    receipt = warehouse.erase([removal], minutes(10))
    assert receipt["mentions"] == 1
    assert any("write-ahead" in place for place in receipt["not_rewritten"])
    assert held() == set()
    assert one(warehouse, 7)["text"] == "7 keeps its words"
