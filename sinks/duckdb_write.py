"""How DuckDB runs the statements of a write: the Arrow batch is read in place, by name."""

from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from sinks.sql import Query


class DuckDBUpserts:
    """``Upserts`` on a cursor with an open transaction."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, statements: Mapping[str, Query]) -> None:
        self._cursor = cursor
        self._statements = statements

    def run(self, name: str, batch: pa.Table, **values: Any) -> list[tuple[Any, ...]]:
        """Runs one section of ``upserts.sql`` over a batch, which it calls ``batch``."""
        self._cursor.register("batch", batch)
        found = self._cursor.execute(self._statements[name].text, values or None).fetchall()
        # Not after an error: it would fail, too, and hide the first; the cursor is closed then.
        self._cursor.unregister("batch")
        return found
