"""What must be done now and then while everything runs: snapshots and compaction."""

import threading
import time

from config import memory
from pipeline.brokers.local import LocalBroker
from pipeline.ports import Clock
from sinks.duckdb_warehouse import DuckDBWarehouse

COMPACT_SECONDS = 3600.0


class Housekeeping:
    """Refreshes the analysts' snapshot when something changed, and tidies up hourly."""

    def __init__(
        self,
        warehouse: DuckDBWarehouse,
        broker: LocalBroker,
        clock: Clock,
        *,
        snapshot_seconds: float,
        stop: threading.Event,
    ) -> None:
        self._warehouse = warehouse
        self._broker = broker
        self._clock = clock
        self._every = snapshot_seconds
        self._stop = stop
        self._snapped = -1
        self._compacted = time.monotonic()
        # The first snapshot comes soon, so that `query` has an answer from the beginning.
        self._due = time.monotonic() + min(2.0, snapshot_seconds)

    def turn(self, timeout: float) -> int:
        """Waits up to ``timeout`` for the next time and does what is due; 1 if there was any."""
        left = max(0.0, self._due - time.monotonic())
        if self._stop.wait(min(left, timeout)) or left > timeout:
            return 0
        self._due = time.monotonic() + self._every
        memory.give_back()
        done = 0
        if (revision := self._warehouse.revision()) != self._snapped:
            self._warehouse.snapshot()
            self._snapped = revision
            done = 1
        if time.monotonic() - self._compacted >= COMPACT_SECONDS:
            self._warehouse.tidy()
            self._broker.compact(self._clock.now())
            self._compacted = time.monotonic()
            done = 1
        return done

    def close(self) -> None:
        """Nothing to let go of."""
