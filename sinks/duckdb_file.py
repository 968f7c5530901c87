"""The DuckDB file: opening it and telling whose it is, its locks, its copies.

One process owns a file. Inside it any number of threads read, one writes, and now and then the file
is closed under them and opened anew (after a rewrite, or when a full disk made DuckDB give up): the
gate lets such a change wait for the readers and the readers wait for it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from pipeline.errors import GiveUp, GroundswellError, Misuse, TryLater

#: What is not yet checkpointed stands in memory as well: at 64 MB a replay took 35 MB more and was
#: no faster.
WAL_LIMIT = "8MB"
#: One for the write, one for the page: more would only contend with the other roles.
THREADS = 2
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
        self._memory_limit = memory_limit
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
        is_new = not self.path.exists()
        try:
            connection = duckdb.connect(
                str(self.path),
                read_only=self.read_only,
                config={"threads": THREADS, "memory_limit": self._memory_limit},
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
        """Nobody's SQL reaches files but the copy that is being made, nor unlocks that."""
        copies = ", ".join(quoted(f"{self._copy_path}{end}") for end in _BESIDE)
        return [
            f"wal_autocheckpoint = '{WAL_LIMIT}'",
            "preserve_insertion_order = false",
            "TimeZone = 'UTC'",
            "python_enable_replacements = false",
            f"allowed_paths = [{copies}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ]

    def _translated(self, error: duckdb.Error) -> GroundswellError:
        text = str(error)
        if "Could not set lock" in text or "Conflicting lock" in text:
            return Owned(
                f"the warehouse {self.path} belongs to another process: `groundswell up` may be "
                "running; stop it, or read the snapshot with `groundswell query`"
            )
        if "configuration has been locked" in text or "different configuration" in text:
            return Owned(f"the warehouse {self.path} is already open in this process")
        if "not a valid DuckDB database" in text:
            return foreign(self.path)
        if isinstance(error, duckdb.IOException) and "does not exist" in text:
            return Misuse(f"there is no warehouse at {self.path}")
        if (
            "No space left" in text
            or "invalidated" in text
            or isinstance(error, duckdb.IOException)
        ):
            self._broken = True
            return TryLater(f"the disk of the warehouse {self.path} is full or cannot be written")
        if isinstance(error, duckdb.OutOfMemoryException):
            return TryLater(f"the warehouse {self.path} needs more memory than its limit")
        # DuckDB's own text may quote values, and values are what strangers wrote.
        return GiveUp(f"the warehouse {self.path} failed: {type(error).__name__}")


class Owned(GiveUp):
    """The file is somebody else's for now."""


def foreign(path: Path) -> GiveUp:
    """What to say about a file that is not ours."""
    return GiveUp(f"{path} is no warehouse of this program; name another file")


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
