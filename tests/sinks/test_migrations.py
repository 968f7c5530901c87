"""Warehouses of earlier releases, with data in them, brought to the present form."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import GiveUp
from pipeline.ports import Rows, Warehouse
from sinks import migrations, sql
from sinks.duckdb_warehouse import DUCKDB, DuckDBWarehouse
from sinks.postgres_link import PostgresLink
from sinks.postgres_statements import POSTGRES
from sinks.postgres_warehouse import PostgresWarehouse
from tests.contracts.warehouse_words import START, feedback
from tests.servers.postgres import PostgresServer
from tests.sinks.postgres_helpers import KEY, admin, drop

#: Warehouses as released programs left them; a release adds its own folder, none is ever changed.
RELEASED = Path(__file__).parent / "released"
RELEASES = sorted(int(folder.name.removeprefix("schema_")) for folder in RELEASED.iterdir())
SCHEMA = "test_migrations"
COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
    "WHERE table_schema = '{}' ORDER BY table_name, column_name"
)

INDEXES = f"SELECT indexdef FROM pg_indexes WHERE schemaname = '{SCHEMA}' ORDER BY 1"


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
    connection.run_all(["DROP INDEX mention_identity_by_author"])  # some lacked it
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


def test_both_databases_have_the_same_migrations() -> None:
    """Numbers and names agree, so that a word about one holds for the other."""
    duck, post = migrations.load(DUCKDB), migrations.load(POSTGRES)
    assert [(each.number, each.name) for each in duck] == [(e.number, e.name) for e in post]
