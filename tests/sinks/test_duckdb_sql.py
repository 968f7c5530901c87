"""What an analyst's SQL may reach in DuckDB: nothing but the warehouse, and that only to read."""

from collections.abc import Iterator

import pytest

from pipeline.errors import Misuse
from pipeline.ports import Rows
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse_words import START, feedback, view


@pytest.fixture(scope="module")
def open_for_sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[DuckDBWarehouse]]:
    """A warehouse open for writing and one open for reading only, each with one mention."""
    folder = tmp_path_factory.mktemp("sql")
    opened = []
    for name in ("write.csv", "read.csv"):  # one that DuckDB would read as a table, if let
        warehouse = DuckDBWarehouse(folder / name)
        warehouse.write(Rows(feedback=[feedback(1)]), START)
        opened.append(warehouse)
    opened[1].close()
    opened[1] = DuckDBWarehouse(folder / "read.csv", read_only=True)
    yield opened
    for warehouse in opened:
        warehouse.close()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM read_csv('{file}')",
        "FROM '{file}'",
        "COPY feedback TO '{file}.csv'",
        "ATTACH '{file}.db'",
        "SET enable_external_access = true",
        "PRAGMA enable_external_access",
        "CALL force_checkpoint()",
        "INSTALL httpfs",
        "EXPLAIN ANALYZE DELETE FROM fct_mention",
        "WITH gone AS (DELETE FROM fct_mention RETURNING *) SELECT * FROM gone",
        "SELECT * FROM local_secret",
        "SELECT content FROM read_blob('{own}')",
        "SELECT (SELECT count(content) FROM main.\"READ_BLOB\"('{own}'))",
        "WITH own AS (FROM read_text('{own}')) SELECT * FROM own",
        "EXPLAIN ANALYZE SELECT * FROM read_blob('{own}')",
        "EXPLAIN (ANALYZE /*) SELECT 1 --*/) SELECT * FROM read_blob('{own}')",
        "SELECT * FROM query('FROM read_blob(''{own}'')')",
        "FROM '{own}'",
        "DESCRIBE '{own}'",
        "SELECT * FROM checkpoint()",
        "EXPLAIN (ANALYZE) SELECT * FROM force_checkpoint()",
        "SELECT * FROM truncate_duckdb_logs()",
    ],
)
def test_sql_reaches_nothing_else(open_for_sql: list[DuckDBWarehouse], text: str) -> None:
    """No file, no setting, no variable of the program and no row can be reached or changed."""
    local_secret = [("a", 1)]
    for warehouse in open_for_sql:
        other = warehouse.path.with_name("other.txt")
        other.write_text("secret\n")
        with pytest.raises(Misuse) as refused:
            warehouse.sql(text.replace("{file}", str(other)).replace("{own}", str(warehouse.path)))
        assert "secret\n" not in str(refused.value)
        assert len(view(warehouse, "feedback")) == len(local_secret)
        assert warehouse.sql("SELECT now() IS NOT NULL, now()").rows[0][0] is True


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM range(3)",
        "SELECT unnest([1, 2])",
        "SELECT * FROM feedback f, json_each('[1, 2]')",
        "SELECT count(*) FROM duckdb_columns()",
        "EXPLAIN (FORMAT JSON) SELECT * FROM feedback",
        "EXPLAIN ANALYZE SELECT * FROM feedback",
        "SUMMARIZE feedback",
        "DESCRIBE feedback",
        "SHOW TABLES",
        "FROM feedback SELECT id",
        "PIVOT mentions_hourly ON intent IN ('question') USING sum(mentions)",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) FROM n",
    ],
)
def test_sql_that_reads_is_answered(open_for_sql: list[DuckDBWarehouse], text: str) -> None:
    """Whatever reads the warehouse's tables only is answered, in any form."""
    for warehouse in open_for_sql:
        assert warehouse.sql(text).columns
