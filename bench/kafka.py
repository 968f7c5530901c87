"""How fast posts go from topic to topic on real Kafka. Run: ``python -m bench.kafka``.

bare    a loop of kafka-python that only copies records: same client settings, the library's own
        ``send``, a flush and a commit for each batch
carry   the worker without steps, which decodes and encodes: what it costs to carry posts through
worker  the worker with all its steps

In one process and in two, one after the other against the same broker on this machine. Posts are
CrisisLex T6 texts, said as if they came steadily in one hour in which five incidents are open.
Where others use the machine only ``cpu µs`` can be compared: a process that has a core to itself
makes a post in that time. GROUNDSWELL_TEST_KAFKA=host:port uses a broker that is there (it must be
empty), otherwise one is started.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson
from kafka.structs import OffsetAndMetadata, TopicPartition

from bench.repeats import load
from config import memory, wiring
from config.settings import Settings
from pipeline import topics
from pipeline.brokers.kafka import KafkaBroker, KafkaSettings
from pipeline.brokers.kafka_link import KafkaLink
from pipeline.clock import SystemClock
from pipeline.errors import TryLater
from pipeline.incidents import Book
from pipeline.model import Feedback, Incident, Mention, Repeat
from pipeline.ports import Topic
from pipeline.worker import Enrich, Worker
from tests.servers.kafka import KafkaServer

POSTS = "CrisisLex T6"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
#: Records of the bare loop between two commits; larger batches make it no faster.
BATCH = 2_000
COPY = Topic("copy", partitions=12, compacted=True, retention_hours=24)
#: Seconds without a record after which a child has seen the end.
OVER = 5.0
#: Seconds in which the members of a group find each other.
JOINING = 8.0
TROUBLES = (
    "Flooding closes roads and cuts power",
    "Explosion reported, emergency services on site",
    "Mobile network down in several towns",
    "Wildfire near homes, people told to leave",
    "Water supply interrupted",
)


@contextmanager
def broker_address() -> Iterator[str]:
    """A broker that is there, or one of our own."""
    named = os.environ.get("GROUNDSWELL_TEST_KAFKA")
    if named:
        yield named
        return
    server = KafkaServer()
    try:
        server.start()
        yield server.address
    finally:
        server.stop()


def fill(broker: KafkaBroker, count: int) -> int:
    """Puts incidents and posts on their topics; returns the number of posts."""
    producer = broker.producer()
    for number, title in enumerate(TROUBLES):
        word = Incident(
            id=f"bench:{number}", title=title, status="investigating", started_at=NOON, at=NOON
        )
        producer.send(topics.INCIDENTS, word.key, word.to_json())
    posts = (load(POSTS) or [])[:count]
    for number, post in enumerate(posts):
        at = NOON + timedelta(hours=1) * (number / len(posts))
        told = post.mention.model_dump() | {"said_at": at, "event_at": at, "seen_at": at}
        mention = Mention(**told)
        producer.send(topics.MENTIONS, mention.key, mention.to_json())
    producer.flush()
    return len(posts)


class Loop(NamedTuple):
    """One batch a turn."""

    turn: Callable[[], int]
    close: Callable[[], object]


def work(address: str) -> Loop:
    """The worker with all steps."""
    known = Settings()
    book = Book()
    return _loop(address, wiring.enricher(known, book, wiring.labeller(known)), book)


def carry(address: str) -> Loop:
    """The worker without steps: what it costs to carry posts through."""

    def enrich(mentions: Sequence[Mention]) -> list[Feedback]:
        return [
            Feedback(mention=mention, repeat=Repeat(group=mention.id), labels={}, model="none")
            for mention in mentions
        ]

    return _loop(address, enrich, Book())


def _loop(address: str, enrich: Enrich, book: Book) -> Loop:
    broker = KafkaBroker(KafkaSettings(servers=address))
    worker = Worker(
        broker, enrich, book, SystemClock(), batch=wiring.COMMITTED, at_once=wiring.AT_ONCE
    )

    def turn() -> int:
        try:
            return worker.turn(1.0)
        except TryLater as told:  # the group deals its partitions out
            print(told, file=sys.stderr)
            return 0

    return Loop(turn, broker.close)


def copy(address: str) -> Loop:
    """kafka-python alone: poll, send the same bytes on, flush, commit."""
    link = KafkaLink(KafkaSettings(servers=address))
    consumer, producer = link.consumer("copy"), link.producer()
    consumer.subscribe([topics.MENTIONS])

    def turn() -> int:
        found = consumer.poll(timeout_ms=1_000, max_records=BATCH)
        ends = {}
        for partition, records in found.items():
            for record in records:
                producer.send(COPY.name, key=record.key, value=record.value)
            ends[TopicPartition(*partition)] = OffsetAndMetadata(records[-1].offset + 1, "", -1)
        producer.flush()
        if ends:
            consumer.commit(ends)
        return sum(map(len, found.values()))

    return Loop(turn, consumer.close)


LOOPS = {"bare": copy, "carry": carry, "worker": work}


def child(loop: str, address: str) -> None:
    """Runs one loop: joins and warms up, waits for the word, then until all is done."""
    memory.calm()  # as every command does
    turn, close = LOOPS[loop](address)
    print("made", flush=True)
    sys.stdin.readline()
    settled = time.monotonic() + JOINING
    while turn() or time.monotonic() < settled:
        pass
    print("joined", flush=True)
    sys.stdin.readline()
    began = ended = spent = 0.0
    done, quiet, cpu = 0, time.monotonic(), time.process_time()
    while time.monotonic() - quiet < OVER:
        since = time.time()
        count = turn()
        if count:
            began = began or since
            ended, done, quiet = time.time(), done + count, time.monotonic()
            spent = time.process_time() - cpu
    close()  # otherwise the next members would have to wait for the end of our session
    if not done:
        raise SystemExit("a member of the group got no records")
    print(orjson.dumps([began, ended, done, spent]).decode(), flush=True)


def measured(
    loop: str, address: str, processes: int, fill_in: Callable[[], int]
) -> tuple[int, float, float]:
    """Posts handled, posts a second over all processes, and CPU seconds of them."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "bench.kafka", "--child", loop, "--address", address]
    children = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(processes)
    ]
    fill_in()  # to warm up with, also where the loop before left nothing
    say_to_all(children, "made")
    say_to_all(children, "joined", first=fill_in)
    told = [orjson.loads(each.communicate()[0]) for each in children]
    seconds = max(each[1] for each in told) - min(each[0] for each in told)
    done = sum(each[2] for each in told)
    return done, done / seconds, sum(each[3] for each in told)


