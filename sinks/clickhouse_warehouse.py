"""The warehouse in a database of ClickHouse (26.9 or newer): ``clickhouse_sql`` and ``common_sql``.

Nothing is changed in place: rows are added, and of those with one key the one with the highest
revision counts (see ``tables/0001_first.sql``). There are no transactions; ``clickhouse_write``
says what a reader may see in the middle of a write. Any number of processes may write, one after
the other. The database must exist. ``sql`` is asked with the address ``reading`` if there is one,
for analysts with a user of their own; docs/clickhouse.md says what to grant to either.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa

from pipeline.errors import GiveUp
from pipeline.model import Removal
from pipeline.ports import Row, Rows, Table
from sinks import clickhouse_statements as statements
from sinks.clickhouse_link import ClickHouseLink, Connection, Errors
from sinks.clickhouse_lock import WriterLock
from sinks.clickhouse_query import answer, plain
from sinks.clickhouse_schema import FOLDED, ClickHouseSchema, folding
from sinks.clickhouse_statements import JSON_COLUMNS
from sinks.clickhouse_write import ClickHouseUpserts, Ranks
from sinks.dialect import QUERIES
from sinks.keys import Keys
from sinks.ledger import HELD, Ledger, unknown
from sinks.removals import requests
from sinks.write import Write

#: What held words, names or addresses, and is written anew by an erasure.
_REWRITTEN: Final = ("mention_private", "fct_link", "fct_mention")
#: Types of columns by what stands in ClickHouse's name of them; others are texts.
_ARROW: Final = {
    "DateTime": pa.timestamp("us"),
    "Date": pa.date32(),
    "Int": pa.int64(),
    "Float": pa.float64(),
}
#: Keyed hashes that a question may be about: a server takes 131,072 characters with it.
_ASKED_AT_ONCE: Final = 1_000
_COUNTERS: Final = "SELECT name, value FROM counter_row FINAL"
_COUNT: Final = "INSERT INTO counter_row VALUES ({name:String}, {value:Int64})"


class ClickHouseWarehouse:
    """The port ``Warehouse`` on ClickHouse.

    ``url``: ``clickhouse://user:password@host:8123/database``, or ``clickhouses://`` with TLS;
    ``key`` the 32 bytes for the keyed hashes, the same in every process. ``setting`` is what the
    user calls ``url``. Raises TryLater while the server is away, GiveUp for a login refused, a
    database of another program or of a newer version, or another key. A database of an older
    release is migrated with ``migrate``, otherwise refused. ``version`` is the number it had,
    ``migrated`` what it needed. ``ledger`` is this process's file of what it erased (see
    ``sinks.ledger``); ``erased_again`` are the mentions that a restored backup had brought back.
    """

    def __init__(
        self,
        url: str,
        *,
        key: bytes,
        reading: str | None = None,
        setting: str = "warehouse",
        migrate: bool = False,
        ledger: Path | None = None,
    ) -> None:
        self._keys = Keys(key)
        self._link = ClickHouseLink(url, setting)
        self._analysts = ClickHouseLink(reading or url, setting)
        self._queries = statements.load(*QUERIES)
        self._writes = statements.load("writes")
        self._lock = WriterLock(self._link)
        self._ranks = Ranks()
        self._ledger = None if ledger is None else Ledger(ledger)
        self._prepare(migrate)
        self.erased_again = self._erase_again()

    # ---- what is held ---------------------------------------------------------------------------

    def rows(self, query: str, **values: Any) -> list[Row]:
        """The answer to a named query; values not given are NULL.

        Times are aware UTC datetimes, JSON columns are decoded. Raises ValueError for a query or a
        value that does not exist, TryLater, GiveUp.
        """
        asked = self._queries.get(query)
        if asked is None:
            raise ValueError(f"no query is named {query}")
        if unknown := values.keys() - asked.values.keys():
            raise ValueError(f"{query} takes no value named {', '.join(sorted(unknown))}")
        with self._link.asking() as connection:
            found = connection.ask(asked.text, asked.bound(values))
        names = [plain(name) for name in found.column_names]
        return [
            {name: _unpacked(name, value) for name, value in zip(names, row, strict=True)}
            for row in found.result_rows
        ]

    def stream(self, query: str, **values: Any) -> Iterator[pa.RecordBatch]:
        """As ``rows``, batch by batch, however many there are; at least one batch.

        Times are timestamps in UTC without a zone, JSON is text. One connection is held meanwhile.
        """
        asked = self._queries[query]
        with self._link.asking() as connection:
            kinds = connection.pairs(f"DESCRIBE TABLE ({asked.text})", asked.bound(values))
            names = {name: plain(name) for name in kinds}
            schema = pa.schema([(names[n], _arrow_type(names[n], kinds[n])) for n in kinds])
            yield pa.RecordBatch.from_pylist([], schema)
            for batch in connection.stream(asked, values):
                columns = [
                    column.cast(field.type)
                    for column, field in zip(batch.columns, schema, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def sql(self, text: str, limit: int | None = None, seconds: float | None = None) -> Table:
        """The answer to one SELECT, SHOW, DESCRIBE or EXPLAIN. Raises Misuse, TryLater."""
        with self._analysts.asking() as connection:
            return answer(connection, text, limit, seconds)

    def revision(self) -> int:
        """Grows with every write of any process; a few rows are read."""
        with self._link.asking() as connection:
            return int(connection.pairs(_COUNTERS).get("revision", 0))

    # ---- writing --------------------------------------------------------------------------------

    def write(self, rows: Rows, at: datetime) -> list[str]:
        """Writes a batch; see the port, and ``clickhouse_write`` for what it means here."""
        asked = [r for r in requests(rows.removals, self._keys) if r.kind == "erased"]
        if asked and self._ledger is not None:
            self._ledger.append(asked)
        return self._write(lambda write: write.take(rows), at)

    def _write(self, take: Callable[[Write], None], at: datetime) -> list[str]:
        with self._link.asking() as connection, self._lock.held(connection):
            counters = connection.pairs(_COUNTERS)
            removals = connection.ask("SELECT 1 FROM fct_removal_row LIMIT 1").result_rows
            self._ranks.connection = connection
            upserts = ClickHouseUpserts(connection, self._writes, self._ranks)
            arrival = counters.get("arrival", 0)
            write = Write(upserts, self._keys, at, arrival, has_removals=bool(removals))
            take(write)
            connection.run(_COUNT, {"name": "arrival", "value": write.arrival})
            for step in upserts.steps():
                self._lock.check()
                step()
            if upserts.decided:
                self._fold(connection)
            revision = counters.get("revision", 0) + 1
            connection.run(_COUNT, {"name": "revision", "value": revision})
        return write.erased

    @staticmethod
    def _fold(connection: Connection) -> None:
        for name in FOLDED:
            connection.run(folding(name))

    def _erase_again(self) -> list[str]:
        """Erases what the ledger knows and the database does not; the ids of the mentions."""
        asked = [] if self._ledger is None else self._ledger.read()
        if not asked:
            return []
        subjects = [request.subject for request in asked]
        known = [
            row
            for first in range(0, len(subjects), _ASKED_AT_ONCE)
            for row in self.rows("erased_of", ids=subjects[first : first + _ASKED_AT_ONCE])
        ]
        missing = unknown(asked, known)
        if not missing:
            return []
        meant = {request.subject for request in missing}
        with self._link.asking() as connection:
            found = connection.ask(HELD).result_rows
        ids = [row[0] for row in found if self._keys.mention(row[0]) in meant]
        erased = self._write(lambda write: write.erase_again(missing, ids), datetime.now(UTC))
        self.rewrite()
        return erased

    def roll_up(self, at: datetime) -> int:
        """Nothing to do: it counts when it is asked."""
        del at
        return 0

    def snapshot(self) -> None:
        """Nothing to do: other processes read the server itself."""

    def erase(self, removals: Sequence[Removal], at: datetime) -> Row:
        """Erases and writes the tables anew, so that the server's files hold the bytes no more.

        The receipt says what and when, without ids, names or words. The server's logs of queries
        and its backups are its administrator's, and the receipt says so.
        """
        ids = self.write(Rows(removals=removals), at)
        self.rewrite()
        return {
            "mentions": len(ids),
            "requests": len(removals),
            "kinds": sorted({removal.kind for removal in removals}),
            "at": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "rewritten": [f"{self._link.database}.{name}" for name in _REWRITTEN],
            "not_rewritten": ["logs and backups of the server"],
        }

    def rewrite(self) -> None:
        """Writes the tables that hold words and names anew, without the rows that do not count.

        The new table takes the old one's place at once; the old one's files are gone when this
        returns. Writers wait meanwhile.
        """
        with self._link.asking() as connection, self._lock.held(connection):
            for name in _REWRITTEN:
                row, new = f"{name}_row", f"{name}_new"
                gone = " WHERE NOT is_gone" if name == "mention_private" else ""
                connection.run(f"CREATE OR REPLACE TABLE {new} AS {row}")
                connection.run(f"INSERT INTO {new} SELECT * FROM {row} FINAL{gone}")
                self._lock.check()
                connection.run(f"EXCHANGE TABLES {row} AND {new}")
                connection.run(f"DROP TABLE {new} SYNC")

    def close(self) -> None:
        """Closes the connections. May be called twice."""
        self._link.close()
        self._analysts.close()

    # ---- opening --------------------------------------------------------------------------------

    def _prepare(self, migrate: bool) -> None:
        try:
            with self._link.asking() as connection, self._lock.held(connection):
                prepared = ClickHouseSchema(connection, self._link.database, self._keys.mention(""))
                prepared.prepare(migrate=migrate)
        except Errors as error:
            raise self._link.translated(error) from error
        except GiveUp:
            self.close()
            raise
        self.version, self.migrated = prepared.version, prepared.migrated


def _unpacked(name: str, value: Any) -> Any:
    """A value as Python has it: JSON decoded, times with their zone, truths as such."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, str) and name in JSON_COLUMNS:
        return orjson.loads(value)
    if isinstance(value, int) and _is_truth(name):
        return bool(value)
    return value


def _is_truth(name: str) -> bool:
    return name.startswith(("is_", "incident_is_")) or name.endswith("_sure")


def _arrow_type(name: str, kind: str) -> pa.DataType:
    """The type that the other databases give a column."""
    if kind.startswith("Array"):
        return pa.list_(pa.string())
    if _is_truth(name):
        return pa.bool_()
    return next((made for part, made in _ARROW.items() if part in kind), pa.string())
