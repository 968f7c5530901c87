"""A batch into PostgreSQL: by temporary tables into ours, a statement each."""

from collections.abc import Container, Mapping
from datetime import date
from typing import Any, Final

import pyarrow as pa

from sinks.postgres_link import Connection
from sinks.postgres_parts import WORDS, Parts, with_day
from sinks.postgres_statements import Statement

#: Tables whose rows come by a temporary table of the same form.
STAGED: Final = (
    "fct_mention",
    "mention_private",
    "fct_link",
    "fct_campaign",
    "dim_incident",
    "fct_decision",
    "fct_removal",
    "fct_coverage",
    "fct_spend",
    "fct_erasure",
)


class PostgresUpserts:
    """``Upserts`` on a connection with an open transaction.

    ``today`` is the day of the write, ``covered`` the days known to have a part of mention_private;
    afterwards ``days`` are those that have one besides, once this is committed.
    """

    def __init__(
        self,
        connection: Connection,
        known: Mapping[str, Statement],
        today: date,
        covered: Container[date],
    ) -> None:
        self._connection = connection
        self._known = known
        self._today = today
        self._covered = covered
        self.days: set[date] = set()

    def run(self, name: str, batch: pa.Table, **values: Any) -> list[tuple[Any, ...]]:
        """Runs one section of ``upserts.sql`` over a batch."""
        statement = self._known[name]
        if name in STAGED:
            self._stage(name, batch)
        else:
            values |= {column: batch.column(column).to_pylist() for column in batch.column_names}
        found = self._connection.run(statement.text, statement.bound(values), copy=False)
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def _stage(self, name: str, batch: pa.Table) -> None:
        if name == "fct_mention":
            batch = with_day(batch, self._today)
        self._connection.ingest(f"new_{name}", batch)
        if name == WORDS:
            self._make_room()
        if past := self._known.get(f"{name}_past"):
            self._connection.run(past.text, copy=False)

    def _make_room(self) -> None:
        """Sees to it that the days of the words that came have a part."""
        asked = self._connection.run(self._known["days_wanted"].text, copy=False)
        wanted = {day for day in asked.column(0).to_pylist() if day not in self._covered}
        if wanted:
            Parts(self._connection, self._known).cover(wanted, self._today)
            self.days |= wanted
