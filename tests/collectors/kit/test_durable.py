"""What sources build on: intake makes a cursor durable before it asks on."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.decoding import read
from pipeline.intake import Intake
from pipeline.model import Cursor
from pipeline.ports import Item
from pipeline.reading import batches
from pipeline.topics import CURSORS, TOPICS

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def stored(broker: LocalBroker) -> str | None:
    """The newest cursor on the topic."""
    reader = broker.reader([CURSORS])
    try:
        found = [record.value for records in batches(reader, 10) for record in records]
    finally:
        reader.close()
    return read(Cursor, found[-1]).cursor if found and found[-1] is not None else None


def test_a_count_is_durable_before_the_call_it_counts(tmp_path: Path) -> None:
    """A generator that goes on after an item without a value finds its cursor in the broker."""
    broker = LocalBroker(tmp_path / "test.broker", ManualClock(START))
    broker.ensure(TOPICS)
    seen: list[str | None] = []

    class Source:
        name = "counting"

        def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
            for number in range(3):
                yield Item(None, f"counted {number}")
                seen.append(stored(broker))

    intake = Intake(Source(), broker, None, ManualClock(START))
    while not intake.done:
        intake.turn(0.1)
    intake.close()
    broker.close()
    assert seen == ["counted 0", "counted 1", "counted 2"]
