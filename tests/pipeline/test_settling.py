"""Settling: when all that was on its way stands in the warehouse."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.settling import ROAD, Settling
from pipeline.topics import FEEDBACK, MENTIONS, TOPICS

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    broker = LocalBroker(tmp_path / "b", ManualClock(START), temporary=True)
    broker.ensure(TOPICS)
    for group, topic in ROAD:
        broker.consumer(group, [topic]).close()
    yield broker
    broker.close()


@pytest.fixture
def settling(broker: LocalBroker) -> Settling:
    return Settling(broker, timedelta(seconds=10))


def send(broker: LocalBroker, topic: str) -> None:
    producer = broker.producer()
    producer.send(topic, "x:1", b"{}")
    producer.flush()
    producer.close()


def done(broker: LocalBroker, group: str, topic: str) -> None:
    """The group polls and commits all there is."""
    consumer = broker.consumer(group, [topic])
    while consumer.poll(100, 0):
        consumer.commit()
    consumer.close()


def test_workers_hear_of_it_first(settling: Settling) -> None:
    """Nothing has settled before workers had the time to hear of the incident."""
    settling.add("a", START)
    assert settling.settled(after(9)) == []
    assert settling.settled(after(10)) == ["a"]
    assert settling.since() is None


def test_first_the_worker_then_the_store(broker: LocalBroker, settling: Settling) -> None:
    """All mentions that stood there must be done, then all feedback that stood there by then."""
    send(broker, MENTIONS)
    settling.add("a", START)
    assert settling.settled(after(10)) == []
    send(broker, FEEDBACK)
    done(broker, "worker", MENTIONS)
    assert settling.settled(after(12)) == []
    done(broker, "store", FEEDBACK)
    assert settling.settled(after(14)) == ["a"]


def test_what_comes_later_is_not_waited_for(broker: LocalBroker, settling: Settling) -> None:
    """Where there is always something on its way, incidents settle all the same."""
    send(broker, MENTIONS)
    settling.add("a", START)
    assert settling.settled(after(10)) == []
    done(broker, "worker", MENTIONS)
    send(broker, MENTIONS)
    assert settling.settled(after(12)) == ["a"]


def test_what_changed_meanwhile_has_its_own_turn(broker: LocalBroker, settling: Settling) -> None:
    """An incident that changes while others settle waits for what is on its way from then on."""
    send(broker, MENTIONS)
    settling.add("a", START)
    assert settling.settled(after(10)) == []
    settling.add("b", after(11))
    assert settling.since() == START
    done(broker, "worker", MENTIONS)
    assert settling.settled(after(12)) == ["a"]
    assert settling.since() == after(11)
    assert settling.settled(after(13)) == []
    assert settling.settled(after(21)) == ["b"]


def test_since_outlives_the_process(settling: Settling) -> None:
    """What an earlier process had asked for keeps its time, until it has settled."""
    settling.add("a", START, since=after(-3_600))
    settling.add("b", after(1))
    assert settling.since() == after(-3_600)
    assert settling.settled(after(20)) == ["a", "b"]
