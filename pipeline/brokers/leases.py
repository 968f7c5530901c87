"""Who may consume for a group: one member at a time, by a lease with a generation."""

import os
import secrets
import socket
import sqlite3
import weakref
from typing import Any

from pipeline.brokers.sqlite import BrokerFile
from pipeline.ports import Clock
from pipeline.values import to_ms

#: How long a member that hangs keeps its place: longer than any batch should take.
LEASE_SECONDS = 30
#: As long as topics with text remember: after it a group has lost records anyway.
LOST_AFTER_MS = 7 * 24 * 3_600_000
_RENEW_BELOW_MS = LEASE_SECONDS * 1000 * 2 // 3
_FREE = ""
# Every Leases alive in this process: a holder of our own process id that is not among them died
# before a process with the same id was started (in containers the id is always 1).
_ALIVE: "weakref.WeakValueDictionary[str, Leases]" = weakref.WeakValueDictionary()


class Leases:
    """The leases in one broker file, seen from one broker of this process.

    ``clock`` is the machine's time and not the records': a place expires when its holder hangs,
    however fast a replay's time goes by.
    """

    def __init__(self, file: BrokerFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._token = secrets.token_hex(8)
        self._place = f"{socket.gethostname()}/{os.getpid()}"
        _ALIVE[self._token] = self

    def new_holder(self) -> str:
        """A name for one more member."""
        return f"{self._place}/{self._token}/{secrets.token_hex(4)}"

    def hold(
        self, db: sqlite3.Connection, group: str, holder: str, generation: int | None
    ) -> int | None:
        """The generation under which ``holder`` has the place now, None while it has not.

        Takes a free, expired or orphaned place; renews an own one that runs low. ``db`` is any
        connection for reading.
        """
        row = self._read(db, group)
        if row is not None and row[:2] == (generation, holder):
            if row[2] - self._now() < _RENEW_BELOW_MS:
                return self._renew(group, holder, row[0])
            return generation
        if row is None or self._is_free(row[1], row[2]):
            return self._take(group, holder)
        return None

    def holds(self, db: sqlite3.Connection, group: str, holder: str, generation: int) -> bool:
        """Whether the place is still the holder's, to be asked inside a write."""
        row = self._read(db, group)
        return row is not None and row[:2] == (generation, holder)

    def release(self, group: str, holder: str) -> None:
        """Frees the place if it is still the holder's."""
        with self._file.write() as db:
            db.execute(
                "UPDATE lease SET holder = ?, until = ? WHERE member_of = ? AND holder = ?",
                (_FREE, self._now(), group, holder),
            )

    def release_all(self) -> None:
        """Frees every place held through this broker."""
        with self._file.write() as db:
            db.execute(
                "UPDATE lease SET holder = ?, until = ? WHERE holder LIKE ?",
                (_FREE, self._now(), f"%/{self._token}/%"),
            )

    def forget_lost(self) -> None:
        """Forgets groups that nobody was a member of for a week, so that they hold up nobody."""
        before = self._now() - LOST_AFTER_MS
        with self._file.write() as db:
            gone = db.execute("SELECT member_of FROM lease WHERE until < ?", (before,)).fetchall()
            db.executemany("DELETE FROM position WHERE member_of = ?", gone)
            db.executemany("DELETE FROM lease WHERE member_of = ?", gone)

    def _read(self, db: sqlite3.Connection, group: str) -> Any:
        query = "SELECT generation, holder, until FROM lease WHERE member_of = ?"
        return db.execute(query, (group,)).fetchone()

    def _now(self) -> int:
        return to_ms(self._clock.now())

    def _renew(self, group: str, holder: str, generation: int) -> int | None:
        with self._file.write() as db:
            changed = db.execute(
                "UPDATE lease SET until = ? WHERE member_of = ? AND holder = ? AND generation = ?",
                (self._now() + LEASE_SECONDS * 1000, group, holder, generation),
            ).rowcount
        return generation if changed else None

    def _take(self, group: str, holder: str) -> int | None:
        with self._file.write() as db:
            row = self._read(db, group)  # again: somebody may have been faster
            if row is not None and not self._is_free(row[1], row[2]):
                return None
            generation: int = 1 if row is None else row[0] + 1
            db.execute(
                "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?)",
                (group, generation, holder, self._now() + LEASE_SECONDS * 1000),
            )
        return generation

    def _is_free(self, holder: str, until: int) -> bool:
        return holder == _FREE or until <= self._now() or self._is_orphan(holder)

    def _is_orphan(self, holder: str) -> bool:
        """Whether the holder's process is gone, as far as can be told from this machine."""
        host, pid, token, _ = holder.rsplit("/", 3)
        if host != socket.gethostname():
            return False
        if int(pid) == os.getpid():
            return token not in _ALIVE
        try:
            os.kill(int(pid), 0)  # signal 0 only asks
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False