def say_to_all(
    children: Sequence[subprocess.Popen[str]], heard: str, first: Callable[[], object] = int
) -> None:
    """Waits until every child said so, does what must be done before, and lets them go on."""
    for each in children:
        assert each.stdout is not None
        if each.stdout.readline().strip() != heard:
            raise SystemExit("a child failed")
    first()
    for each in children:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=30_000)
    parser.add_argument("--child", choices=LOOPS)
    parser.add_argument("--address")
    args = parser.parse_args()
    if args.child:
        child(args.child, args.address)
        return
    with broker_address() as address:
        broker = KafkaBroker(KafkaSettings(servers=address))
        broker.ensure([*topics.TOPICS, COPY])
        rates: dict[tuple[str, int], float] = {}
        spent: dict[tuple[str, int], float] = {}
        print("loop    processes   posts/s  cpu µs   handled")
        for processes in (1, 2):
            for loop in LOOPS:
                done, rate, cpu = measured(
                    loop, address, processes, lambda: fill(broker, args.posts)
                )
                rates[loop, processes] = rate
                us = spent[loop, processes] = cpu / done * 1e6
                print(f"{loop:8}{processes:9}{rate:10,.0f}{us:8.1f}{done:10,}", flush=True)
        broker.close()
        share = rates["worker", 1] / rates["bare", 1]
        times = rates["worker", 2] / rates["worker", 1]
        lighter = spent["bare", 1] / spent["worker", 1]
        print(f"worker / bare, one process: {share:.0%} of its posts/s, {lighter:.0%} by CPU")
        cores = 2 * spent["worker", 1] / spent["worker", 2]
        print(f"two workers / one: {times:.2f} of its posts/s, {cores:.2f} by CPU")


if __name__ == "__main__":
    main()
