"""Producer, consumer and reader of the local broker; one thread each."""

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from pipeline.brokers.leases import Leases
from pipeline.brokers.logs import Log, Logs, Sent
from pipeline.errors import Fenced, SetAside, TryLater
from pipeline.ports import Record
from pipeline.values import to_ms

#: A record above this is refused: the longest text (1 MiB) fits even if all of it is escaped.
MAX_RECORD_BYTES = 16 * 1024 * 1024
#: In flight before a producer writes on its own: bounds its memory, not its speed.
MAX_BUFFERED = 20_000
MAX_BUFFERED_BYTES = 32 * 1024 * 1024
#: One poll's values end with the record that reaches this, so that long texts cannot fill memory.
POLL_BYTES = 32 * 1024 * 1024
# Other processes cannot wake us; what they wrote is looked for this often.
LOOK_AROUND_SECONDS = 1.0


class LocalProducer:
    """Collects records and writes them in one transaction when flushed."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._buffer: list[Sent] = []
        self._bytes = 0

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        """Takes one record; writes out what is in flight when that is much."""
        self._logs.log(topic)
        size = len(key) + len(value or b"")
        if size > MAX_RECORD_BYTES:
            raise SetAside(f"a record of {size:,} bytes is above the {MAX_RECORD_BYTES:,} allowed")
        self._buffer.append((topic, key, value))
        self._bytes += size
        if len(self._buffer) >= MAX_BUFFERED or self._bytes >= MAX_BUFFERED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what is in flight; on an error it is dropped, for the caller sends all again."""
        records, self._buffer, self._bytes = self._buffer, [], 0
        if records:
            self._logs.append(records)

    def close(self) -> None:
        """Gives up what is not flushed."""
        self._buffer, self._bytes = [], 0


class LocalConsumer:
    """A member of a group: reads while it holds the group's place, waits as stand-in otherwise."""

    def __init__(self, logs: Logs, leases: Leases, group: str, topics: Sequence[Log]) -> None:
        self._logs = logs
        self._leases = leases
        self._group = group
        self._topics = list(topics)
        self._holder = leases.new_holder()
        self._generation: int | None = None
        self._positions: dict[int, int] = {}  # by topic id: the last offset polled
        self._uncommitted = False
        self._db = logs.file.connect()

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        """The next records; one topic after the other, beginning with another one each time.

        Raises Fenced when another took the place while something polled was not committed.
        """
        deadline = time.monotonic() + timeout
        while True:
            seen = self._logs.changes
            with self._logs.file.translated():
                if self._has_place() and (records := self._read(max_records)):
                    self._uncommitted = True
                    return records
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            self._logs.wait(seen, min(left, LOOK_AROUND_SECONDS))

    def _has_place(self) -> bool:
        held = self._generation
        self._generation = self._leases.hold(self._db, self._group, self._holder, held)
        if self._generation != held and self._uncommitted:
            self._uncommitted = False
            raise Fenced(f"another member of {self._group} took over; its records are polled again")
        if self._generation is not None and self._generation != held:
            self._logs.join(self._group, self._topics)  # it may have been forgotten meanwhile
            self._positions = self._logs.committed(self._db, self._group)
        return self._generation is not None

    def _read(self, max_records: int) -> list[Record]:
        records: list[Record] = []
        room = POLL_BYTES
        for log in self._topics:
            limit = max_records - len(records)
            if limit <= 0 or room <= 0:
                break
            position = self._positions[log.id]
            found = list(self._logs.after(self._db, log, position, limit, room))
            if found:
                self._positions[log.id] = found[-1].offset
                room -= sum(len(record.value or b"") for record in found)
                records += found
        self._topics.append(self._topics.pop(0))  # a busy topic cannot starve the others
        return records

    def commit(self) -> None:
        """Stores the positions if the place is still ours."""
        if self._generation is None or not self._uncommitted:
            return
        with self._logs.file.write() as db:
            if not self._leases.holds(db, self._group, self._holder, self._generation):
                self._generation, self._uncommitted = None, False
                raise Fenced(f"another member of {self._group} took over; nothing was committed")
            db.executemany(
                "UPDATE position SET committed = ? WHERE member_of = ? AND topic = ?",
                [(at, self._group, topic) for topic, at in self._positions.items()],
            )
        self._uncommitted = False
        self._logs.announce()

    def rewind(self) -> None:
        """Goes back to what is committed."""
        with self._logs.file.translated():
            self._positions = self._logs.committed(self._db, self._group)
        self._uncommitted = False

    def close(self) -> None:
        """Frees the place; the broker's own closing did that already."""
        self._db.close()
        if self._generation is not None and not self._logs.file.closed:
            with suppress(TryLater):  # a full disk: the place runs out by itself
                self._leases.release(self._group, self._holder)
            self._logs.announce()
        self._generation = None


class LocalReader:
    """Reads topics from the start, or from a time on, without a group."""

    def __init__(self, logs: Logs, topics: Sequence[Log], since: datetime | None) -> None:
        self._logs = logs
        self._topics = list(topics)
        self._db = logs.file.connect()
        at = None if since is None else to_ms(since)
        with logs.file.translated():
            self._positions = {
                log.id: 0 if at is None else logs.before(self._db, log, at) for log in topics
            }
            self._ends = {log.id: logs.end(self._db, log) for log in topics}
        self.closed = False

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        """The next records; empty after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            seen = self._logs.changes
            with self._logs.file.translated():
                if records := self._read(max_records):
                    return records
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            self._logs.wait(seen, min(left, LOOK_AROUND_SECONDS))

    def _read(self, max_records: int) -> list[Record]:
        for log in tuple(self._topics):
            self._topics.append(self._topics.pop(0))  # a busy topic cannot starve the others
            position = self._positions[log.id]
            found = list(self._logs.after(self._db, log, position, max_records, POLL_BYTES))
            if found:
                self._positions[log.id] = found[-1].offset
                return found
            # Records at the end may have been dropped meanwhile.
            self._positions[log.id] = max(position, self._ends[log.id])
        return []

    def position(self, log: Log) -> int | None:
        """The last offset read of a topic, None if it is not read here."""
        return self._positions.get(log.id)

    def caught_up(self) -> bool:
        """True once everything that stood there at the start has been polled."""
        return all(self._positions[log.id] >= self._ends[log.id] for log in self._topics)

    def close(self) -> None:
        """Closes the connection."""
        self.closed = True
        self._db.close()
