"""The ready queries for analysts give the right answers; tests/end_to_end runs them on the demo."""

from collections.abc import Iterable
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

from pipeline.model import Coverage
from pipeline.ports import Rows, Warehouse
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse_words import OFFICIAL, PROPOSAL, START, feedback, minutes
from tests.sinks.filled import filled
from tests.sinks.postgres_helpers import MakeOn
from tests.sinks.ready_queries import QUERIES


def test_the_page_has_queries() -> None:
    """All of them are found, each by itself."""
    assert len(QUERIES) >= 10
    assert all(sql.lstrip().startswith("SELECT") and "```" not in sql for _, sql in QUERIES)


H9, H10 = START, minutes(60)
#: What each must answer of ``filled``.
ANSWERS: dict[str, list[tuple[object, ...]]] = {
    "How long before the official word?": [
        (OFFICIAL, "The shop is failing", minutes(30), 20.0, 25.0)
    ],
    "How many people, hour by hour?": [(OFFICIAL, H9, 5, 3), (OFFICIAL, H10, 2, 2)],
    "What do they talk about?": [(H9, None, 7, 5), (H10, None, 1, 1), (H10, "payment", 1, 1)],
    "Where, and which part?": [
        (OFFICIAL, None, "shop", 4, minutes(5)),
        (OFFICIAL, "Leeds", "shop", 1, minutes(50)),
    ],
    "Which reports may have missed their incident?": [(OFFICIAL, "The shop is failing", 1, 1)],
    "Still broken after resolved?": [(OFFICIAL, "The shop is failing", 1, minutes(100))],
    "How much is amplification?": [(OFFICIAL, "copy", 1), (OFFICIAL, "original", 6)],
    "When were we blind?": [("x", date(2026, 3, 2), "stopped", 1, 45.0)],
    "Completeness beside a number": [
        (None, H9, 1, 0.5, 30.0, "stopped"),
        ("acme", H9, 8, 0.5, 30.0, "stopped"),
        ("acme", H10, 2, 0.75, 15.0, "stopped"),
        ("other", H9, 1, 0.5, 30.0, "stopped"),
    ],
    "What became of our proposals?": [("official", 1, 1200.0)],
    "What did people say between two official words?": [
        (OFFICIAL, 1, "investigating", minutes(30), 2),
        (OFFICIAL, 2, "resolved", minutes(90), 1),
    ],
    "What did people correct?": [(OFFICIAL, "linked", 1, minutes(101))],
    "What did we know of an incident at that moment?": [],  # the first was written at ten
    "Which incidents stood open at that moment?": [
        (PROPOSAL, "The shop is failing", "proposed", "proposed", None),
        (OFFICIAL, "The shop is failing", "investigating", "investigating", None),
    ],
    "How did links come and go?": [(PROPOSAL, H10, 0, 0, 0, 0), (OFFICIAL, H10, 7, 0, 1, 1)],
    "What does a newer model see otherwise?": [("m1", "m2", "question", "complaint", 1)],
}


def answers(warehouse: Warehouse) -> dict[str, list[tuple[object, ...]]]:
    """What the queries answer, in an order of its own: databases sort NULL differently."""
    found = {title: warehouse.sql(sql) for title, sql in QUERIES}
    assert all(len(table.columns) >= 3 for table in found.values())
    return {title: in_order(_plain(row) for row in table.rows) for title, table in found.items()}


def in_order(rows: Iterable[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(rows, key=repr)


def _plain(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(float(cell) if isinstance(cell, Decimal) else cell for cell in row)


def test_the_ready_queries_are_right(make_on: MakeOn, tmp_path: Path) -> None:
    """Each runs as it stands and gives what was counted by hand, on both databases."""
    expected = {title: in_order(rows) for title, rows in ANSWERS.items()}
    with closing(DuckDBWarehouse(tmp_path / "a.duckdb")) as file:
        assert answers(filled(file)) == expected
    assert answers(filled(make_on())) == expected


def blind_minutes(warehouse: Warehouse) -> list[float]:
    """How long each hour with mentions was blind, before a gap and after one of 90 minutes."""
    warehouse.write(Rows(feedback=[feedback(1), feedback(2, at=60), feedback(3, at=120)]), START)
    sql = dict(QUERIES)["Completeness beside a number"]
    before = [float(row[4]) for row in warehouse.sql(sql).rows]
    gap = Coverage(source="x", from_at=minutes(15), to_at=minutes(105), is_gap=True, cause="error")
    warehouse.write(Rows(coverage=[gap]), START)
    return before + [float(row[4]) for row in warehouse.sql(sql).rows]


def test_only_gaps_are_blind(make_on: MakeOn, tmp_path: Path) -> None:
    """An hour without gaps was blind for 0 minutes, others for as long as their part of one."""
    expected = [0, 0, 0, 45, 45, 0]
    with closing(DuckDBWarehouse(tmp_path / "a.duckdb")) as file:
        assert blind_minutes(file) == expected
    assert blind_minutes(make_on()) == expected
