"""An analyst's SQL on PostgreSQL: what it answers and what it cannot reach."""

import pytest

from pipeline.errors import Misuse
from pipeline.ports import Rows
from sinks.postgres_warehouse import PostgresWarehouse
from tests.contracts.warehouse_words import OFFICIAL, START, feedback, incident, link, view
from tests.servers.postgres import PASSWORD, USER, PostgresServer
from tests.sinks.postgres_helpers import KEY, MakeOn, admin

SOME = Rows(
    feedback=[feedback(n, links=[link(OFFICIAL)]) for n in range(50)], incidents=[incident()]
)


@pytest.mark.parametrize(
    "text",
    [
        "COPY feedback TO '/tmp/copied'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT '\ud83d'",
        "SELECT '\x00'",
        "SELECT 1) TO PROGRAM 'true' --",
        "SET transaction_read_only = off",
        "SELECT set_config('transaction_read_only', 'off', FALSE)",
        "SELECT set_config('transaction_read_only', 'off', TRUE), (SELECT 1 FROM feedback)",
        "DO $$ BEGIN DELETE FROM fct_mention; END $$",
        "COMMIT",
        "WITH gone AS (DELETE FROM fct_mention RETURNING *) SELECT * FROM gone",
        "EXPLAIN ANALYZE DELETE FROM fct_mention",
        "SELECT * FROM fct_mention FOR UPDATE",
        "/* hello */ DELETE FROM fct_mention",
        "SELECT 1 INTO TABLE mine",
        "SELECT ROW(1, 2)",
        "SELECT setval('missing', 1)",
        "LISTEN x",
    ],
)
def test_sql_reaches_nothing_else(make_on: MakeOn, text: str) -> None:
    """No file, no setting and no row can be reached or changed, and the next one finds it so."""
    warehouse = make_on()
    warehouse.write(Rows(feedback=[feedback(1)]), START)
    with pytest.raises(Misuse) as refused:
        warehouse.sql(text, limit=10)
    assert "\n" not in str(refused.value)
    assert "root:" not in str(refused.value)
    assert len(view(warehouse, "feedback")) == 1


def test_sql_leaves_nothing_behind(make_on: MakeOn) -> None:
    """What a SELECT sets or locks in the session is gone with it."""
    warehouse = make_on()
    warehouse.sql("SELECT set_config('search_path', 'nowhere', FALSE), pg_advisory_lock(1)")
    assert warehouse.sql("SHOW search_path").rows == [(warehouse.schema,)]
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    assert warehouse.sql(locks).rows == [(0,)]


def test_sql_speaks_of_numbers_and_plans(make_on: MakeOn) -> None:
    """Numerics come as numbers, EXPLAIN and SHOW as tables; comments may stand first."""
    warehouse = make_on()
    text = "-- sums\n(SELECT sum(n) AS a, 1.5 AS b, NULL AS c FROM (VALUES (2), (3)) v (n));"
    table = warehouse.sql(text)
    assert (table.columns, table.rows) == (["a", "b", "c"], [(5, 1.5, None)])
    assert warehouse.sql("EXPLAIN SELECT * FROM feedback").columns == ["QUERY PLAN"]


def test_sql_of_a_superuser_is_refused(postgres_server: PostgresServer, make_on: MakeOn) -> None:
    """A role that could read the server's files answers no SQL; another may be named for that."""
    warehouse = make_on()
    strong = PostgresWarehouse(postgres_server.admin_url, key=KEY, schema=warehouse.schema)
    with pytest.raises(Misuse, match="superuser"):
        strong.sql("SELECT 1")
    strong.close()
    split = PostgresWarehouse(
        postgres_server.admin_url, key=KEY, schema=warehouse.schema, reading=postgres_server.url
    )
    assert split.sql("SELECT 1").rows == [(1,)]
    split.close()


def test_an_analyst_sees_the_views_alone(postgres_server: PostgresServer, make_on: MakeOn) -> None:
    """With the rights that the module names, the stable views answer and the tables do not."""
    warehouse = make_on()
    warehouse.write(SOME, START)
    schema = warehouse.schema
    admin(
        postgres_server,
        f"CREATE ROLE analyst LOGIN PASSWORD '{PASSWORD}'",
        f"GRANT USAGE ON SCHEMA {schema} TO analyst",
        f"GRANT SELECT ON {schema}.feedback, {schema}.incidents TO analyst",
    )
    reading = postgres_server.url.replace(f"//{USER}", "//analyst")
    split = PostgresWarehouse(postgres_server.url, key=KEY, schema=schema, reading=reading)
    assert split.sql("SELECT count(*) FROM feedback").rows == [(50,)]
    assert split.sql("SELECT witnesses FROM incidents").rows == [(50,)]
    with pytest.raises(Misuse, match="permission denied"):
        split.sql("SELECT handle FROM mention_private")
    split.close()
    admin(postgres_server, "DROP OWNED BY analyst", "DROP ROLE analyst")
