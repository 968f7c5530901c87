"""Fixtures of the flow: a local broker with all topics, and a clock that is set by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.topics import TOPICS
from tests.pipeline.flow import NOON


@pytest.fixture
def clock() -> ManualClock:
    """Noon of the day on which all of it happens."""
    return ManualClock(NOON)


@pytest.fixture
def broker(tmp_path: Path, clock: ManualClock) -> Iterator[LocalBroker]:
    """An empty broker."""
    broker = LocalBroker(tmp_path / "broker", clock, temporary=True)
    broker.ensure(TOPICS)
    yield broker
    broker.close()
