"""The warehouse in a schema of a PostgreSQL database (15 or newer): ``postgres_sql/*.sql``.

Any number of processes share it: they write one after the other (a write holds the one row of the
table ``state`` until it is committed), readers never wait. Tables, views and named queries are
those of the DuckDB warehouse. The server needs no settings; the role must own the database or have
CREATE and TEMPORARY in it. Analysts get a role of their own (``docs/postgres.md``), whose address
may be given as ``reading``: then ``sql`` reaches nothing but what it may read.
"""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa
from adbc_driver_manager import Error

from pipeline.errors import GiveUp
from pipeline.model import Removal
from pipeline.ports import Row, Rows, Table
from sinks import postgres_statements as statements
from sinks.dialect import QUERIES
from sinks.keys import Keys
from sinks.ledger import HELD, Ledger, unknown
from sinks.postgres_link import Connection, PostgresLink
from sinks.postgres_parts import WORDS, Parts
from sinks.postgres_query import answer
from sinks.postgres_schema import PostgresSchema
from sinks.postgres_write import STAGED, PostgresUpserts
from sinks.removals import requests
from sinks.rollups import Step, roll_up
from sinks.write import Write

#: What held words, names or addresses, and is written anew by an erasure.
_REWRITTEN: Final = ("mention_private", "fct_link")
#: Any number: the lock that a roll-up holds with its schema's name, so that one runs at a time.
_ROLLING: Final = 4_712_006
_MINE: Final = "SELECT pg_try_advisory_xact_lock($1::int, hashtext($2::text))"
_SEEN: Final = "SELECT s.arrival, r.arrival AS counted FROM state s CROSS JOIN rollup r"
#: A roll-up sorts and hashes many rows; it waits for nobody.
_ROLLER: Final = ("work_mem = '64MB'",)
#: A writer that waits longer for another, or keeps others waiting longer, is ended by the server.
_WRITER: Final = (
    "lock_timeout = '30s'",
    "statement_timeout = '120s'",
    "idle_in_transaction_session_timeout = '60s'",
)
# Bits of a number of mentions for which any plan will do.
_SMALL: Final = 9
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class PostgresWarehouse:
    """The port ``Warehouse`` on PostgreSQL.

    ``url``: a libpq address (``postgresql://user:password@host/database`` or ``host=… dbname=…``),
    ``key`` the 32 bytes for the keyed hashes, the same in every process. ``schema`` is made if it
    is missing. ``reading`` is the address for ``sql`` if that is another role's. ``setting`` is
    what the user calls ``url``. Raises TryLater while the server is away, GiveUp for a login
    refused, a schema of another program or of a newer version, or another key. A schema of an older
    release is migrated with ``migrate``, otherwise refused: while others still write to it, none
    of them must change its form. ``version`` is the number it had, ``migrated`` what it needed.
    ``ledger`` is this process's file of what it erased (see ``sinks.ledger``); ``erased_again`` are
    the mentions that a restored backup had brought back.
    """

    def __init__(
        self,
        url: str,
        *,
        key: bytes,
        schema: str = "groundswell",
        reading: str | None = None,
        setting: str = "warehouse",
        migrate: bool = False,
        ledger: Path | None = None,
    ) -> None:
        if not _NAME.fullmatch(schema):
            raise GiveUp(f"{schema!r} cannot be a schema: use small letters, digits and _")
        self.schema = schema
        self._keys = Keys(key)
        self._link = PostgresLink(url, schema, setting)
        self._analysts = PostgresLink(reading or url, schema, setting)
        self._upserts = statements.load("upserts", "parts")
        self._queries = statements.load(*QUERIES)
        self._rollups = statements.load("rollups")
        self._covered: set[date] = set()
        self._writing = threading.Lock()
        self._writer: Connection | None = None
        self._ledger = None if ledger is None else Ledger(ledger)
        self._prepare(migrate)
        self.erased_again = self._erase_again()

    # ---- what is held ---------------------------------------------------------------------------

    def rows(self, query: str, **values: Any) -> list[Row]:
        """The answer to a query of ``queries.sql``; values not given are NULL.

        Times are aware UTC datetimes, JSON columns are decoded. Raises ValueError for a query or a
        value that does not exist, TryLater, GiveUp.
        """
        asked = self._queries.get(query)
        if asked is None:
            raise ValueError(f"no query is named {query}")
        if unknown := values.keys() - set(asked.values):
            raise ValueError(f"{query} takes no value named {', '.join(sorted(unknown))}")
        with self._link.asking() as connection:
            found = connection.run(asked.text, asked.bound(values), copy=False)
        columns = [_unpacked(found.field(i), found.column(i)) for i in range(found.num_columns)]
        return [
            dict(zip(found.column_names, row, strict=True)) for row in zip(*columns, strict=True)
        ]

    def stream(self, query: str, **values: Any) -> Iterator[pa.RecordBatch]:
        """As ``rows``, batch by batch, however many there are; at least one batch.

        Times are timestamps in UTC without a zone, JSON is text. One connection is held meanwhile.
        """
        asked = self._queries[query]
        with self._link.asking() as connection:
            yield from connection.stream(asked.text, asked.bound(values))

    def sql(self, text: str, limit: int | None = None, seconds: float | None = None) -> Table:
        """The answer to one SELECT, SHOW or EXPLAIN. Raises Misuse in one clear line, TryLater."""
        with self._analysts.asking(anew=True) as connection:
            return answer(connection, text, limit, seconds)

    def revision(self) -> int:
        """Grows with every write of any process; one row is read."""
        with self._link.asking() as connection:
            found = connection.run("SELECT revision FROM state", copy=False)
        return int(found.column(0)[0].as_py())

    # ---- writing --------------------------------------------------------------------------------

    def write(self, rows: Rows, at: datetime) -> list[str]:
        """Writes a batch in one transaction; see the port.

        When the connection is lost during the commit nobody knows whether it came about: TryLater
        is raised, and the same rows written again make the same of both.
        """
        asked = [r for r in requests(rows.removals, self._keys) if r.kind == "erased"]
        if asked and self._ledger is not None:
            self._ledger.append(asked)
        return self._write(lambda write: write.take(rows), at)

    def _write(self, take: Callable[[Write], None], at: datetime) -> list[str]:
        with self._writing:
            connection = self._writer or self._open_writer()
            self._writer = None
            try:
                erased = self._transaction(connection, take, at)
            except Error as error:
                connection.close()
                raise self._link.translated(error) from error
            except BaseException:
                connection.close()
                raise
            self._writer = connection
        return erased

    def _transaction(
        self, connection: Connection, take: Callable[[Write], None], at: datetime
    ) -> list[str]:
        connection.run("BEGIN", copy=False)
        held = connection.run(self._upserts["lock"].text, copy=False).to_pylist()[0]
        today = at.astimezone(UTC).date()
        upserts = PostgresUpserts(connection, self._upserts, today, self._covered)
        write = Write(upserts, self._keys, at, held["arrival"], has_removals=held["has_removals"])
        take(write)
        if write.arrival != held["arrival"]:
            arrived = self._upserts["arrived"]
            connection.run(arrived.text, arrived.bound({"arrival": write.arrival}), copy=False)
        connection.run("COMMIT", copy=False)
        self._covered |= upserts.days
        # The server learns of sizes by itself, but a minute late, and until then it plans joins of
        # thousands of rows as if there were a few: every doubling is told at once.
        if write.arrival.bit_length() > max(_SMALL, held["arrival"].bit_length()):
            connection.run_all([f"ANALYZE {name}" for name in STAGED if name != WORDS])
        return write.erased

    def _erase_again(self) -> list[str]:
        """Erases what the ledger knows and the schema does not; the ids of the mentions."""
        asked = [] if self._ledger is None else self._ledger.read()
        if not asked:
            return []
        subjects = [request.subject for request in asked]
        missing = unknown(asked, self.rows("erased_of", ids=subjects))
        if not missing:
            return []
        meant = {request.subject for request in missing}
        with self._link.asking() as connection:
            batches = connection.stream(HELD, None)
            ids = [
                number
                for batch in batches
                for number in batch.column("id").to_pylist()
                if self._keys.mention(number) in meant
            ]
        erased = self._write(lambda write: write.erase_again(missing, ids), datetime.now(UTC))
        self.rewrite()
        return erased

    def _open_writer(self) -> Connection:
        connection = self._link.open(_WRITER)
        try:
            connection.run_all(
                [
                    f"CREATE TEMPORARY TABLE new_{name} (LIKE {name}) ON COMMIT DELETE ROWS"
                    for name in STAGED
                ]
            )
            # Only fct_mention knows it.
            connection.run_all([f"ALTER TABLE new_{WORDS} DROP COLUMN day"])
        except Error as error:
            connection.close()
            raise self._link.translated(error) from error
        return connection

    def roll_up(self, at: datetime) -> int:
        """Counts anew what changed since the last time; see the port.

        One process does it at a time, the others have nothing to do. Writes go on meanwhile.
        """
        connection = self._link.open(_ROLLER)
        try:
            connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ", copy=False)
            # Before the first look: in a part that came after it nothing would be seen.
            connection.run("LOCK TABLE fct_link IN ACCESS SHARE MODE", copy=False)
            mine = connection.run(_MINE, [_ROLLING, self.schema], copy=False).column(0)[0].as_py()
            found = connection.run(_SEEN, copy=False).to_pylist()[0]
            done = 0
            if mine and found["arrival"] > found["counted"]:
                done = roll_up(self._step(connection), found["arrival"], at)
            connection.run("COMMIT", copy=False)
        except Error as error:
            raise self._link.translated(error) from error
        finally:
            connection.close()
        return done

    def _step(self, connection: Connection) -> Step:
        def step(name: str, **values: Any) -> list[tuple[Any, ...]]:
            statement = self._rollups[name]
            found = connection.run(statement.text, statement.bound(values), copy=False)
            return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

        return step

    def snapshot(self) -> None:
        """Nothing to do: other processes read the server itself."""

    def erase(self, removals: Sequence[Removal], at: datetime) -> Row:
        """Erases and writes anew what held the words, so that tables hold the bytes no more.

        The receipt says what and when, without ids, names or words. The server's write-ahead log
        holds old bytes until it is reused, and its backups as long as they are kept: those are its
        administrator's, and the receipt says so. Raises TryLater also when others would not let go
        of a table: then the rows are erased, and ``tidy`` sees to the bytes.
        """
        ids = self.write(Rows(removals=removals), at)
        self.rewrite()
        return {
            "mentions": len(ids),
            "requests": len(removals),
            "kinds": sorted({removal.kind for removal in removals}),
            "at": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "rewritten": [f"{self.schema}.{name}" for name in _REWRITTEN],
            "not_rewritten": ["write-ahead log and backups of the server"],
        }

    def tidy(self, at: datetime) -> list[str]:
        """Writes anew what holds bytes of what was erased, and joins the parts of days long gone.

        The names of the tables that are new. One that others would not let go of is left for the
        next time. Raises TryLater, GiveUp.
        """
        with self._rewriting() as parts:
            return [*parts.rewrite(), *parts.join(at.astimezone(UTC).date())]

    def rewrite(self) -> None:
        """Writes the parts that hold bytes of what was erased anew. Writers wait meanwhile."""
        with self._rewriting() as parts:
            parts.rewrite()

    @contextmanager
    def _rewriting(self) -> Iterator[Parts]:
        connection = self._link.open(_WRITER)
        try:
            yield Parts(connection, self._upserts)
        except Error as error:
            raise self._link.translated(error) from error
        finally:
            connection.close()

    def close(self) -> None:
        """Closes the connections. May be called twice."""
        with self._writing:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._link.close()
        self._analysts.close()

    # ---- opening --------------------------------------------------------------------------------

    def _prepare(self, migrate: bool) -> None:
        connection = self._link.open(_WRITER)
        prepared = PostgresSchema(connection, self.schema, self._keys.mention(""))
        try:
            prepared.prepare(migrate=migrate)
        except Error as error:
            raise self._link.translated(error) from error
        finally:
            connection.close()
        self.version, self.migrated = prepared.version, prepared.migrated


def _unpacked(field: pa.Field, column: pa.ChunkedArray) -> list[Any]:
    """The values of a column: JSON decoded, times with their zone."""
    kind = (field.metadata or {}).get(b"POSTGRESQL:type", b"")
    values: list[Any] = column.to_pylist()
    if kind == b"json":
        return [None if value is None else orjson.loads(value) for value in values]
    if kind == b"timestamp":
        return [None if value is None else value.replace(tzinfo=UTC) for value in values]
    return values
