"""What a server and its administrator do to a warehouse: full disks, odd settings, rights."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import GiveUp, Misuse, TryLater
from pipeline.ports import Rows
from sinks.postgres_warehouse import PostgresWarehouse
from tests.contracts.warehouse_words import OFFICIAL, START, feedback, incident, link, one, view
from tests.servers.postgres import PASSWORD, USER, PostgresServer
from tests.sinks.postgres_helpers import KEY, MakeOn, admin

SOME = Rows(
    feedback=[feedback(n, links=[link(OFFICIAL)]) for n in range(50)], incidents=[incident()]
)
# As an administrator may set a role, each against what our statements take for granted.
ODD_SETTINGS = (
    "DateStyle = 'German'",
    "standard_conforming_strings = off",
    "default_transaction_isolation = 'serializable'",
    "statement_timeout = '50ms'",
    "search_path = pg_catalog",
    "extra_float_digits = -15",
)
RECIPES = Path(__file__).parents[2] / "docs/postgres.md"


# ---- a disk that fills -------------------------------------------------------------------------


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A file system of that size that PostgreSQL may write to; skipped where none can be made."""
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a full disk under PostgreSQL is NOT tested: only root can mount one")
    made = subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True)
    folder = Path(made.stdout.strip())
    size = ["-o", f"size={megabytes}m,mode=0777"]
    if subprocess.run(["mount", "-t", "tmpfs", *size, "tmpfs", folder], check=False).returncode:
        folder.rmdir()
        pytest.skip("a full disk under PostgreSQL is NOT tested: nothing can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def test_a_disk_that_fills() -> None:
    """TryLater while it is full, with all that was acknowledged; more room, and it goes on."""
    server = PostgresServer()
    with small_disk(12) as folder:
        place = folder / "place"
        place.mkdir()
        shutil.chown(place, *_owner(server.data))
        place.chmod(0o700)
        server.start()
        try:
            admin(
                server,
                f"CREATE TABLESPACE small LOCATION '{place}'",
                f"GRANT CREATE ON TABLESPACE small TO {USER}",
                f"ALTER ROLE {USER} SET default_tablespace = 'small'",
                "SELECT 1",
            )
            warehouse = PostgresWarehouse(server.url, key=KEY)
            batches = [
                Rows(feedback=[feedback(n, text=f"{n} " * 400) for n in range(first, first + 500)])
                for first in range(0, 20_000, 500)
            ]
            written, told = _until_full(warehouse, batches)
            assert written
            assert "53100" in told
            (kept,) = warehouse.rows("totals")
            assert kept["mentions"] == written * 500
            more = ["mount", "-o", "remount,size=200m", str(folder)]
            subprocess.run(more, check=True)
            warehouse.write(batches[written], START)
            (kept,) = warehouse.rows("totals")
            assert kept["mentions"] == (written + 1) * 500
            warehouse.close()
        finally:
            server.stop()


def _until_full(warehouse: PostgresWarehouse, batches: list[Rows]) -> tuple[int, str]:
    """Writes until there is no room; how many batches went in, and what is told then."""
    for written, batch in enumerate(batches):
        try:
            warehouse.write(batch, START)
        except TryLater as full:
            return written, str(full)
    raise AssertionError("the disk took everything")


def _owner(path: Path) -> tuple[int, int]:
    told = path.stat()
    return told.st_uid, told.st_gid


# ---- settings of a role ------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ODD_SETTINGS)
def test_odd_settings_of_the_role(
    postgres_server: PostgresServer, make_on: MakeOn, setting: str
) -> None:
    """What an administrator sets for our role changes neither what is written nor what is read."""
    name = setting.split(" ", maxsplit=1)[0]
    admin(postgres_server, f"ALTER ROLE {USER} SET {setting}", "SELECT 1")
    try:
        warehouse = make_on()
        said = "back\\slash and 'quotes'"
        warehouse.write(SOME, START)
        warehouse.write(Rows(feedback=[feedback(60, text=said, at=-100_000)]), START)
        assert one(warehouse, 60)["text"] == said
        assert one(warehouse, 7)["event_at"] == START
        assert one(warehouse, 7)["intent_p"] == 0.9
        assert warehouse.tidy(START) == []
        make_on().write(Rows(feedback=[feedback(61, at=-200_000)]), START)
        assert len(view(warehouse, "feedback")) == 52
    finally:
        admin(postgres_server, f"ALTER ROLE {USER} RESET {name}", "SELECT 1")


def test_a_program_left_behind(postgres_server: PostgresServer, make_on: MakeOn) -> None:
    """One that still runs when a newer one changed the schema is told to start again."""
    warehouse = make_on()
    warehouse.write(SOME, START)
    changed = f"ALTER TABLE {warehouse.schema}.fct_link RENAME TO fct_other"
    admin(postgres_server, changed, "SELECT 1")
    for _ in range(2):
        with pytest.raises(GiveUp, match="another form while this ran"):
            warehouse.write(SOME, START)


# ---- rights ------------------------------------------------------------------------------------


@pytest.fixture
def as_told(postgres_server: PostgresServer, make_on: MakeOn) -> Iterator[dict[str, str]]:
    """A filled warehouse and the roles that docs/postgres.md makes: their addresses by name."""
    warehouse = make_on()
    warehouse.write(SOME, START)
    found = re.findall(r"```sql\n(.*?)```", RECIPES.read_text(encoding="utf-8"), re.DOTALL)
    statements = [part for recipe in found for part in re.split(r";\n(?=CREATE|GRANT|DO)", recipe)]
    told = [re.sub(r"'choose \w+'", f"'{PASSWORD}'", text) for text in statements]
    told = [re.sub(r"\bgroundswell\b", warehouse.schema, text) for text in told]
    admin(postgres_server, *told, "SELECT 1")
    url = postgres_server.url
    yield {name: url.replace(f"//{USER}", f"//{name}") for name in ("analyst", "counter")}
    for name in ("analyst", "counter"):
        admin(postgres_server, f"DROP OWNED BY {name}", f"DROP ROLE {name}", "SELECT 1")


def test_rights_as_told(
    postgres_server: PostgresServer, make_on: MakeOn, as_told: dict[str, str]
) -> None:
    """Analysts see views and no table, who counts sees no word; also when views are made anew."""
    url, schema = postgres_server.url, make_on().schema
    for _ in range(2):
        split = PostgresWarehouse(url, key=KEY, schema=schema, reading=as_told["analyst"])
        assert split.sql("SELECT count(text) FROM feedback").rows == [(50,)]
        counts = PostgresWarehouse(url, key=KEY, schema=schema, reading=as_told["counter"])
        counted = "SELECT intent, count(*) FROM feedback GROUP BY 1"
        assert counts.sql(counted).rows == [("report", 50)]
        assert counts.sql("SELECT link_state FROM incident_feedback", 1).rows == [("linked",)]
        assert counts.sql("SELECT witnesses FROM incidents").rows == [(50,)]
        for view_with_words in ("feedback", "incident_feedback"):
            assert_denied(counts, view_with_words)
        for table in ("mention_private", "mention_private_20260302", "fct_link", "fct_mention"):
            assert_denied(split, table)
            assert_denied(counts, table)
        split.close()
        counts.close()
        _give_views_another_form(postgres_server, schema)


def test_every_view_for_analysts_is_granted() -> None:
    """The recipes name all views that docs/warehouse.md calls stable."""
    stable = RECIPES.with_name("warehouse.md").read_text(encoding="utf-8")
    stable = stable.partition("\n## Stable views\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"groundswell\.(\w+)", RECIPES.read_text(encoding="utf-8")))
    assert set(re.findall(r"\n### (\w+)", stable)) - named == set()


def assert_denied(warehouse: PostgresWarehouse, relation: str) -> None:
    """The role may not read all of it."""
    with pytest.raises(Misuse, match="permission denied"):
        warehouse.sql(f"SELECT * FROM {relation}")


def test_rights_of_a_role_with_an_awkward_name(
    postgres_server: PostgresServer, make_on: MakeOn
) -> None:
    """Quotes in the name of a role do no harm when views are made anew with its rights."""
    name = '"O\'Brien; ""x"""'
    schema = make_on().schema
    granted = f"GRANT SELECT (id, intent) ON {schema}.feedback TO {name}"
    admin(postgres_server, f"CREATE ROLE {name}", granted, "SELECT 1")
    _give_views_another_form(postgres_server, schema)
    make_on()
    held = (
        f"SELECT has_column_privilege('{name[1:-1]}', '{schema}.feedback', '{{}}', 'SELECT') AS may"
    )
    held = held.replace("O'Brien", "O''Brien").replace('""', '"')
    found = [admin(postgres_server, held.format(column))[0]["may"] for column in ("id", "text")]
    admin(postgres_server, f"DROP OWNED BY {name}", f"DROP ROLE {name}", "SELECT 1")
    assert found == [True, False]


def _give_views_another_form(server: PostgresServer, schema: str) -> None:
    """As if an earlier release had had a column more."""
    admin(
        server,
        f"CREATE OR REPLACE VIEW {schema}.mention_tracks AS SELECT id, unnest(tracks) AS track, "
        f"1 AS one_more FROM {schema}.fct_mention",
        f"UPDATE {schema}.meta SET value = 'other' WHERE key = 'views'",
        "SELECT 1",
    )


@pytest.mark.parametrize(
    "text",
    [
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
        'SELECT "pg_terminate_backend" (pid) FROM pg_stat_activity',
        "SELECT pg_catalog.PG_CANCEL_BACKEND/* */(1)",
        'SELECT U&"pg\\005fterminate_backend"(1)',
        "SELECT query_to_xml('SELECT pg_terminate' || '_backend(1)', TRUE, TRUE, '')",
        "SELECT * FROM ts_stat('SELECT 1')",
        "SELECT * FROM dblink('dbname=x', 'DELETE FROM y') AS t(a int)",
        "SELECT lo_export(1, '/tmp/x')",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "SELECT pg_read_binary_file('PG_VERSION')",
        "SELECT pg_ls_dir('/')",
        "SELECT nextval('x')",
        "TABLE fct_mention; DROP TABLE fct_mention",
        "WITH x AS (SELECT set_config('role', 'admin', FALSE)) SELECT * FROM x, pg_authid",
    ],
)
def test_sql_that_acts(make_on: MakeOn, text: str) -> None:
    """Nobody else's work is ended, no SQL is run from a text, and no other server is called."""
    warehouse = make_on()
    warehouse.write(SOME, START)
    with pytest.raises(Misuse) as refused:
        warehouse.sql(text)
    assert "\n" not in str(refused.value)
    warehouse.write(Rows(feedback=[feedback(60)]), START)
    assert warehouse.sql("SELECT count(*) FROM feedback WHERE text <> 'dblink'").rows == [(51,)]


def test_sql_that_sleeps(make_on: MakeOn) -> None:
    """It ends at its limit, whatever it sets meanwhile; large objects that it makes are gone."""
    warehouse = make_on()
    with pytest.raises(Misuse, match="longer than"):
        warehouse.sql("SELECT set_config('statement_timeout', '0', FALSE), pg_sleep(60)", 1, 0.3)
    warehouse.sql("SELECT lo_from_bytea(0, 'kept?')", 1) if _makes_objects(warehouse) else None
    assert warehouse.sql("SELECT count(*) FROM pg_largeobject_metadata").rows == [(0,)]


def _makes_objects(warehouse: PostgresWarehouse) -> bool:
    """Up to version 15 a read-only transaction may, until it is undone."""
    ((version,),) = warehouse.sql("SELECT current_setting('server_version_num')::int").rows
    return bool(version < 160_000)
