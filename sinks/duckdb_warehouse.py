"""The warehouse in one DuckDB file: its SQL stands in ``common_sql`` and ``duckdb_sql``.

The stable names are those of ``views.sql``; tables may change. Times are TIMESTAMP in UTC without a
zone: they come out the same in every session and need no time zone library to be read. ``rows`` and
``sql`` hand them out as aware datetimes.
"""

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from pipeline.errors import GiveUp, Misuse
from pipeline.model import Removal
from pipeline.ports import Row, Rows, Table
from sinks import migrations
from sinks.dialect import QUERIES, VIEWS, Dialect
from sinks.duckdb_file import DuckDBFile, snapshot_path
from sinks.duckdb_query import answer
from sinks.duckdb_troubles import Owned, foreign
from sinks.duckdb_write import DuckDBUpserts, KnownKeys
from sinks.keys import Keys, read_key, read_or_make_key
from sinks.ledger import HELD, Ledger, unknown
from sinks.migrations import PROGRAM_KEY, SCHEMA
from sinks.removals import requests
from sinks.rollups import RULES, UNCOUNTED, roll_up, rules
from sinks.write import NUMBERED, Write

PROGRAM = "groundswell"
#: Rows in a batch of ``stream``.
STREAMED_ROWS = 10_000
#: In ``meta`` while bytes of what was erased may stand in the file.
_HOLDS_ERASED = "holds_erased"
DUCKDB = Dialect("duckdb_sql")
#: The last number of arrival that a transaction sees, and the one that the counts at rest hold.
_SEEN = (
    "SELECT coalesce(max(n), 0), (SELECT arrival FROM rollup) FROM ("
    + " UNION ALL ".join(f"SELECT max(arrival) AS n FROM {table}" for table in NUMBERED)
    + ")"
)


