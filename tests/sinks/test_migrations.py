"""Warehouses of earlier releases, with data in them, brought to the present form."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import GiveUp
from pipeline.model import Removal
from pipeline.ports import Rows, Warehouse
from sinks import migrations, sql
from sinks.duckdb_warehouse import DUCKDB, DuckDBWarehouse
from sinks.postgres_link import PostgresLink
from sinks.postgres_statements import POSTGRES
from sinks.postgres_warehouse import PostgresWarehouse
from tests.contracts.warehouse_words import (
    OFFICIAL,
    START,
    feedback,
    incident,
    link,
    minutes,
    view,
)
from tests.servers.postgres import PostgresServer
from tests.sinks.postgres_helpers import KEY, admin, drop

#: Warehouses as released programs left them; a release adds its own folder, none is ever changed.
RELEASED = Path(__file__).parent / "released"
RELEASES = sorted(int(folder.name.removeprefix("schema_")) for folder in RELEASED.iterdir())
SCHEMA = "test_migrations"
#: Parts of a table are left out: which there are depends on what it holds.
COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
    "WHERE table_schema = '{}' AND table_name NOT LIKE 'mention_private_2%' "
    "ORDER BY table_name, column_name"
)

INDEXES = (
    f"SELECT indexdef FROM pg_indexes WHERE schemaname = '{SCHEMA}' "
    "AND tablename NOT LIKE 'mention_private_2%' ORDER BY 1"
)


def old_statements(schema: int, database: str) -> list[str]:
    """What makes a warehouse as that release left it."""
    folder = RELEASED / f"schema_{schema}"
    made = sql.parse((folder / f"{database}.sql").read_text(), database)
    rows = (folder / "rows.sql").read_text().splitlines()
    return [*(query.text for query in made.values()), *(r for r in rows if not r.startswith("--"))]


def old_file(path: Path, schema: int) -> None:
    """A DuckDB file of that release."""
    with duckdb.connect(str(path)) as connection:
        for statement in old_statements(schema, "duckdb"):
            connection.execute(statement)


@pytest.fixture
def in_postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a server on which the schema of these tests is free."""
    drop(postgres_server.url, [SCHEMA])
    yield postgres_server.url
    drop(postgres_server.url, [SCHEMA])


def old_schema(url: str, schema: int) -> None:
    """A PostgreSQL schema of that release."""
    connection = PostgresLink(url, SCHEMA, "url").open()
    connection.run_all([f"CREATE SCHEMA {SCHEMA}", *old_statements(schema, "postgres")])
    connection.close()


def holds_what_it_held(warehouse: Warehouse) -> None:
    """What every release's fixture holds is answered, and more can be written."""
    found = {row["id"]: row for row in warehouse.rows("newest_feedback")}
    # One was erased, one hidden.
    assert sorted(found) == ["bluesky:0", "bluesky:4", "x:1", "x:3"]
    assert found["bluesky:0"]["text"] == "Acme checkout is down, O'Brien street"
    assert found["bluesky:0"]["incident_id"] == "statuspage:7"
    assert found["x:1"]["severity"] == "high"
    incidents = {row["incident_id"]: row for row in warehouse.rows("incident_list")}
    assert incidents["statuspage:7"]["lead_seconds"] == 900
    assert warehouse.rows("totals")[0]["removed"] == 2
    (post,) = warehouse.rows("mention", id="bluesky:0")
    assert (post["handle"], post["hashtags"]) == ("h0", ["acmedown"])
    assert post["label_evidence"]["component"][0]["value"] == "checkout"
    (erased,) = warehouse.rows("mention", id="x:5")
    assert (erased["text"], erased["handle"], erased["label_evidence"]) == (None, None, None)
    warehouse.write(Rows(feedback=[feedback(99)]), START)
    assert warehouse.rows("totals")[0]["mentions"] == 7


@pytest.mark.parametrize("schema", RELEASES)
def test_a_file_of_an_older_release(tmp_path: Path, schema: int) -> None:
    """It is migrated when it is opened, keeps what it holds, and has the form of a new file."""
    path = tmp_path / "old.duckdb"
    old_file(path, schema)
    with closing(DuckDBWarehouse(path, key=KEY)) as warehouse:
        assert warehouse.schema == schema
        holds_what_it_held(warehouse)
        form = warehouse.sql(COLUMNS.format("main")).rows
    with closing(DuckDBWarehouse(path, key=KEY)) as again:
        assert again.migrated == []
    with closing(DuckDBWarehouse(tmp_path / "new.duckdb", key=KEY)) as new:
        assert form == new.sql(COLUMNS.format("main")).rows


