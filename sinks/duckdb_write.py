"""How DuckDB runs the statements of a write: the Arrow batch is read in place, by name.

``ON CONFLICT`` costs four times what a bare INSERT does, also where nothing conflicts, and with DO
UPDATE it reads every column of what it replaces from another part of the file. So a filter in
memory tells which keys are surely new (``Held``); the few others are looked up by the index, and
what they replace is deleted. Then one bare INSERT takes all.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa
from pyarrow import compute

from sinks.duckdb_held import Held
from sinks.sql import Query

# DuckDB looks up to 2,048 constants up in an index; more make it read the whole table.
_AT_ONCE: Final = 1000


class KnownKeys:
    """What is known of the keys of the tables that grow, from one write to the next."""

    def __init__(self) -> None:
        self.mentions = Held("fct_mention", "id")
        self.links = Held("fct_link", "mention_id", "incident_id")


class DuckDBUpserts:
    """``Upserts`` on a cursor with an open transaction."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, statements: Mapping[str, Query], keys: KnownKeys
    ) -> None:
        self._cursor = cursor
        self._statements = statements
        self._keys = keys
        #: The mentions of this write that were not there, and those of which a newer version came.
        self._new: set[str] = set()
        self._newer: set[str] = set()

    def run(self, name: str, batch: pa.Table, **values: Any) -> list[tuple[Any, ...]]:
        """Runs one section of ``upserts.sql`` over a batch, which it calls ``batch``."""
        match name:
            case "fct_mention":
                self._mentions(batch)
            case "mention_private":
                self._private(batch)
            case "fct_link":
                self._links(batch)
            case "erased_among":
                return self._erased_among(batch)
            case _:
                if f"{name}_past" in self._statements:
                    self._run(f"{name}_past", batch)
                return self._run(name, batch, values or None)
        return []

    def _mentions(self, batch: pa.Table) -> None:
        new, known = self._split(self._keys.mentions, batch)
        rows = range(0, known.num_rows, _AT_ONCE)
        parts = [self._replaced(known.slice(at, _AT_ONCE)) for at in rows]
        self._new.update(new.column("id").to_pylist())
        whole = pa.concat_tables([new, *parts], promote_options="default")
        if whole.num_rows:
            self._run("fct_mention_put", whole)

    def _replaced(self, known: pa.Table) -> pa.Table:
        """The rows to insert of mentions that may be there; those in whose place are gone."""
        rows = self._looked_up("fct_mention_replaced", known, known.column("id").to_pylist())
        self._new |= _ids(rows, ~compute.field("is_held"))
        self._newer |= _ids(rows, compute.field("is_newer"))
        held = rows.filter(compute.field("is_held"))
        if gone := held.column("id").to_pylist():
            self._run_on("fct_mention_past", held, gone)
            self._run_on("fct_mention_gone", held, gone)
        return rows.drop_columns(["is_held", "is_newer"])

    def _private(self, batch: pa.Table) -> None:
        """The words of those mentions of this write of which there is a new row."""
        ids = batch.column("mention_id").to_pylist()
        newer = [mention_id for mention_id in ids if mention_id in self._newer]
        for at in range(0, len(newer), _AT_ONCE):
            self._run_on("mention_private_gone", batch, newer[at : at + _AT_ONCE])
        wanted = self._new | self._newer
        self._insert("mention_private", batch.filter(pa.array([i in wanted for i in ids])))

    def _links(self, batch: pa.Table) -> None:
        new, known = self._split(self._keys.links, batch)
        self._insert("fct_link", new)
        if known.num_rows:
            self._run("fct_link_past", known)
            self._run("fct_link", known)

    def _erased_among(self, batch: pa.Table) -> list[tuple[str]]:
        """Of those that are new the words tell themselves."""
        ids = [i for i in batch.column("id").to_pylist() if i not in self._new]
        parts = [ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE)]
        found = [self._looked_up("erased_among", batch, part) for part in parts]
        return [(i,) for part in found for i in part.column("id").to_pylist()]

    def _split(self, held: Held, batch: pa.Table) -> tuple[pa.Table, pa.Table]:
        """The rows whose keys are surely new, and the others."""
        among = held.among(self._cursor, batch)
        return batch.filter(pa.array(~among)), batch.filter(pa.array(among))

    def _insert(self, table: str, rows: pa.Table) -> None:
        if rows.num_rows:
            self._cursor.register("batch", rows)
            self._cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM batch")
            self._cursor.unregister("batch")

    def _looked_up(self, name: str, batch: pa.Table, keys: Sequence[str]) -> pa.Table:
        """The rows that a section selects, which looks keys up one by one."""
        self._cursor.register("batch", batch)
        found = self._cursor.sql(self._about(name, keys), params=keys).to_arrow_table()
        self._cursor.unregister("batch")
        return found

    def _run_on(self, name: str, batch: pa.Table, keys: Sequence[str]) -> None:
        """Runs a section that changes rows with these keys."""
        self._cursor.register("batch", batch)
        self._cursor.execute(self._about(name, keys), keys)
        self._cursor.unregister("batch")

    def _about(self, name: str, keys: Sequence[str]) -> str:
        return self._statements[name].text.replace("$held", ", ".join("?" * len(keys)))

    def _run(self, name: str, batch: pa.Table, values: Any = None) -> list[tuple[Any, ...]]:
        self._cursor.register("batch", batch)
        found = self._cursor.execute(self._statements[name].text, values).fetchall()
        # Not after an error: it would fail, too, and hide the first; the cursor is closed then.
        self._cursor.unregister("batch")
        return found


def _ids(rows: pa.Table, which: compute.Expression) -> set[str]:
    return set(rows.filter(which).column("id").to_pylist())
