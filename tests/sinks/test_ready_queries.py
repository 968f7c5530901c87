"""The ready queries for analysts, on PostgreSQL; tests/end_to_end has them on DuckDB."""

import pytest

from pipeline.ports import Rows
from tests.contracts.warehouse_words import OFFICIAL, START, feedback, incident, link
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
