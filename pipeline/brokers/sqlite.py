"""The file under the local broker: opening it, writing to it, and what its errors mean."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import GiveUp, TryLater

#: Marks the file as ours ("GSWB" in ASCII), so that nobody else's database is written to.
APPLICATION_ID = 0x47535742
FORMAT = 1
# How long another process' write is waited for; a role must be able to stop within 5 s.
BUSY_SECONDS = 2.0
# Each connection has its own cache; only the writing one touches pages all over the key indexes.
WRITER_CACHE_KIB = 32_768
READER_CACHE_KIB = 2_048
# Pages given back in one transaction: 16 MB of write-ahead log at most.
_SHRINK_PAGES = 2_000
_PAGES = ("page_count", "freelist_count")

# One table a topic (``log_ID``), so that appending and reading on stay sequential.
_SCHEMA = """
CREATE TABLE topic (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, compacted INTEGER NOT NULL,
  retention_hours INTEGER, next_offset INTEGER NOT NULL DEFAULT 1,
  last_at INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE position (
  member_of TEXT NOT NULL, topic INTEGER NOT NULL REFERENCES topic (id),
  committed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (member_of, topic)
) WITHOUT ROWID;
CREATE TABLE lease (
  member_of TEXT PRIMARY KEY, generation INTEGER NOT NULL, holder TEXT NOT NULL,
  until INTEGER NOT NULL
) WITHOUT ROWID;
"""


class BrokerFile:
    """One SQLite file in WAL mode with one writing connection, shared by the process' threads.

    A durable write ends in an fsync (``synchronous=FULL``): what a collector's cursor moves past
    must survive a power cut, because some sources cannot be read twice. Commits of consumers use
    ``NORMAL``: they survive kill -9 of the process, and a power cut costs a repeated batch. With
    ``temporary`` nothing is synced and deleted bytes are not overwritten: for a replay's own file,
    which nobody reads after a crash and which its maker deletes.
    """

    def __init__(self, path: Path, *, temporary: bool = False) -> None:
        self.path = path
        self._temporary = temporary
        self._lock = threading.RLock()
        self.closed = False
        with self.translated(opening=True):
            self._prepare()
            self._writer = self._open()
            try:
                self._writer.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
                self._check()
            except BaseException:
                self._writer.close()
                raise

    def _prepare(self) -> None:
        """Makes the file readable by its owner alone; WAL files inherit that."""
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise GiveUp(
                f"cannot open the broker's file {self.path}: {error.strerror}; "
                "name a file that can be written, in an existing folder"
            ) from error

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        with _closed_on_error(db):
            if db.execute("PRAGMA page_count").fetchone()[0] == 0:
                # Both must stand before the first table; bigger pages suit records of about 1 KB.
                db.execute("PRAGMA page_size = 8192")
                db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(f"PRAGMA secure_delete = {'OFF' if self._temporary else 'ON'}")
            db.execute(f"PRAGMA synchronous = {'OFF' if self._temporary else 'NORMAL'}")
            db.execute("PRAGMA wal_autocheckpoint = 2000")
            db.execute("PRAGMA journal_size_limit = 67108864")
        return db

    def _check(self) -> None:
        """Creates the tables in an empty file and refuses everybody else's."""
        db = self._writer
        db.execute("BEGIN IMMEDIATE")
        try:
            mark = db.execute("PRAGMA application_id").fetchone()[0]
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if not mark and not tables:
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {FORMAT}")
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    db.execute(statement)
            elif mark != APPLICATION_ID:
                raise GiveUp(
                    f"{self.path} is a database of something else; name another file for the broker"
                )
            elif db.execute("PRAGMA user_version").fetchone()[0] > FORMAT:
                raise GiveUp(f"{self.path} was written by a newer groundswell; upgrade this one")
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")

    def connect(self) -> sqlite3.Connection:
        """A connection for one reading thread."""
        with self.translated():
            db = self._open()
            db.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
            db.execute("PRAGMA query_only = ON")
            return db

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction, committed on leaving, rolled back on any error.

        Raises TryLater when the disk is full or another process writes for long.
        """
        with self._lock, self.translated():
            db = self._writer
            if durable and not self._temporary:
                db.execute("PRAGMA synchronous = FULL")
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                if durable and not self._temporary:
                    db.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The shared connection for a quick question; not to be kept."""
        with self._lock, self.translated():
            yield self._writer

    def shrink(self) -> None:
        """Empties the write-ahead log; a file that is mostly free pages is made smaller.

        Fewer free pages stay: they are used again, and moving pages has its price.
        """
        with self._lock, self.translated():
            db = self._writer
            pages, free = (db.execute(f"PRAGMA {n}").fetchone()[0] for n in _PAGES)
            while free > pages // 2:
                # As a script, for a plain execute frees one page only.
                db.executescript(f"PRAGMA incremental_vacuum({_SHRINK_PAGES})")
                pages, before = pages - _SHRINK_PAGES, free
                free = db.execute("PRAGMA freelist_count").fetchone()[0]
                if free >= before:  # a file that some other tool has rewritten without the setting
                    break
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def rewrite(self) -> None:
        """Writes the whole file anew: bytes of deleted records are gone afterwards.

        ``secure_delete`` overwrites freed cells, but pages that were split may keep a stale copy
        of a cell; only a rewrite is certain. Raises TryLater when a reader of another process
        keeps the write-ahead log alive.
        """
        with self._lock, self.translated():
            self._writer.execute("VACUUM")
            busy = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if busy:
                raise TryLater(f"{self.path} is being read; its old bytes are not gone yet")

    def close(self) -> None:
        """Closes the writing connection."""
        with self._lock:
            self.closed = True
            self._writer.close()

    @contextmanager
    def translated(self, *, opening: bool = False) -> Iterator[None]:
        """Turns SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._meaning(error, opening) from error

    def _meaning(self, error: sqlite3.Error, opening: bool) -> GiveUp | TryLater:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # extended codes keep theirs on top
        if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
            return TryLater(f"no space left or disk error at {self.path}: make room on that disk")
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            if opening:
                return GiveUp(f"{self.path} is locked by another program; stop it or name another")
            return TryLater(f"{self.path} is locked by another process for now")
        if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            return GiveUp(
                f"{self.path} is no broker file or is damaged; move it away, and a new one is made"
            )
        return GiveUp(f"cannot use the broker's file {self.path}: {error}; see to its permissions")


@contextmanager
def _closed_on_error(db: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        db.close()
        raise
