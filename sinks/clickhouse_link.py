"""Connections to ClickHouse, and what its errors mean for us.

The driver speaks HTTP (``clickhouse://user:password@host:8123/database``, ``clickhouses://`` with
TLS); tests run the same engine in the process (``chdb:///folder?database=name``). Every statement
stands for itself: there are no transactions.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError
from clickhouse_connect.driver.query import QueryResult

from pipeline.errors import GiveUp, GroundswellError, TryLater
from sinks.clickhouse_statements import MEANING, Statement

_PORTS: Final = {"clickhouse": 8123, "clickhouses": 8443}
#: Seconds to connect, and until an answer must come.
_PATIENCE: Final = {"connect_timeout": 10, "send_receive_timeout": 120}
#: An insert is answered when it stands in its table: collected on the server first (its default
#: from 26 on) it would wait there for others.
_SETTINGS: Final = {
    **MEANING,
    "mutations_sync": 2,
    "input_format_null_as_default": 1,
    "async_insert": 0,
}
#: Connections kept for the next question.
_IDLE: Final = 4
_CODE = re.compile(r"Code: (\d+)\.")
_NAME = re.compile(r"\(([A-Z][A-Z0-9_]+)\)")
# The user or its password, or the database, is unknown.
_LOGIN: Final = {81, 192, 193, 194, 516}
_FORBIDDEN: Final = 497
# Time-outs, the network, too many at once, no memory, no space, too many parts, a reading replica.
_LATER: Final = {159, 160, 202, 203, 209, 210, 236, 241, 242, 243, 252, 286, 319, 394, 745}
#: A table of that name is there already.
EXISTS: Final = 57
#: A name in SQL means nothing.
UNKNOWN_NAME: Final = 47
Errors: Final = (ClickHouseError, OSError, pa.ArrowException)


class Connection:
    """One connection. One thread at a time uses it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def run(self, text: str, values: dict[str, Any] | None = None) -> None:
        """One statement without an answer."""
        self._client.command(text, parameters=values)

    def ask(
        self,
        text: str,
        values: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> QueryResult:
        """The answer to one statement."""
        return self._client.query(text, parameters=values, settings=settings)

    def pairs(self, text: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a statement of two columns: the second by the first."""
        return {str(row[0]): row[1] for row in self.ask(text, values).result_rows}

    def stream(self, statement: Statement, values: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        """The answer to one statement batch by batch."""
        with self._client.query_arrow_stream(
            statement.text, parameters=statement.bound(values)
        ) as batches:
            yield from batches

    def insert(self, table: str, batch: pa.Table) -> None:
        """Appends a batch to a table, by the names of its columns: all of it or nothing."""
        self._client.insert_arrow(table, batch)

    def close(self) -> None:
        """Closes it."""
        self._client.close()


class ClickHouseLink:
    """Connections to one database. ``setting`` is what the user calls its address."""

    def __init__(self, url: str, setting: str) -> None:
        self._setting = setting
        self._target = target(url, setting)
        self.database: str = self._target["database"]
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    def open(self, **other: Any) -> Connection:
        """A new connection. Raises TryLater, GiveUp."""
        try:
            return Connection(
                clickhouse_connect.get_client(**(self._target | other), settings=_SETTINGS)
            )
        except Errors as error:
            raise self.translated(error) from error

    @contextmanager
    def asking(self) -> Iterator[Connection]:
        """A connection, one of those kept. Raises TryLater, GiveUp."""
        with self._lock:
            if self._closed:
                raise GiveUp("the warehouse is closed")
            kept = self._idle.pop() if self._idle else None
        connection = kept or self.open()
        try:
            yield connection
        except Errors as error:
            connection.close()
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
        with self._lock:
            forgotten, self._idle = self._idle, []
        for connection in forgotten:
            connection.close()

    def translated(self, error: Exception) -> GroundswellError:
        """What an error means. The server's own text may quote values."""
        code = code_of(error)
        if code is None:
            if isinstance(error, DatabaseError | OSError) or "HTTP" in type(error).__name__:
                return TryLater(f"ClickHouse does not answer at the address in {self._setting}")
            return GiveUp(f"the driver of ClickHouse failed: {type(error).__name__}")
        name = name_of(error)
        if code in _LOGIN:
            return GiveUp(f"ClickHouse refuses the login in {self._setting}: {name}")
        if code == _FORBIDDEN:
            return GiveUp(
                f"the user in {self._setting} may not do this in the database {self.database}: "
                "grant it ALL on that database"
            )
        if code in _LATER:
            return TryLater(f"ClickHouse cannot do it now ({name})")
        return GiveUp(f"ClickHouse failed with {name}")


def target(url: str, setting: str) -> dict[str, Any]:
    """What the driver wants to know of an address. Raises GiveUp, without quoting it."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "chdb":
            (database,) = parse_qs(parts.query)["database"]
            return {"interface": "chdb", "path": parts.path, "database": database}
        database = parts.path.strip("/")
        if parts.scheme not in _PORTS or not parts.hostname or not database or "/" in database:
            raise ValueError("no address")
        return {
            "interface": "https" if parts.scheme == "clickhouses" else "http",
            "host": parts.hostname,
            "port": parts.port or _PORTS[parts.scheme],
            "username": unquote(parts.username or "default"),
            "password": unquote(parts.password or ""),
            "database": database,
            "autogenerate_session_id": False,
            "query_retries": 0,
            **_PATIENCE,
        }
    except (ValueError, KeyError) as error:
        raise GiveUp(
            f"{setting} is no address of a ClickHouse database "
            "(clickhouse://user:password@host:8123/database)"
        ) from error


def code_of(error: Exception) -> int | None:
    """ClickHouse's number of an error, None if it did not come from the server."""
    found = _CODE.search(str(error))
    return int(found.group(1)) if found else None


def name_of(error: Exception) -> str:
    """ClickHouse's name of an error, such as MEMORY_LIMIT_EXCEEDED."""
    names = _NAME.findall(str(error))
    return names[-1] if names else f"code {code_of(error)}"
