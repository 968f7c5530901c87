"""The broker for one machine: topics in one SQLite file, one partition each."""

import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pipeline.brokers import upkeep
from pipeline.brokers.leases import Leases
from pipeline.brokers.logs import Log, Logs
from pipeline.brokers.members import LocalConsumer, LocalProducer, LocalReader
from pipeline.brokers.sqlite import BrokerFile
from pipeline.clock import SystemClock
from pipeline.errors import TryLater
from pipeline.ports import Clock, Mark, Topic

#: Records by which the slowest group may be behind before producers have to wait.
MAX_LAG = 100_000
#: Seconds a producer waits for room; well below the 5 s in which a role must be able to stop.
PATIENCE = 2.0


class LocalBroker:
    """The embedded broker (port ``Broker``), safe between threads and between processes.

    One active consumer a group, held by a lease; others stand in for it. Consumers are woken
    within the process; what another process wrote is seen within a second. A producer waits up to
    ``patience`` seconds while a known group of its topic is more than ``max_lag`` records behind,
    then raises TryLater. ``temporary`` is for a replay's own file: nothing is synced to disk, and
    deleted bytes are not overwritten. ``clock`` stamps the records; ``lease_clock`` is the
    machine's, for a lease runs out in its time. Raises GiveUp for a file that is locked, damaged or
    somebody else's.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock | None = None,
        *,
        max_lag: int = MAX_LAG,
        patience: float = PATIENCE,
        temporary: bool = False,
        lease_clock: Clock | None = None,
    ) -> None:
        self._file = BrokerFile(path, temporary=temporary)
        self._logs = Logs(self._file, clock or SystemClock(), max_lag=max_lag, patience=patience)
        self._leases = Leases(self._file, lease_clock or SystemClock())
        self._readers: weakref.WeakSet[LocalReader] = weakref.WeakSet()

    def ensure(self, topics: Sequence[Topic]) -> None:
        """Creates what is missing; one partition each, whatever the topic asks for."""
        self._logs.ensure(topics)

    def producer(self) -> LocalProducer:
        """A new producer."""
        return LocalProducer(self._logs)

    def consumer(self, group: str, topics: Sequence[str]) -> LocalConsumer:
        """A new member of ``group``; from now on the group counts for back-pressure."""
        logs = [self._logs.log(name) for name in topics]
        self._logs.join(group, logs)
        return LocalConsumer(self._logs, self._leases, group, logs)

    def reader(self, topics: Sequence[str], since: datetime | None = None) -> LocalReader:
        """A reader from the oldest record on, or from the first that arrived at ``since``."""
        reader = LocalReader(self._logs, [self._logs.log(name) for name in topics], since)
        self._readers.add(reader)
        return reader

    def lag(self, group: str) -> Mapping[str, int]:
        """Per topic what the group has not committed, an upper bound where records were dropped."""
        return self._logs.lag(group)

    def marks(self, group: str, topic: str) -> Mapping[int, Mark]:
        """How far the group has come in the one partition of the topic."""
        return {0: self._logs.mark(group, topic)}

    def close(self) -> None:
        """Frees the places of its consumers and closes the file; again is nothing."""
        if self._file.closed:
            return
        with suppress(TryLater):  # a full disk: our places run out by themselves
            self._leases.release_all()
        self._logs.announce()
        self._file.close()

    # ---- beyond the port ----------------------------------------------------------------------

    def count(self, topic: str) -> int:
        """The number of records the topic holds."""
        table = self._logs.log(topic).table
        with self._file.read() as db:
            return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def compact(self, now: datetime) -> int:
        """Drops records past retention, and superseded ones older than a day that were consumed.

        Returns how many. Groups without a member for a week are forgotten. To be called about once
        an hour.
        """
        self._leases.forget_lost()
        return upkeep.compact(self._logs, now)

    def discard_consumed(self) -> int:
        """Deletes what every group has committed and every open reader has read; returns how many.

        Keeps the file of a replay small.
        """
        return upkeep.discard_consumed(self._logs, self._read_up_to)

    def erase(self, keys: Iterable[str]) -> int:
        """Deletes all records of mentions or authors, by id, and their bytes; returns how many.

        Their late links and dead letters go too. Raises TryLater if the bytes could not be
        overwritten yet: then it has to be repeated.
        """
        return upkeep.erase(self._logs, keys)

    def _read_up_to(self, log: Log) -> int | None:
        positions = [reader.position(log) for reader in self._readers if not reader.closed]
        return min((at for at in positions if at is not None), default=None)