@pytest.mark.parametrize("schema", RELEASES)
def test_a_schema_of_an_older_release(in_postgres: str, schema: int) -> None:
    """It is refused until it is migrated; then it keeps what it holds, in the form of a new one."""
    old_schema(in_postgres, schema)
    connection = PostgresLink(in_postgres, SCHEMA, "url").open()
    connection.run_all(["DROP INDEX IF EXISTS mention_identity_by_author"])  # some lacked it
    connection.close()
    with pytest.raises(GiveUp, match="run `groundswell migrate`"):
        PostgresWarehouse(in_postgres, key=KEY, schema=SCHEMA)
    with closing(PostgresWarehouse(in_postgres, key=KEY, schema=SCHEMA, migrate=True)) as warehouse:
        assert warehouse.version == schema
        holds_what_it_held(warehouse)
        form = warehouse.sql(COLUMNS.format(SCHEMA)).rows
        indexes = warehouse.sql(INDEXES).rows
    drop(in_postgres, [SCHEMA])
    with closing(PostgresWarehouse(in_postgres, key=KEY, schema=SCHEMA)) as new:
        assert form == new.sql(COLUMNS.format(SCHEMA)).rows
        assert indexes == new.sql(INDEXES).rows


#: What the author of two posts in the fixtures wrote, and what leads to him.
WORDS = ("O'Brien street", "is it me or is the Acme shop gone", "acmedown", "bluesky:a0", "/0")
GONE = Removal(removal="bluesky:a0", kind="erased", at=minutes(9), scope="author")


def test_what_a_migration_moved_is_erased_from_the_file(tmp_path: Path) -> None:
    """Columns that a migration dropped leave no words behind once their author is erased."""
    path = tmp_path / "old.duckdb"
    old_file(path, 5)
    with closing(DuckDBWarehouse(path, key=KEY)) as warehouse:
        assert warehouse.erase([GONE], START)["mentions"] == 2
        for _ in range(2):
            held = b"".join(file.read_bytes() for file in tmp_path.iterdir())
            assert [word for word in WORDS if word.encode() in held] == []
            warehouse.close()


def test_what_a_migration_moved_is_erased_from_the_server(
    postgres_server: PostgresServer, in_postgres: str
) -> None:
    """So it is in PostgreSQL, where dropped columns stay in rows until these are written anew."""
    old_schema(in_postgres, 5)
    with closing(PostgresWarehouse(in_postgres, key=KEY, schema=SCHEMA, migrate=True)) as warehouse:
        assert warehouse.erase([GONE], START)["mentions"] == 2
        tables = warehouse.sql(
            "SELECT pg_relation_filepath(c.oid) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            f"WHERE n.nspname = '{SCHEMA}' AND relkind IN ('r', 'i')"
        ).rows
    admin(postgres_server, "CHECKPOINT", "SELECT 1")
    held = b"".join((postgres_server.data / name).read_bytes() for (name,) in tables)
    assert b"works again, thanks Acme" in held
    assert [word for word in WORDS if word.encode() in held] == []


@pytest.mark.parametrize("schema", [5])
def test_claims_and_places_are_read_from_reasons_once(tmp_path: Path, schema: int) -> None:
    """Rumours and regions that stood in the reasons are there without them."""
    path = tmp_path / "old.duckdb"
    old_file(path, schema)
    with closing(DuckDBWarehouse(path, key=KEY)) as warehouse:
        claims = [row["claim"] for row in view(warehouse, "rumours")]
        assert claims == ["data_leaked", "hacked"]
        told = warehouse.sql("SELECT id, place_in FROM fct_mention WHERE place_in IS NOT NULL").rows
        assert told == [("x:1", "France")]


def test_reading_an_older_file(tmp_path: Path) -> None:
    """Who may only read an older file gets its views, and is told what our questions need."""
    path = tmp_path / "old.duckdb"
    old_file(path, 1)
    with closing(DuckDBWarehouse(path, read_only=True)) as warehouse:
        assert warehouse.sql("SELECT count(*) FROM feedback").rows == [(6,)]
        with pytest.raises(GiveUp, match="run `groundswell migrate`"):
            warehouse.rows("totals")


def test_a_newer_file(tmp_path: Path) -> None:
    """A file that a newer program has changed is refused, and told apart from a foreign one."""
    path = tmp_path / "new.duckdb"
    DuckDBWarehouse(path, key=KEY).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE meta SET value = '9999' WHERE key = 'schema'")
    with pytest.raises(GiveUp, match=r"newer version .*schema 9999.*install the newer"):
        DuckDBWarehouse(path, key=KEY)


def test_a_newer_schema(in_postgres: str) -> None:
    """So is a schema of PostgreSQL."""
    PostgresWarehouse(in_postgres, key=KEY, schema=SCHEMA).close()
    connection = PostgresLink(in_postgres, SCHEMA, "url").open()
    connection.run_all(["UPDATE meta SET value = '9999' WHERE key = 'schema'"])
    connection.close()
    with pytest.raises(GiveUp, match=r"newer version .*schema 9999.*install the newer"):
        PostgresWarehouse(in_postgres, key=KEY, schema=SCHEMA, migrate=True)


