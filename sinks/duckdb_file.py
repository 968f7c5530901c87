"""The DuckDB file: opening it and telling whose it is, its locks, its copies.

One process owns a file. Inside it any number of threads read, one writes, and now and then the file
is closed under them and opened anew (after a rewrite, or when a full disk made DuckDB give up): the
gate lets such a change wait for the readers and the readers wait for it.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import duckdb

from pipeline.errors import GiveUp, GroundswellError
from sinks.duckdb_troubles import DiskTrouble, MemoryTrouble, look, translated

T = TypeVar("T")
#: What is not yet checkpointed stands in memory as well: at 64 MB a replay took 35 MB more and was
#: no faster.
WAL_LIMIT = "8MB"
#: One for the write, one for the page: more would only contend with the other roles.
THREADS = 2
#: So many ids are looked up one by one; by default DuckDB reads the whole table for more than 50
#: (at 1,000,000 mentions 130 ms of CPU for 240 of them, not 14).
LOOKED_UP = 2_048
#: What DuckDB writes beside a database file.
_BESIDE = ("", ".wal", ".wal.checkpoint", ".wal.recovery")


class Gate:
    """Many may pass at once, or one alone."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._inside = 0
        self._alone = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Passes together with others, waits while one is alone inside."""
        with self._free:
            self._free.wait_for(lambda: not self._alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._free:
                self._inside -= 1
                self._free.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until everybody is out and lets nobody in meanwhile."""
        with self._free:
            self._free.wait_for(lambda: not self._alone)
            self._alone = True
            self._free.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._free:
                self._alone = False
                self._free.notify_all()


class DuckDBFile:
    """One open database file. Safe to share between threads."""

    def __init__(self, path: Path, *, read_only: bool, memory_limit: str) -> None:
        self.path = path
        self.read_only = read_only
        self._memory_mb = int(memory_limit.removesuffix("MB"))
        self._gate = Gate()
        self._copying = threading.Lock()  # one copy is made at a time: they share a name
        self._broken = False
        self._connection: duckdb.DuckDBPyConnection | None = self._open()

    @property
    def snapshot_path(self) -> Path:
        """Where other processes find a copy to read."""
        return snapshot_path(self.path)

    @property
    def _copy_path(self) -> Path:
        return self.path.with_name(self.path.name + ".copy")

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of one's own. Raises TryLater or GiveUp for what DuckDB raises."""
        self._mend()
        with self._gate.shared():
            if self._connection is None:
                raise GiveUp(f"the warehouse {self.path} is closed")
            cursor = self._connection.cursor()
            try:
                yield cursor
            except duckdb.Error as error:
                raise self._translated(error) from error
            finally:
                cursor.close()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection whose work is committed at the end, or not at all."""
        with self.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                # DuckDB has already rolled back where this fails.
                with suppress(duckdb.Error):
                    cursor.execute("ROLLBACK")
                raise

    def growing(self, work: Callable[[], T]) -> T:
        """What the work gives; done again with twice the memory while DuckDB says it needs more.

        Indexes of some millions of rows do not fit into the limit that suits most warehouses. Half
        of the machine's memory is the most.
        """
        while True:
            try:
                return work()
            except MemoryTrouble:
                if self._memory_mb * 2 > _machine_mb() // 2:
                    raise
                self._memory_mb *= 2
                self._broken = True  # the next who comes opens it anew

    def copy_to(self, target: Path) -> None:
        """A copy of everything as it stands now, put in place in one step."""
        with self._copying:
            remove(self._copy_path)
            try:
                with self.cursor() as cursor:
                    self._copy(cursor)
                self._copy_path.chmod(0o600)
                self._copy_path.replace(target)
            finally:
                remove(self._copy_path)

    def rewrite(self) -> None:
        """Writes the file anew, so that nothing deleted is left in it. Everybody else waits."""
        self._mend()
        with self._copying, self._gate.alone():
            if self._connection is None:
                raise GiveUp(f"the warehouse {self.path} is closed")
            remove(self._copy_path)
            try:
                self._copy(self._connection)
                self._connection.close()
                self._connection = None
                self._copy_path.chmod(self.path.stat().st_mode & 0o777)
                self._copy_path.replace(self.path)
                # Closing has written its changes into the file that is now gone.
                remove(self.path, _BESIDE[1:])
            except duckdb.Error as error:
                raise self._translated(error) from error
            finally:
                remove(self._copy_path)
                if self._connection is None:
                    self._connection = self._open()

    def close(self) -> None:
        """Closes the file; what was committed is in it."""
        with self._gate.alone():
            if self._connection is not None:
                with suppress(duckdb.Error):  # the log keeps what a failed checkpoint did not
                    self._connection.close()
                self._connection = None

    def _copy(self, connection: duckdb.DuckDBPyConnection) -> None:
        own = connection.execute("SELECT current_database()").fetchall()[0][0]
        connection.execute(f"ATTACH {quoted(str(self._copy_path))} AS copy_of_it")
        try:
            connection.execute(f"COPY FROM DATABASE {quoted(own, mark=chr(34))} TO copy_of_it")
        finally:
            connection.execute("DETACH copy_of_it")

    def _mend(self) -> None:
        if not self._broken:
            return
        with self._gate.alone():
            if self._broken and self._connection is not None:
                with suppress(duckdb.Error):
                    self._connection.close()
                self._connection = None
            if self._connection is None:
                self._connection = self._open()
            self._broken = False

    def _open(self) -> duckdb.DuckDBPyConnection:
        connection = None
        look(self.path, read_only=self.read_only)
        is_new = not self.path.exists()
        try:
            connection = duckdb.connect(
                str(self.path),
                read_only=self.read_only,
                config={"threads": THREADS, "memory_limit": f"{self._memory_mb}MB"},
            )
            for setting in self._settings():
                connection.execute(f"SET GLOBAL {setting}")
            if is_new:
                self.path.chmod(0o600)
        except duckdb.Error as error:
            if connection is not None:
                connection.close()
            raise self._translated(error) from error
        return connection

    def _settings(self) -> list[str]:
        """Nobody's SQL reaches files but the open one and the copy being made, nor unlocks that.

        Those ``duckdb_query`` keeps from it. (Disabling the file system altogether would, too, but
        then a large query could put nothing aside on disk.)
        """
        copies = ", ".join(quoted(f"{self._copy_path}{end}") for end in _BESIDE)
        return [
            f"wal_autocheckpoint = '{WAL_LIMIT}'",
            "preserve_insertion_order = false",
            f"dynamic_or_filter_threshold = {LOOKED_UP}",
            "TimeZone = 'UTC'",
            "python_enable_replacements = false",
            f"allowed_paths = [{copies}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ]

    def _translated(self, error: duckdb.Error) -> GroundswellError:
        made = translated(error, self.path)
        self._broken |= isinstance(made, DiskTrouble)
        return made


def _machine_mb() -> int:
    return (os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) >> 20


def snapshot_path(path: Path) -> Path:
    """Where the copy of a warehouse stands that other processes may read."""
    return path.with_name(path.name + ".snapshot")


def quoted(text: str, mark: str = "'") -> str:
    """A literal, or with ``mark`` a name, in SQL; only for paths and names of our own."""
    return mark + text.replace(mark, mark * 2) + mark


def remove(path: Path, ends: tuple[str, ...] = _BESIDE) -> None:
    """Removes a database file and what DuckDB put beside it, if there."""
    for end in ends:
        Path(f"{path}{end}").unlink(missing_ok=True)
