"""The ready queries for analysts, on PostgreSQL; tests/end_to_end has them on DuckDB."""

from contextlib import closing
from pathlib import Path

import pytest

from pipeline.model import Coverage
from pipeline.ports import Rows, Warehouse
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse_words import OFFICIAL, START, feedback, incident, link, minutes
from tests.sinks.postgres_helpers import MakeOn
from tests.sinks.ready_queries import QUERIES

SOME = Rows(
    feedback=[feedback(n, links=[link(OFFICIAL)]) for n in range(5)], incidents=[incident()]
)


def test_the_page_has_queries() -> None:
    """All of them are found, each by itself."""
    assert len(QUERIES) >= 10
    assert all(sql.lstrip().startswith("SELECT") and "```" not in sql for _, sql in QUERIES)


@pytest.mark.parametrize("sql", [sql for _, sql in QUERIES], ids=[title for title, _ in QUERIES])
def test_the_ready_queries_run(make_on: MakeOn, sql: str) -> None:
    """Each runs as it stands and has columns."""
    warehouse = make_on()
    warehouse.write(SOME, START)
    assert len(warehouse.sql(sql).columns) >= 3


def blind_minutes(warehouse: Warehouse) -> list[float]:
    """How long each hour with mentions was blind, before a gap and after one of 90 minutes."""
    warehouse.write(Rows(feedback=[feedback(1), feedback(2, at=60), feedback(3, at=120)]), START)
    sql = dict(QUERIES)["Completeness beside a number"]
    before = [float(row[2]) for row in warehouse.sql(sql).rows]
    gap = Coverage(source="x", from_at=minutes(15), to_at=minutes(105), is_gap=True, cause="error")
    warehouse.write(Rows(coverage=[gap]), START)
    return before + [float(row[2]) for row in warehouse.sql(sql).rows]


def test_only_gaps_are_blind(make_on: MakeOn, tmp_path: Path) -> None:
    """An hour without gaps was blind for 0 minutes, others for as long as their part of one."""
    expected = [0, 0, 0, 45, 45, 0]
    with closing(DuckDBWarehouse(tmp_path / "a.duckdb")) as file:
        assert blind_minutes(file) == expected
    assert blind_minutes(make_on()) == expected
