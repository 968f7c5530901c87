"""The topics in the local broker's file: appending, positions of groups, and being woken."""

import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.brokers import keys
from pipeline.brokers.sqlite import BrokerFile
from pipeline.errors import GiveUp, TryLater
from pipeline.ports import Clock, Mark, Record, Topic
from pipeline.values import to_ms

#: What a producer hands over: topic, key, value.
Sent = tuple[str, str, bytes | None]


class Log(NamedTuple):
    """A topic in the file; its records stand in a table of their own."""

    id: int
    name: str
    compacted: bool
    retention_hours: int | None

    @property
    def table(self) -> str:
        """The name of its table, made of a number only."""
        return f"log_{self.id}"


class Logs:
    """All topics of one file.

    ``changes`` counts what a waiting member may care about (records came, a position moved, a
    place became free), so that nobody has to poll the file to notice what happens in the process.
    """

    def __init__(self, file: BrokerFile, clock: Clock, *, max_lag: int, patience: float) -> None:
        self.file = file
        self.changes = 0
        self._clock = clock
        self._max_lag = max_lag
        self._patience = patience
        self._known: dict[str, Log] = {}
        self._changed = threading.Condition()

    # ---- topics -------------------------------------------------------------------------------

    def ensure(self, topics: Sequence[Topic]) -> None:
        """Creates missing topics. Raises GiveUp when one is there and differs.

        One that was not compacted and shall be is changed: no record is lost by that.
        """
        with self.file.write(durable=True) as db:
            for topic in topics:
                known = _find(db, topic.name)
                if known is None:
                    _create(db, topic)
                elif known[2:] == (False, topic.retention_hours) and topic.compacted:
                    _compact_from_now_on(db, known)
                elif known[2:] != (topic.compacted, topic.retention_hours):
                    raise GiveUp(
                        f"topic {topic.name} in {self.file.path} is kept as compacted="
                        f"{known.compacted}, retention_hours={known.retention_hours}, wanted "
                        f"{topic.compacted} and {topic.retention_hours}; move the file away"
                    )

    def log(self, name: str) -> Log:
        """The topic of that name. Raises GiveUp when there is none."""
        log = self._known.get(name)
        if log is None:
            with self.file.read() as db:
                log = _find(db, name)
            if log is None:
                raise GiveUp(f"there is no topic {name} in {self.file.path}")
            self._known[name] = log
        return log

    def all(self) -> list[Log]:
        """Every topic of the file."""
        with self.file.read() as db:
            return [_log(row) for row in db.execute(f"{_TOPIC} ORDER BY id")]

    # ---- records ------------------------------------------------------------------------------

    def append(self, records: Sequence[Sent]) -> None:
        """Appends in one durable transaction, waiting for room before.

        A tombstone on a compacted topic deletes the key's earlier records at once. Raises TryLater
        when there is no room in time or the disk is full; nothing is written then.
        """
        by_topic: defaultdict[str, list[tuple[str, bytes | None]]] = defaultdict(list)
        for topic, key, value in records:
            by_topic[topic].append((key, value))
        # Tombstones make room and never wait for it: a worker that lags may still erase.
        growing = [topic for topic, sent in by_topic.items() if any(v is not None for _, v in sent)]
        self._wait_for_room([self.log(topic) for topic in growing])
        with self.file.write(durable=True) as db:
            for topic, sent in by_topic.items():
                self._append(db, self.log(topic), sent)
        self.announce()

    def _append(
        self, db: sqlite3.Connection, log: Log, sent: Sequence[tuple[str, bytes | None]]
    ) -> None:
        query = "SELECT next_offset, last_at FROM topic WHERE id = ?"
        first, last_at = db.execute(query, (log.id,)).fetchone()
        # Never back, whatever the clock does: ``since`` is found by bisection.
        at = max(last_at, to_ms(self._clock.now()))
        rows = [(first + i, at, key, value) for i, (key, value) in enumerate(sent)]
        db.executemany(f"INSERT INTO {log.table} VALUES (?, ?, ?, ?)", rows)
        db.execute(
            "UPDATE topic SET next_offset = ?, last_at = ? WHERE id = ?",
            (first + len(rows), at, log.id),
        )
        if log.compacted:
            keys.add(db, log.table, [(key, offset) for offset, _, key, _ in rows])
            for offset, _, key, value in rows:
                if value is None:
                    keys.delete(db, log.table, key, before=offset)

    def after(
        self, db: sqlite3.Connection, log: Log, offset: int, limit: int, room: int
    ) -> Iterator[Record]:
        """Up to ``limit`` records after ``offset``, ends with the one that fills ``room`` bytes."""
        columns, which = "offset, key, value, at", "offset > ? ORDER BY offset LIMIT ?"
        query = f"SELECT {columns} FROM {log.table} WHERE {which}"
        for number, key, value, at in db.execute(query, (offset, limit)):
            yield Record(log.name, 0, number, key, value, at)
            room -= len(value or b"")
            if room <= 0:
                return

    def end(self, db: sqlite3.Connection, log: Log) -> int:
        """The offset of the last record ever written, 0 when there was none."""
        query = "SELECT next_offset - 1 FROM topic WHERE id = ?"
        return int(db.execute(query, (log.id,)).fetchone()[0])

    def before(self, db: sqlite3.Connection, log: Log, at: int) -> int:
        """The offset to read on from so that the first record is the first taken at ``at`` (ms)."""
        low, high = 0, self.end(db, log)
        query = f"SELECT offset, at FROM {log.table} WHERE offset > ? ORDER BY offset LIMIT 1"
        while low < high:
            middle = (low + high) // 2
            row = db.execute(query, (middle,)).fetchone()
            if row is None or row[1] >= at:
                high = middle
            else:
                low = row[0]
        return low

    # ---- groups -------------------------------------------------------------------------------

    def join(self, group: str, logs: Sequence[Log]) -> None:
        """Makes the group known: from now on it counts for back-pressure and compaction."""
        with self.file.write() as db:
            db.executemany(
                "INSERT OR IGNORE INTO position (member_of, topic) VALUES (?, ?)",
                [(group, log.id) for log in logs],
            )

    def committed(self, db: sqlite3.Connection, group: str) -> dict[int, int]:
        """The last committed offset by topic id."""
        query = "SELECT topic, committed FROM position WHERE member_of = ?"
        return dict(db.execute(query, (group,)).fetchall())

    def lag(self, group: str) -> Mapping[str, int]:
        """By topic: offsets between commit and end, an upper bound where records were dropped."""
        with self.file.read() as db:
            behind = {}
            for log in self.all():
                offset = self.committed(db, group).get(log.id)
                if offset is not None:
                    left = next(self.after(db, log, offset, 1, 1), None)
                    behind[log.name] = 0 if left is None else self.end(db, log) - left.offset + 1
            return behind

    def mark(self, group: str, topic: str) -> Mark:
        """How far the group has come in a topic; records that were dropped count as done."""
        log = self.log(topic)
        with self.file.read() as db:
            offset = self.committed(db, group).get(log.id, 0)
            left = next(self.after(db, log, offset, 1, 1), None)
            end = self.end(db, log) + 1
        return Mark(end if left is None else left.offset, end)

    def _wait_for_room(self, logs: Sequence[Log]) -> None:
        deadline = time.monotonic() + self._patience
        while True:
            seen = self.changes
            slow = next((f"{group} on {log.name}" for log in logs for group in self._slow(log)), "")
            if not slow:
                return
            left = deadline - time.monotonic()
            if left <= 0:
                raise TryLater(f"consumer {slow} is more than {self._max_lag:,} records behind")
            self.wait(seen, min(left, 1.0))

    def _slow(self, log: Log) -> list[str]:
        """Groups that are too far behind; what retention dropped is not waited for."""
        query = f"""
            SELECT member_of FROM position
            WHERE topic = ? AND ? - max(committed, (SELECT min(offset) - 1 FROM {log.table})) > ?
        """
        with self.file.read() as db:
            found = db.execute(query, (log.id, self.end(db, log), self._max_lag))
            return [group for (group,) in found]

    # ---- being woken --------------------------------------------------------------------------

    def announce(self) -> None:
        """Wakes everybody who waits."""
        with self._changed:
            self.changes += 1
            self._changed.notify_all()

    def wait(self, seen: int, seconds: float) -> None:
        """Sleeps until something changed since ``changes`` was ``seen``, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: self.changes != seen, max(0.0, seconds))


_TOPIC = "SELECT id, name, compacted, retention_hours FROM topic"


def _log(row: tuple[int, str, int, int | None]) -> Log:
    return Log(row[0], row[1], bool(row[2]), row[3])


def _find(db: sqlite3.Connection, name: str) -> Log | None:
    row = db.execute(f"{_TOPIC} WHERE name = ?", (name,)).fetchone()
    return None if row is None else _log(row)


def _create(db: sqlite3.Connection, topic: Topic) -> None:
    log_id = db.execute(
        "INSERT INTO topic (name, compacted, retention_hours) VALUES (?, ?, ?)",
        (topic.name, topic.compacted, topic.retention_hours),
    ).lastrowid
    table = f"log_{log_id}"
    db.execute(
        f"CREATE TABLE {table} "
        "(offset INTEGER PRIMARY KEY, at INTEGER NOT NULL, key TEXT NOT NULL, value BLOB)"
    )
    if topic.compacted:
        keys.create(db, table)


def _compact_from_now_on(db: sqlite3.Connection, log: Log) -> None:
    db.execute("UPDATE topic SET compacted = TRUE WHERE id = ?", (log.id,))
    keys.create(db, log.table)
    keys.add(db, log.table, db.execute(f"SELECT key, offset FROM {log.table}").fetchall())