def test_an_edited_migration(tmp_path: Path) -> None:
    """A migration that is not the one that made this warehouse is refused."""
    path = tmp_path / "edited.duckdb"
    DuckDBWarehouse(path, key=KEY).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE meta SET value = 'other' WHERE key = 'migration_0002'")
    with pytest.raises(GiveUp, match="another migration 2"):
        DuckDBWarehouse(path, key=KEY)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """All pending migrations come with one commit: half of them is never seen."""
    path = tmp_path / "old.duckdb"
    old_file(path, 1)
    with duckdb.connect(str(path)) as connection:
        form = connection.execute(COLUMNS.format("main")).fetchall()
    migration = migrations.load(DUCKDB)[-1]
    broken = migrations.Migration(
        migration.number + 1, "broken", ("CREATE TABLE half (a INTEGER)", "DROP TABLE none"), ""
    )
    with pytest.MonkeyPatch.context() as patch:
        everything = (*migrations.load(DUCKDB), broken)
        patch.setattr(migrations, "load", lambda _: everything)
        with pytest.raises(GiveUp):
            DuckDBWarehouse(path, key=KEY)
    with duckdb.connect(str(path)) as connection:
        assert connection.execute(COLUMNS.format("main")).fetchall() == form


def test_rights_stay_when_a_view_gets_another_form(
    postgres_server: PostgresServer, in_postgres: str
) -> None:
    """A view that cannot be replaced is made anew, with what was granted on it."""
    old_schema(in_postgres, 1)
    admin(
        postgres_server,
        "DROP ROLE IF EXISTS reader_of_old",
        "CREATE ROLE reader_of_old",
        f"GRANT SELECT ON {SCHEMA}.feedback TO reader_of_old",
        # As if an earlier release had a column that views no longer have.
        f"CREATE OR REPLACE VIEW {SCHEMA}.mention_tracks AS SELECT id, unnest(tracks) AS track, "
        f"1 AS one_more FROM {SCHEMA}.fct_mention",
        "SELECT 1",
    )
    PostgresWarehouse(in_postgres, key=KEY, schema=SCHEMA, migrate=True).close()
    found = admin(
        postgres_server,
        f"SELECT has_table_privilege('reader_of_old', '{SCHEMA}.feedback', 'SELECT') AS may",
    )
    admin(postgres_server, f"REVOKE ALL ON {SCHEMA}.feedback FROM reader_of_old", "SELECT 1")
    admin(postgres_server, "DROP ROLE reader_of_old", "SELECT 1")
    assert found == [{"may": True}]


#: As if views of an earlier release had counted by other rules, and been rolled up.
OLD_RULES = (
    "UPDATE meta SET value = 'another' WHERE key IN ('views', 'counted_by')",
    "UPDATE agg_mentions_hourly SET mentions = 7",
    "UPDATE agg_incident SET mentions = 7",
)
COUNTED = Rows(
    feedback=[feedback(n, links=[link(OFFICIAL)]) for n in (1, 2)], incidents=[incident()]
)


def counted(warehouse: Warehouse) -> list[object]:
    """The numbers of mentions that views of counts tell, at present and after a roll-up."""
    told = []
    for _ in range(2):
        told += [row["mentions"] for row in view(warehouse, "mentions_hourly")]
        told += [row["mentions"] for row in view(warehouse, "incidents")]
        warehouse.roll_up(START)
    return told


def test_counts_at_rest_follow_the_rules_of_new_views(tmp_path: Path) -> None:
    """Another release's views count anew what the views before them had counted."""
    path = tmp_path / "w.duckdb"
    with closing(DuckDBWarehouse(path)) as warehouse:
        warehouse.write(COUNTED, START)
        right = counted(warehouse)
    with duckdb.connect(str(path)) as connection:
        for statement in OLD_RULES:
            connection.execute(statement)
    with closing(DuckDBWarehouse(path)) as warehouse:
        assert counted(warehouse) == right


def test_other_views_leave_the_counts_at_rest_alone(tmp_path: Path) -> None:
    """Millions of posts are not counted anew for a view that they are not counted by."""
    path = tmp_path / "w.duckdb"
    with closing(DuckDBWarehouse(path)) as warehouse:
        warehouse.write(COUNTED, START)
        warehouse.roll_up(START)
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE meta SET value = 'another' WHERE key = 'views'")
    with closing(DuckDBWarehouse(path)) as warehouse:
        assert warehouse.roll_up(START) == 0


def test_counts_at_rest_follow_the_rules_of_new_views_in_postgres(in_postgres: str) -> None:
    """As on DuckDB."""
    with closing(PostgresWarehouse(in_postgres, key=KEY, schema=SCHEMA)) as warehouse:
        warehouse.write(COUNTED, START)
        right = counted(warehouse)
    connection = PostgresLink(in_postgres, SCHEMA, "url").open()
    connection.run_all(OLD_RULES)
    connection.close()
    with closing(PostgresWarehouse(in_postgres, key=KEY, schema=SCHEMA)) as warehouse:
        assert counted(warehouse) == right


def test_both_databases_have_the_same_migrations() -> None:
    """Numbers and names agree, so that a word about one holds for the other."""
    duck, post = migrations.load(DUCKDB), migrations.load(POSTGRES)
    assert [(each.number, each.name) for each in duck] == [(e.number, e.name) for e in post]
