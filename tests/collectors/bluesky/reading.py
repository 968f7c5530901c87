"""Reading Bluesky's stream in tests: the first words that come."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

from collectors.bluesky.jetstream import Bluesky
from collectors.kit.times import to_us
from pipeline.clock import ManualClock
from pipeline.model import Coverage
from pipeline.ports import Collector, Item
from tests.servers.jetstream import Jetstream

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
T0 = to_us(START)


def source(server: Jetstream, clock: ManualClock | None = None, **more: Any) -> Bluesky:
    return Bluesky("bluesky", clock or ManualClock(START), url=server.url, **more)


def items(
    made: Collector, count: int, cursor: str | None = None, *, coverage: bool = False
) -> list[Item]:
    """The first ``count`` items that carry a value, those of coverage only if asked for."""
    stop = threading.Event()
    came: list[Item] = []
    deadline = time.monotonic() + 30
    reading = made.items(cursor, stop)
    for item in reading:
        if item.value is not None and (coverage or not isinstance(item.value, Coverage)):
            came.append(item)
        if len(came) == count or time.monotonic() > deadline:
            break
    reading.close()  # type: ignore[attr-defined]
    assert len(came) == count
    return came


def values(made: Collector, count: int, cursor: str | None = None) -> list[Any]:
    return [item.value for item in items(made, count, cursor)]
