"""The filter that tells a write which keys are surely new."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import GiveUp
from pipeline.ports import Rows
from sinks import duckdb_held, duckdb_write
from sinks.duckdb_held import Held
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse import in_two_orders
from tests.contracts.warehouse_words import (
    OFFICIAL,
    START,
    Word,
    feedback,
    link,
    one,
    view,
    worlds,
)

#: More than the filter has room for at first.
MANY = 150_000


@pytest.fixture
def cursor() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE held (id VARCHAR, other VARCHAR)")
        yield connection


def keys(first: int, count: int) -> pa.Table:
    """Keys of two columns."""
    names = [f"x:{number}" for number in range(first, first + count)]
    return pa.table({"id": names, "other": names[::-1]})


def test_what_was_there_is_always_found(cursor: duckdb.DuckDBPyConnection) -> None:
    """From before the first question, from batches since, and after the filter has grown."""
    cursor.register("old", keys(0, 1_000))
    cursor.execute("INSERT INTO held SELECT * FROM old")
    held = Held("held", "id")
    assert held.among(cursor, keys(0, 1_000)).all()
    batch = keys(1_000, MANY)
    assert np.mean(held.among(cursor, batch)) < 0.05
    cursor.register("batch", batch)
    cursor.execute("INSERT INTO held SELECT * FROM batch")
    assert held.among(cursor, keys(0, MANY + 1_000)).all()
    assert np.mean(held.among(cursor, keys(10 * MANY, 20_000))) < 0.05


def test_all_columns_of_a_key_count(cursor: duckdb.DuckDBPyConnection) -> None:
    """The same mention with another incident is another link."""
    held = Held("held", "id", "other")
    assert not held.among(cursor, keys(0, 2)).any()
    turned = pa.table({"id": ["x:0", "x:1"], "other": ["x:0", "x:1"]})
    assert not held.among(cursor, turned).any()
    assert held.among(cursor, turned).all()


def test_a_write_that_failed_may_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its keys are taken for held from then on, and are not."""
    warehouse = DuckDBWarehouse(tmp_path / "a.duckdb")
    rows = Rows(feedback=[feedback(1, text="words of it", links=[link(OFFICIAL)])])
    with monkeypatch.context() as patch:
        patch.setattr(duckdb_write.DuckDBUpserts, "_links", _fails)
        with pytest.raises(GiveUp):
            warehouse.write(rows, START)
    assert view(warehouse, "feedback") == []
    warehouse.write(rows, START)
    assert one(warehouse, 1)["text"] == "words of it"
    assert len(view(warehouse, "fct_link")) == 1
    warehouse.close()


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(words=worlds(), seed=st.integers(0, 2**32))
def test_parts_and_filters_of_any_size_write_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[Word], seed: int
) -> None:
    """With a filter that must grow at once and parts of two rows, in any order."""
    monkeypatch.setattr(duckdb_write, "_AT_ONCE", 2)
    monkeypatch.setattr(duckdb_held, "_FIRST", 8)

    def make() -> DuckDBWarehouse:
        return DuckDBWarehouse(tmp_path / token_hex(6), key=bytes(32))

    once, often = in_two_orders(make, words, seed)
    assert often == once


def _fails(*_: object) -> None:
    raise duckdb.InternalException("planted")