class DuckDBWarehouse:
    """The port ``Warehouse`` on a DuckDB file that belongs to this process.

    ``key`` is for the keyed hashes (32 bytes; default: the file ``<path>.key``, made if missing).
    With ``read_only`` the file must exist and nothing is written, not even the key. Otherwise a
    file of an older release is migrated; ``schema`` is what it had, ``migrated`` what it needed.
    """

    def __init__(
        self,
        path: Path,
        *,
        key: bytes | None = None,
        read_only: bool = False,
        memory_limit: str = "256MB",
    ) -> None:
        if read_only and not path.exists():
            raise Misuse(f"there is no warehouse at {path}")
        self.path = path
        self._file = DuckDBFile(path, read_only=read_only, memory_limit=memory_limit)
        self._upserts = DUCKDB.load("upserts")
        self._queries = DUCKDB.load(*QUERIES)
        self._rollups = DUCKDB.load("rollups")
        self._writing = threading.Lock()
        self._rolling = threading.Lock()
        self._known = KnownKeys()
        self._revision = 0
        self._holds_erased = False
        self._ledger = Ledger(path.with_name(path.name + ".erased"))
        self._snapshot_revision: int | None = None
        try:
            self._prepare(read_only)
            self._keys = self._keyring(key, read_only)
            with self._file.cursor() as cursor:
                # A file that is only read may be of a form that knows fewer of these tables.
                tables = ("fct_mention",) if read_only else NUMBERED
                newest = " UNION ALL ".join(f"SELECT max(arrival) AS n FROM {t}" for t in tables)
                found = cursor.execute(
                    "SELECT coalesce(max(n), 0), (SELECT count(*) FROM fct_removal) "
                    f"FROM ({newest})"
                ).fetchall()
                self._holds_erased = _HOLDS_ERASED in self._meta(cursor)
            self._arrival, self._has_removals = int(found[0][0]), bool(found[0][1])
            self.erased_again = [] if read_only else self._erase_again()
        except BaseException:
            self._file.close()
            raise

    # ---- what is held ---------------------------------------------------------------------------

    def rows(self, query: str, **values: Any) -> list[Row]:
        """The answer to a query of ``queries.sql``; values not given are NULL.

        Times are aware UTC datetimes, JSON columns are decoded. Raises ValueError for a query or a
        value that does not exist, TryLater, GiveUp.
        """
        asked = self._queries.get(query)
        if asked is None:
            raise ValueError(f"no query is named {query}")
        if unknown := values.keys() - asked.parameters:
            raise ValueError(f"{query} takes no value named {', '.join(sorted(unknown))}")
        bound = {name: _bindable(values.get(name)) for name in asked.parameters}
        if self._file.read_only and self.migrated:
            raise migrations.behind(f"the warehouse {self.path}", self.migrated)
        with self._file.cursor() as cursor:
            cursor.execute(asked.text, bound)
            names = [column[0] for column in cursor.description or ()]
            kinds = [str(column[1]) for column in cursor.description or ()]
            found = cursor.fetchall()
        as_json = [n for n, kind in zip(names, kinds, strict=True) if kind == "JSON"]
        as_time = [n for n, kind in zip(names, kinds, strict=True) if kind == "TIMESTAMP"]
        return [_unpacked(dict(zip(names, row, strict=True)), as_json, as_time) for row in found]

    def stream(self, query: str, **values: Any) -> Iterator[pa.RecordBatch]:
        """As ``rows``, in batches of some thousand rows, however many there are; at least one.

        Times are timestamps in UTC without a zone, JSON is text. One cursor is held meanwhile.
        """
        if self._file.read_only and self.migrated:
            raise migrations.behind(f"the warehouse {self.path}", self.migrated)
        asked = self._queries[query]
        bound = {name: _bindable(values.get(name)) for name in asked.parameters}
        with self._file.cursor() as cursor:
            reader = cursor.sql(asked.text, params=bound).to_arrow_reader(STREAMED_ROWS)
            yield pa.RecordBatch.from_pylist([], reader.schema)
            yield from reader

    def sql(self, text: str, limit: int | None = None, seconds: float | None = None) -> Table:
        """The answer to one SELECT, DESCRIBE, SHOW or EXPLAIN. Raises Misuse in one clear line."""
        with self._file.cursor() as cursor:
            return answer(cursor, text, limit, seconds)

    def revision(self) -> int:
        """Grows with every write of this process."""
        return self._revision

    # ---- writing --------------------------------------------------------------------------------

    def write(self, rows: Rows, at: datetime) -> list[str]:
        """Writes a batch in one transaction; see the port."""
        if self._keys is None:
            raise GiveUp(f"the warehouse {self.path} is open for reading only")
        keys = self._keys
        asked = [r for r in requests(rows.removals, keys) if r.kind == "erased"]

        def taken() -> list[str]:
            with self._write(keys, at) as write:
                write.take(rows)
            return write.erased

        with self._writing:
            if asked:
                self._ledger.append(asked)
            return self._file.growing(taken)

    @contextmanager
    def _write(self, keys: Keys, at: datetime) -> Iterator[Write]:
        """A write in a transaction of its own; what it erased is noted with it."""
        with self._file.transaction() as cursor:
            upserts = DuckDBUpserts(cursor, self._upserts, self._known)
            write = Write(upserts, keys, at, self._arrival, has_removals=self._has_removals)
            yield write
            if write.erased and not self._holds_erased:
                self._set_meta(cursor, _HOLDS_ERASED, "yes")
        # Only what was committed counts.
        self._arrival, self._has_removals = write.arrival, write.has_removals
        self._revision += 1
        self._holds_erased |= bool(write.erased)

    def _erase_again(self) -> list[str]:
        """Erases what the ledger knows and a restored backup does not; the ids of the mentions."""
        asked = self._ledger.read()
        if not asked or self._keys is None:
            return []
        subjects = [request.subject for request in asked]
        missing = unknown(asked, self.rows("erased_of", ids=subjects))
        if not missing:
            return []
        with self._file.cursor() as cursor:
            ids = [row[0] for row in cursor.execute(HELD).fetchall()]
        gone = {request.subject for request in missing}
        meant = [number for number in ids if self._keys.mention(number) in gone]
        with self._write(self._keys, datetime.now(UTC)) as write:
            write.erase_again(missing, meant)
        self.rewrite()
        return write.erased

    def roll_up(self, at: datetime) -> int:
        """Counts anew what changed since the last time; see the port. Writes go on meanwhile."""
        if self._keys is None:
            raise GiveUp(f"the warehouse {self.path} is open for reading only")

        def rolled() -> int:
            with self._file.transaction() as cursor:

                def step(name: str, **values: Any) -> list[tuple[Any, ...]]:
                    return cursor.execute(self._rollups[name].text, values or None).fetchall()

                seen, counted = cursor.execute(_SEEN).fetchall()[0]
                return roll_up(step, seen, at) if seen > counted else 0

        with self._rolling:
            return self._file.growing(rolled)

    def snapshot(self) -> None:
        """Refreshes ``<path>.snapshot``, unless nothing was written since the last time."""
        target = snapshot_path(self.path)
        revision = self._revision
        if revision == self._snapshot_revision and target.exists():
            return
        self._file.growing(lambda: self._file.copy_to(target))
        self._snapshot_revision = revision

    def erase(self, removals: Sequence[Removal], at: datetime) -> Row:
        """Erases and writes the file and its snapshot anew, so that the bytes are gone.

        The receipt says what and when, without ids, names or words.
        """
        ids = self.write(Rows(removals=removals), at)
        self.rewrite()
        return {
            "mentions": len(ids),
            "requests": len(removals),
            "kinds": sorted({removal.kind for removal in removals}),
            "at": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "rewritten": [self.path.name, *self._snapshot_names()],
        }

    def tidy(self) -> bool:
        """Writes the file anew if bytes of what was erased may stand in it; True if it did."""
        if self._holds_erased:
            self.rewrite()
            return True
        return False

    def rewrite(self) -> None:
        """Writes the file (and its snapshot, if there is one) anew, without what was deleted."""
        with self._writing:
            self._file.growing(self._file.rewrite)
            if self._snapshot_names():
                self._file.copy_to(snapshot_path(self.path))
            # Last, so that what ended in the middle is done again.
            with self._file.transaction() as cursor:
                cursor.execute("DELETE FROM meta WHERE key = $key", {"key": _HOLDS_ERASED})
            self._holds_erased = False

    def close(self) -> None:
        """Closes the file. May be called twice."""
        self._file.close()

    def _snapshot_names(self) -> list[str]:
        target = snapshot_path(self.path)
        return [target.name] if target.exists() else []

    # ---- opening --------------------------------------------------------------------------------

    def _prepare(self, read_only: bool) -> None:
        """Makes the tables in a new file and tells whether an old one is ours."""
        with self._file.transaction() as cursor:
            tables = {row[0] for row in cursor.execute("SHOW TABLES").fetchall()}
            meta = {PROGRAM_KEY: PROGRAM, SCHEMA: "0"}
            if tables or read_only:
                meta = self._meta(cursor) if "meta" in tables else {}
            if meta.get(PROGRAM_KEY) != PROGRAM or not meta.get(SCHEMA, "").isdigit():
                raise foreign(self.path)
            self.schema = int(meta[SCHEMA])
            self.migrated = migrations.pending(DUCKDB, meta, f"the warehouse {self.path}")
            if not read_only:
                self._migrate(cursor, PROGRAM if not tables else None)
                self._renew_views(cursor)
                self._take_old_counts_back(cursor)

    def _migrate(self, cursor: duckdb.DuckDBPyConnection, made_by: str | None) -> None:
        for migration in self.migrated:
            for statement in migration.statements:
                cursor.execute(statement)
            for key, value in migration.meta().items():
                self._set_meta(cursor, key, value)
        if made_by is not None:
            self._set_meta(cursor, PROGRAM_KEY, made_by)

    def _renew_views(self, cursor: duckdb.DuckDBPyConnection) -> None:
        views = DUCKDB.views(*VIEWS)
        text = "\n".join(view.text for view in views.values())
        digest = hashlib.sha256(text.encode()).hexdigest()
        meta = self._meta(cursor)
        if meta.get("views") == digest:
            return
        for view in views.values():
            cursor.execute(view.text.replace("CREATE", "CREATE OR REPLACE", 1))
        for name in migrations.outdated_views(meta, views):
            cursor.execute(f"DROP VIEW IF EXISTS {name}")
        self._set_meta(cursor, "views", digest)
        self._set_meta(cursor, migrations.VIEW_NAMES, " ".join(views))

    def _take_old_counts_back(self, cursor: duckdb.DuckDBPyConnection) -> None:
        counted_by = rules(DUCKDB)
        if self._meta(cursor).get(RULES) != counted_by:
            for statement in UNCOUNTED:
                cursor.execute(statement)
            self._set_meta(cursor, RULES, counted_by)

    def _keyring(self, key: bytes | None, read_only: bool) -> Keys | None:
        if read_only:
            return None
        with self._file.cursor() as cursor:
            known = self._meta(cursor).get("key_check")
        beside = self.path.with_name(f"{self.path.name}.key")
        if key is None and known is None:
            key = read_or_make_key(beside)
        keys = Keys(key or read_key(beside, f"the warehouse {self.path}"))
        check = keys.mention("")
        if known is None:
            with self._file.transaction() as cursor:
                self._set_meta(cursor, "key_check", check)
        elif known != check:
            raise GiveUp(
                f"the key does not belong to the warehouse {self.path}: "
                f"put the right {self.path.name}.key beside it"
            )
        return keys

    @staticmethod
    def _meta(cursor: duckdb.DuckDBPyConnection) -> dict[str, str]:
        try:
            return dict(cursor.execute("SELECT key, value FROM meta").fetchall())
        except duckdb.BinderException:
            return {}  # another program's table of that name

    @staticmethod
    def _set_meta(cursor: duckdb.DuckDBPyConnection, key: str, value: str) -> None:
        cursor.execute(
            "INSERT INTO meta VALUES ($key, $value) ON CONFLICT (key) DO UPDATE SET value = $value",
            {"key": key, "value": value},
        )


def open_for_reading(path: Path) -> tuple[DuckDBWarehouse, float | None]:
    """The warehouse for reading, and how many seconds old it is: None when it is the file itself.

    While another process owns the file, its newest snapshot is opened instead.
    Raises Misuse when there is no such file, GiveUp when it is owned and there is no snapshot yet.
    """
    try:
        return DuckDBWarehouse(path, read_only=True), None
    except Owned as owned:
        copy = snapshot_path(path)
        try:
            age = time.time() - copy.stat().st_mtime
        except FileNotFoundError:
            raise GiveUp(f"{owned}; there is no snapshot yet, try again in a moment") from owned
        return DuckDBWarehouse(copy, read_only=True), max(age, 0.0)


def _bindable(value: Any) -> Any:
    """Times are bound as the tables hold them."""
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None)
    return list(value) if isinstance(value, tuple) else value


def _unpacked(row: Row, as_json: Sequence[str], as_time: Sequence[str]) -> Row:
    for name in as_json:
        if row[name] is not None:
            row[name] = orjson.loads(row[name])
    for name in as_time:
        if row[name] is not None:
            row[name] = row[name].replace(tzinfo=UTC)
    return row
