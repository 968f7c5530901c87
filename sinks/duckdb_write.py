"""How DuckDB runs the statements of a write: the Arrow batch is read in place, by name."""

from collections.abc import Mapping
from typing import Any, Final

import duckdb
import pyarrow as pa

from sinks.sql import Query

#: Tables in which rows replace others, by their keys: what is new goes in first, by ``NAME_new``.
_KEYS: Final = {
    "fct_mention": ("id",),
    "mention_private": ("mention_id",),
    "fct_link": ("mention_id", "incident_id"),
}
# DuckDB looks up to 2,048 constants up in an index; more make it read the whole table.
_AT_ONCE: Final = 1000


class DuckDBUpserts:
    """``Upserts`` on a cursor with an open transaction."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, statements: Mapping[str, Query]) -> None:
        self._cursor = cursor
        self._statements = statements

    def run(self, name: str, batch: pa.Table, **values: Any) -> list[tuple[Any, ...]]:
        """Runs one section of ``upserts.sql`` over a batch, which it calls ``batch``."""
        if name not in _KEYS:
            if f"{name}_past" in self._statements:
                self._run(f"{name}_past", batch)
            return self._run(name, batch, values or None)
        rest = self._insert(name, batch)
        if not rest.num_rows:
            return []
        if f"{name}_newer" not in self._statements:
            self._run(f"{name}_past", rest)
            return self._run(name, rest)
        for start in range(0, rest.num_rows, _AT_ONCE):
            self._replace(name, rest.slice(start, _AT_ONCE))
        return []

    def _insert(self, name: str, batch: pa.Table) -> pa.Table:
        """Inserts what is new; the rows whose keys were there already."""
        new = set(self._run(f"{name}_new", batch))
        if len(new) == batch.num_rows:
            return batch.slice(0, 0)
        keys = zip(*(batch.column(column).to_pylist() for column in _KEYS[name]), strict=True)
        return batch.filter(pa.array([key not in new for key in keys]))

    def _replace(self, name: str, rest: pa.Table) -> None:
        """Puts the rows that are newer than those of the same key in their place."""
        (key,) = _KEYS[name]
        held = rest.column(key).to_pylist()
        self._cursor.register("batch", rest)
        text = self._with_constants(f"{name}_newer", len(held))
        newer = self._cursor.sql(text, params=held).to_arrow_table()
        self._cursor.unregister("batch")
        if not newer.num_rows:
            return
        held = newer.column(key).to_pylist()
        self._cursor.register("batch", newer)
        for step in (f"{name}_past", f"{name}_gone"):
            if step in self._statements:
                self._cursor.execute(self._with_constants(step, len(held)), held)
        self._cursor.execute(self._statements[f"{name}_new"].text)
        self._cursor.unregister("batch")

    def _with_constants(self, name: str, count: int) -> str:
        return self._statements[name].text.replace("$held", ", ".join("?" * count))

    def _run(self, name: str, batch: pa.Table, values: Any = None) -> list[tuple[Any, ...]]:
        self._cursor.register("batch", batch)
        found = self._cursor.execute(self._statements[name].text, values).fetchall()
        # Not after an error: it would fail, too, and hide the first; the cursor is closed then.
        self._cursor.unregister("batch")
        return found
