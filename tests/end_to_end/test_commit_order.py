"""Processes are killed at the moment at which an early commit would lose what they hold."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from pipeline import topics
from pipeline.brokers.kafka import KafkaBroker, KafkaSettings
from pipeline.errors import TryLater
from pipeline.model import Feedback, Mention, Repeat
from pipeline.ports import Broker
from sinks.postgres_link import Connection, PostgresLink
from tests.pipeline.flow import NOON
from tests.servers.cluster import Process
from tests.servers.fixtures import served
from tests.servers.holding import HoldingDoor
from tests.servers.kafka import KafkaServer
from tests.servers.postgres import PostgresServer

COUNT = 300
#: Seconds on a very slow machine; and in which who commits early has done so.
PATIENCE, TEMPTATION = 120.0, 3.0
POSTS = [
    Mention(source="x", external_id=str(n), text=f"acme {n}", said_at=NOON) for n in range(COUNT)
]


@pytest.fixture
def door() -> Iterator[HoldingDoor]:
    with HoldingDoor() as door:
        yield door


@pytest.fixture
def kafka(door: HoldingDoor) -> Iterator[KafkaServer]:
    with served(lambda: KafkaServer(door.port), "commits are") as server:
        door.target = server.behind
        yield server


@pytest.fixture
def broker(kafka: KafkaServer) -> Iterator[KafkaBroker]:
    with closing(KafkaBroker(KafkaSettings(servers=kafka.address))) as broker:
        broker.ensure(topics.TOPICS)
        yield broker


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with served(PostgresServer, "commits are") as server:
        yield server


def role(name: str, folder: Path, port: int, postgres: str) -> Process:
    """One role in a process of its own, which finds Kafka at a port of this machine."""
    file = folder / f"{name}.toml"
    file.write_text(f'[kafka]\nservers = "127.0.0.1:{port}"\nsession_seconds = 6.0\n')
    ours = {k: v for k, v in os.environ.items() if not k.startswith("GROUNDSWELL_")}
    ours["GROUNDSWELL_WAREHOUSE__URL"] = postgres
    return Process(name, ["--config", str(file), name], folder, ours)


def send(broker: Broker, topic: str, words: Sequence[Mention | Feedback]) -> None:
    producer = broker.producer()
    for word in words:
        producer.send(topic, word.key, word.to_json())
    producer.flush()
    producer.close()


def until(met: Callable[[], bool], process: Process) -> None:
    """Waits for what must come."""
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert process.is_running, process.log.read_text()
        assert time.monotonic() < deadline, process.log.read_text()
        time.sleep(0.1)


def done(broker: Broker, group: str, topic: str) -> int:
    """How many records the group is done with."""
    try:
        return sum(mark.done for mark in broker.marks(group, topic).values())
    except TryLater:
        return 0


def count(asking: Connection, what: str) -> int:
    """How many rows there are."""
    return int(asking.run(f"SELECT count(*) FROM {what}", copy=False).column(0)[0].as_py())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_worker_commits_what_the_broker_has(
    tmp_path: Path, door: HoldingDoor, broker: KafkaBroker
) -> None:
    """Killed while its records are held on their way, a worker has committed none of its posts."""
    send(broker, topics.MENTIONS, POSTS)
    nowhere = "postgresql://groundswell@127.0.0.1:1/groundswell"  # a worker needs no warehouse
    worker = role("work", tmp_path, door.port, nowhere)
    door.holds = True
    worker.start()
    until(lambda: door.held > 0, worker)
    time.sleep(TEMPTATION)
    worker.kill()
    assert done(broker, "worker", topics.MENTIONS) == 0
    door.holds = False
    worker.start()
    until(lambda: done(broker, "worker", topics.MENTIONS) == COUNT, worker)
    worker.stop()
    with closing(broker.reader([topics.FEEDBACK])) as reader:
        found = set()
        while not reader.caught_up():
            found |= {record.key for record in reader.poll(1_000, 1)}
    assert found == {post.key for post in POSTS}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_store_commits_what_the_warehouse_has(
    tmp_path: Path, kafka: KafkaServer, broker: KafkaBroker, postgres: PostgresServer
) -> None:
    """Killed while another writer keeps it waiting, a store has committed none of its rows."""
    store = role("store", tmp_path, int(kafka.address.partition(":")[2]), postgres.url)
    store.start()
    link = PostgresLink(postgres.url, "groundswell", "the test")
    with closing(link.open()) as other, closing(link.open()) as asking:
        made = "pg_views WHERE schemaname = 'groundswell' AND viewname = 'removals'"
        until(lambda: count(asking, made) > 0, store)
        other.run_all(["BEGIN", "UPDATE state SET revision = revision"])
        found = [
            Feedback(mention=p, repeat=Repeat(group=p.id), labels={}, model="m") for p in POSTS
        ]
        send(broker, topics.FEEDBACK, found)
        until(lambda: count(asking, "pg_stat_activity WHERE wait_event_type = 'Lock'") > 0, store)
        time.sleep(TEMPTATION)
        store.kill()
        assert done(broker, "store", topics.FEEDBACK) == 0
        other.run_all(["ROLLBACK"])
        store.start()
        until(lambda: done(broker, "store", topics.FEEDBACK) == COUNT, store)
        assert count(asking, "fct_mention") == COUNT
    store.stop()
