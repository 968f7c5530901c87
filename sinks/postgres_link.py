"""Connections to PostgreSQL, and what its errors mean for us.

The driver is ADBC's: rows come and go as Arrow. Every connection commits statement by statement;
who wants a transaction says BEGIN and COMMIT. A connection on which anything failed is closed,
never used again: whatever state it was in is the server's to clean up.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import quote, urlsplit

import pyarrow as pa
from adbc_driver_manager import AdbcStatusCode, Error, dbapi
from adbc_driver_postgresql import StatementOptions
from adbc_driver_postgresql.dbapi import connect

from pipeline.errors import GiveUp, GroundswellError, TryLater

#: So that a server which vanished is noticed: seconds to connect, ms until data must be confirmed.
_PATIENCE: Final = {
    "connect_timeout": "10",
    "tcp_user_timeout": "30000",
    "application_name": "groundswell",
}
#: No question of the page may take longer.
_QUESTION: Final = ("statement_timeout = '60s'",)
#: What texts and times look like, and how a transaction sees others, whatever the role is set to.
_FORM: Final = (
    "TimeZone = 'UTC'",
    "DateStyle = 'ISO, YMD'",
    "standard_conforming_strings = on",
    "default_transaction_isolation = 'read committed'",
)
#: Connections kept for the next question.
_IDLE: Final = 4
_NO_COPY: Final = {StatementOptions.USE_COPY.value: "false"}
# What the driver itself does not take, whatever the server would say.
_OF_THE_DRIVER: Final = (
    AdbcStatusCode.NOT_IMPLEMENTED,
    AdbcStatusCode.INVALID_ARGUMENT,
    AdbcStatusCode.INVALID_DATA,
)
# What a server says that will soon be there, in answer to a login.
_SOON = re.compile(r"starting up|shutting down|in recovery|not yet accepting|too many|remaining")
_FATAL = re.compile(r"FATAL:\s*(.*)")
# Classes of SQLSTATE after which the same may work later: connection, resources, conflicts with
# others, an operator's hand, the system.
_LATER: Final = ("08", "40", "53", "55", "57", "58", "25006", "25P03")
# A table, a column or a part of a table is missing.
_OF_ANOTHER_FORM: Final = ("42P01", "42703", "23514")


class Connection:
    """One connection. One thread at a time uses it."""

    def __init__(self, adbc: dbapi.Connection) -> None:
        self._adbc = adbc

    def run(self, text: str, values: Sequence[Any] | None = None, copy: bool = True) -> pa.Table:
        """The answer to one statement. ``copy`` False is for statements that COPY does not take."""
        options = {} if copy else _NO_COPY
        with self._adbc.cursor(adbc_stmt_kwargs=options) as cursor:
            cursor.execute(text, values)
            if cursor.description is None:
                return pa.table({})
            return cursor.fetch_arrow_table()

    def stream(self, text: str, values: Sequence[Any] | None) -> Iterator[pa.RecordBatch]:
        """The answer to one statement batch by batch, an empty one first."""
        with self._adbc.cursor(adbc_stmt_kwargs=_NO_COPY) as cursor:
            cursor.execute(text, values)
            reader = cursor.fetch_record_batch()
            yield pa.RecordBatch.from_pylist([], reader.schema)
            yield from reader

    def run_all(self, texts: Sequence[str]) -> None:
        """One statement after the other."""
        for text in texts:
            self.run(text, copy=False)

    def ingest(self, table: str, batch: pa.Table) -> None:
        """Appends a batch to a temporary table, by the names of its columns."""
        with self._adbc.cursor() as cursor:
            cursor.adbc_ingest(table, batch, mode="append", temporary=True)

    def close(self) -> None:
        """Closes it; an open transaction is undone by the server."""
        with suppress(Error):  # it may be gone already
            self._adbc.close()


class PostgresLink:
    """Opens connections to one database, with ``schema`` as the place of every name.

    ``setting`` is what the user calls the address; error lines name it.
    """

    def __init__(self, url: str, schema: str, setting: str) -> None:
        self._url = patient(url)
        self._schema = schema
        self._setting = setting
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    def open(self, settings: Sequence[str] = ()) -> Connection:
        """A new connection of the caller's own. Raises TryLater, GiveUp."""
        try:
            connection = Connection(connect(self._url, autocommit=True))
        except Error as error:
            raise self._refused(error) from error
        try:
            self._settle(connection, settings)
        except Error as error:
            connection.close()
            raise self.translated(error) from error
        return connection

    def _settle(self, connection: Connection, settings: Sequence[str]) -> None:
        # Compiling a statement takes longer than any of ours runs.
        own = [f"search_path = {self._schema}", *_FORM, "jit = off"]
        connection.run_all([f"SET {setting}" for setting in (*own, *settings)])

    @contextmanager
    def asking(self, anew: bool = False) -> Iterator[Connection]:
        """A connection for questions, one of those kept. Raises TryLater, GiveUp.

        ``anew``: afterwards it is made as if it had just been opened, whatever was set or locked.
        """
        with self._lock:
            if self._closed:
                raise GiveUp("the warehouse is closed")
            kept = self._idle.pop() if self._idle else None
        connection = kept or self.open(_QUESTION)
        try:
            yield connection
            if anew:
                connection.run_all(["ROLLBACK", "DISCARD ALL"])
                self._settle(connection, _QUESTION)
        except Error as error:
            connection.close()
            if kept is not None and lost(error):
                self._forget()  # the others are as old
            raise self.translated(error) from error
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if not self._closed and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Closes the connections kept and keeps no more."""
        self._closed = True
        self._forget()

    def translated(self, error: Error) -> GroundswellError:
        """What an error of a statement of ours means. The server's own text may quote values."""
        state = error.sqlstate
        if lost(error):
            return TryLater("the connection to PostgreSQL was lost")
        if state is None:
            return GiveUp(f"the driver of PostgreSQL failed: {error.status_code.name}")
        if state.startswith(_LATER):
            return TryLater(f"PostgreSQL cannot do it now (SQLSTATE {state})")
        if state == "42501":
            return GiveUp(
                f"the role in {self._setting} may not do this in the schema {self._schema}: "
                "make it the owner of the database, or of that schema"
            )
        if state in _OF_ANOTHER_FORM:
            return GiveUp(
                f"the schema {self._schema} got another form while this ran (SQLSTATE {state}): "
                "start it again, with the version that changed it"
            )
        return GiveUp(f"PostgreSQL failed with SQLSTATE {state}")

    def _refused(self, error: Error) -> GroundswellError:
        """What it means that no connection came about. A login has no SQLSTATE."""
        told = str(error)
        fatal = _FATAL.search(told)
        if fatal is not None and not _SOON.search(fatal.group(1)):
            return GiveUp(f"PostgreSQL refuses the login in {self._setting}: {fatal.group(1)}")
        if "connection info string" in told or "invalid" in told:
            # The line would quote the address, and with it the password.
            return GiveUp(f"{self._setting} is no address of a PostgreSQL database")
        return TryLater(f"PostgreSQL does not answer at the address in {self._setting}")

    def _forget(self) -> None:
        with self._lock:
            forgotten, self._idle = self._idle, []
        for connection in forgotten:
            connection.close()


def lost(error: Error) -> bool:
    """Whether the connection is gone: by the server's farewell or, without one, the driver."""
    if error.sqlstate is None:
        return error.status_code not in _OF_THE_DRIVER
    return error.sqlstate.startswith("57P")


def patient(url: str) -> str:
    """The address with what makes a lost server noticed, where it does not say so itself."""
    missing = {name: value for name, value in _PATIENCE.items() if f"{name}=" not in url}
    if "://" not in url:
        return " ".join([url, *(f"{name}={value}" for name, value in missing.items())])
    added = "&".join(f"{name}={quote(value)}" for name, value in missing.items())
    if not added:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}{added}"
