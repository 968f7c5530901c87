"""The dbt sources say what there is, and what they promise holds."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from config import dbt, dictionary
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.sinks.filled import FILLED, filled

FILE = Path(__file__).parents[2] / "docs" / "dbt" / "groundswell.yml"
CHECKS = dict(dbt.checks())


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """A warehouse with something in every view."""
    return filled(DuckDBWarehouse(tmp_path_factory.mktemp("dbt") / "a.duckdb"))


def test_the_file_is_current() -> None:
    """`make dictionary` was run after the last change of the SQL or the assurances."""
    assert FILE.read_text(encoding="utf-8") == dbt.written()


def test_every_view_and_column_stands_in_it() -> None:
    """In the shape that dbt reads: one source, a table a view, columns with words and tests."""
    told = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert told["version"] == 2
    (source,) = told["sources"]
    known = dictionary.columns()
    assert [table["name"] for table in source["tables"]] == [*dictionary.STABLE]
    for table in source["tables"]:
        names = [column["name"] for column in table["columns"]]
        assert names == [name for name, _ in known[table["name"]]]
        assert all(column["description"] for column in table["columns"])
        assert table["description"]
        for column in table["columns"]:
            for test in column.get("data_tests", ()):
                name = test if isinstance(test, str) else next(iter(test))
                assert name in {"unique", "not_null", "accepted_values", "relationships"}


def test_assurances_are_about_columns_that_there_are() -> None:
    """Every view has some, and none is about nothing."""
    known = {view: {name for name, _ in fields} for view, fields in dictionary.columns().items()}
    told = dbt.assurances()
    assert told.keys() == {*dictionary.STABLE}
    for view, columns in told.items():
        assert columns.keys() - {"key"} <= known[view]
        assert {*columns.get("key", ())} <= known[view]


def test_every_view_holds_something(warehouse: DuckDBWarehouse) -> None:
    """Or the next test would prove nothing."""
    counts = Counter({v: len(warehouse.sql(f"SELECT * FROM {v}").rows) for v in dictionary.STABLE})
    assert [view for view, count in counts.items() if not count] == []
    assert FILLED


@pytest.mark.parametrize("check", CHECKS)
def test_what_it_promises_holds(warehouse: DuckDBWarehouse, check: str) -> None:
    """The SQL that dbt's test would run finds nothing that breaks it."""
    assert warehouse.sql(CHECKS[check]).rows == []


def test_a_promise_that_does_not_hold_is_found(warehouse: DuckDBWarehouse) -> None:
    """Each kind of check finds what breaks it."""
    for view, column, told in (
        ("feedback", "source", "unique"),
        ("feedback", "repeat_of", "not_null"),
        ("feedback", "kind", "in review"),
        ("feedback", "id", "to dim_track.track"),
    ):
        assert warehouse.sql(dbt._broken(view, column, told)).rows
