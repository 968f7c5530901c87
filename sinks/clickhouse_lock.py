"""Writers of all processes come one after the other: the lock is a table that only one can make.

ClickHouse has neither locks nor transactions, but of all that make a table of one name one
succeeds. Who holds it renews it every few seconds, however long a write takes; one that nobody
renewed for ``_LEASE`` by the server's clock is a dead writer's, and whoever waits takes it. Whether
its process lives is not asked: between containers the number of a process says nothing.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.errors import GroundswellError, TryLater
from sinks.clickhouse_link import EXISTS, ClickHouseLink, Connection, code_of

_LOCK: Final = "writer_lock"
#: Seconds: how long a lock holds that nobody renews, and how long before that its holder begins no
#: statement any more: those of a write take less than this.
_LEASE, _MARGIN = 20.0, 8.0
#: Seconds between renewals, and how long writers wait for each other.
_RENEWED, _WAIT = 4.0, 30.0
_FOUND: Final = (
    "SELECT toString(uuid), now() - metadata_modification_time FROM system.tables "
    f"WHERE database = currentDatabase() AND name = '{_LOCK}'"
)


class WriterLock:
    """The lock of one warehouse of this process; its threads, too, come one after the other."""

    def __init__(self, link: ClickHouseLink) -> None:
        self._link = link
        self._writing = threading.Lock()
        self._until = 0.0

    @contextmanager
    def held(self, connection: Connection) -> Iterator[None]:
        """Holds it. Raises TryLater when others hold it for too long."""
        with self._writing:
            self._until = time.monotonic() + _LEASE - _MARGIN
            own = self._take(connection)
            done = threading.Event()
            threading.Thread(target=self._keep, args=(own, done), daemon=True).start()
            try:
                yield
            finally:
                done.set()
                if time.monotonic() < self._until:  # else it may be another's by now
                    with suppress(ClickHouseError, OSError):  # then it is waited for
                        connection.run(f"DROP TABLE IF EXISTS {_LOCK} SYNC")

    def check(self) -> None:
        """Raises TryLater when another may take it by now."""
        if time.monotonic() > self._until:
            raise TryLater("ClickHouse was away too long for one write")

    def _take(self, connection: Connection) -> str:
        """The lock's own id."""
        patience = time.monotonic() + _WAIT
        making = f"CREATE TABLE {_LOCK} (a UInt8) ENGINE = MergeTree ORDER BY a COMMENT {_holder()}"
        while True:
            began = time.monotonic()
            try:
                connection.run(making)
            except ClickHouseError as error:
                if code_of(error) != EXISTS:
                    raise
            else:
                self._until = began + _LEASE - _MARGIN
                return str(connection.ask(_FOUND).result_rows[0][0])
            self._break_old(connection)
            if time.monotonic() > patience:
                raise TryLater("another process writes to the ClickHouse warehouse")
            time.sleep(0.02)

    @staticmethod
    def _break_old(connection: Connection) -> None:
        found = connection.ask(_FOUND).result_rows
        if found and found[0][1] > _LEASE:
            # Renamed under a name made of its own id: of all that try, one succeeds.
            aside = f"{_LOCK}_{found[0][0].replace('-', '')}"
            with suppress(ClickHouseError):
                connection.run(f"RENAME TABLE {_LOCK} TO {aside}")
                connection.run(f"DROP TABLE {aside} SYNC")

    def _keep(self, own: str, done: threading.Event) -> None:
        """Renews it until ``done``, or until it is another's."""
        while not done.wait(_RENEWED):
            began = time.monotonic()
            with suppress(GroundswellError), self._link.asking() as connection:
                found = connection.ask(_FOUND).result_rows
                if done.is_set():
                    return
                if not found or found[0][0] != own:
                    self._until = 0.0
                    return
                connection.run(f"ALTER TABLE {_LOCK} MODIFY COMMENT {_holder()}")
                self._until = began + _LEASE - _MARGIN


def _holder() -> str:
    """Who holds it, as a literal, for whoever looks at the table; never the same twice."""
    host = "".join(each for each in socket.gethostname() if each.isalnum() or each in "-.")
    return f"'{host}, process {os.getpid()}, renewed {time.time_ns()}'"
