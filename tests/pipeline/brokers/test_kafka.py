"""Kafka passes the contract of all brokers, and keeps its own promises."""

import contextlib
import gc
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kafka
import pytest
from kafka.admin import ConfigResource, ConfigResourceType
from pydantic import ValidationError

from pipeline.brokers.kafka import KafkaBroker, KafkaSettings
from pipeline.brokers.kafka_settings import MAX_RECORD_BYTES
from pipeline.errors import Fenced, GiveUp, TryLater
from pipeline.ports import Broker, Consumer, Producer, Record, Topic
from pipeline.topics import TOPICS
from tests.contracts.broker import SOON, BrokerContract, MakeBroker, produce, take, values
from tests.servers.kafka import PASSWORD, USER, KafkaServer

MakeKafka = Callable[..., KafkaBroker]


class TestContract(BrokerContract):
    """The suite on Apache Kafka."""

    @pytest.fixture
    def make_broker(self, kafka_address: str) -> MakeBroker:
        def open_broker() -> Broker:
            return KafkaBroker(KafkaSettings(servers=kafka_address))

        return open_broker


@pytest.fixture
def make(kafka_address: str) -> Iterator[MakeKafka]:
    """Opens brokers and closes them in the end."""
    opened: list[KafkaBroker] = []

    def open_broker(**settings: Any) -> KafkaBroker:
        known = KafkaSettings(**({"servers": kafka_address} | settings))
        opened.append(KafkaBroker(known))
        return opened[-1]

    yield open_broker
    for broker in opened:
        broker.close()
    gc.collect()  # see tests/conftest.py on what the library leaves open


@pytest.fixture
def topic(make: MakeKafka) -> str:
    """A topic of its own for each test."""
    name = f"own-{secrets.token_hex(4)}"
    make().ensure([Topic(name, partitions=4, compacted=True, retention_hours=24)])
    return name


@contextlib.contextmanager
def hanging(server: KafkaServer) -> Iterator[None]:
    """The broker hangs for a while: connections stay, nothing answers."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


# ---- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"servers": "kafka"}, "servers"),
        ({"servers": "a:1,,b:2"}, "servers"),
        ({"security_protocol": "SASL_SSL", "sasl_password": "x"}, "wants sasl_username"),
        ({"security_protocol": "SASL_SSL", "sasl_username": "x"}, "sasl_password_file"),
        ({"sasl_username": "x"}, "security_protocol begins with SASL_"),
        ({"ssl_certfile": "x.pem"}, "security_protocol ends with SSL"),
        ({"security_protocol": "SSL", "ssl_keyfile": "x.pem"}, "without ssl_certfile"),
        ({"no_such_setting": 1}, "no_such_setting"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], told: str) -> None:
    """Half a login, or a certificate that nobody would see, is a mistake and not a default."""
    with pytest.raises(ValidationError, match=told):
        KafkaSettings(**({"servers": "127.0.0.1:9092"} | settings))


def test_a_password_is_never_shown() -> None:
    """Settings that are printed or logged keep the secret."""
    settings = KafkaSettings(
        servers="a:1",
        security_protocol="SASL_PLAINTEXT",
        sasl_username="u",
        sasl_password="hush",
    )
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_several_servers_are_told_apart() -> None:
    """Any of them will do to begin with."""
    settings = KafkaSettings(servers="a:1, b.example:29092")
    assert settings.addresses == [("a", 1), ("b.example", 29092)]


# ---- reaching it ------------------------------------------------------------------------------


def test_one_server_that_answers_is_enough(kafka_address: str, make: MakeKafka) -> None:
    """A list of servers survives the loss of one."""
    broker = make(servers=f"127.0.0.1:1,{kafka_address}")
    broker.ensure(TOPICS)
    assert broker.marks("nobody", TOPICS[0].name)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:9092"])
def test_a_wrong_address_is_named(make: MakeKafka, address: str) -> None:
    """Nobody answers there: one line with the address, and it may be tried again."""
    with pytest.raises(TryLater, match=f"Kafka at {address} does not answer: ..."):
        make(servers=address).ensure(TOPICS)


def test_parts_are_made_while_the_broker_is_away(make: MakeKafka) -> None:
    """A role starts before its broker does: only its turns have to wait."""
    broker = make(servers="127.0.0.1:1")
    producer, consumer = broker.producer(), broker.consumer("g", ["mentions"])
    reader = broker.reader(["mentions"])

    for use in (
        lambda: producer.send("mentions", "k", b"v"),
        lambda: consumer.poll(1, 0),
        lambda: reader.poll(1, 0),
        reader.caught_up,
        lambda: broker.lag("g"),
    ):
        with pytest.raises(TryLater, match=r"127\.0\.0\.1:1"):
            use()
    consumer.rewind()
    consumer.commit()


def test_a_login_is_sent(kafka_server: KafkaServer, make: MakeKafka, tmp_path: Path) -> None:
    """With SASL the right password opens, given itself or by a file."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    login = {"servers": kafka_server.sasl_address, "security_protocol": "SASL_PLAINTEXT"}
    for secret in (
        {"sasl_password": PASSWORD},
        {"sasl_password_file": tmp_path / "password"},
    ):
        broker = make(sasl_username=USER, **login, **secret)
        broker.ensure(TOPICS)
        assert broker.marks("nobody", TOPICS[0].name)


@pytest.mark.parametrize(
    "wrong", [{"sasl_password": "hush"}, {"sasl_mechanism": "SCRAM-SHA-256"}], ids=["word", "way"]
)
def test_a_refused_login_names_the_settings(
    kafka_server: KafkaServer, make: MakeKafka, wrong: dict[str, Any]
) -> None:
    """A wrong password, or a way to log in that the broker does not know, stops the start."""
    login = {"sasl_username": USER, "sasl_password": PASSWORD, "patience": 1} | wrong
    broker = make(servers=kafka_server.sasl_address, security_protocol="SASL_PLAINTEXT", **login)
    with pytest.raises(GiveUp, match=f"refuses the login of '{USER}': check sasl_us") as told:
        broker.ensure(TOPICS)
    assert "hush" not in str(told.value)
    assert PASSWORD not in str(told.value)


def test_connections_are_encrypted(kafka_server: KafkaServer, make: MakeKafka) -> None:
    """With TLS the broker's certificate is checked against the one that the settings name."""
    tls = {"servers": kafka_server.tls_address, "security_protocol": "SSL"}
    make(ssl_cafile=kafka_server.certificate, **tls).ensure(TOPICS)

    with pytest.raises(GiveUp, match=r"not trusted .*: check ssl_cafile"):
        make(**tls).ensure(TOPICS)
    with pytest.raises(GiveUp, match=r"ssl_cafile.* must name readable PEM files"):
        make(ssl_cafile="/no/such/file", **tls).ensure(TOPICS)


def test_another_protocol_than_the_brokers_is_hinted_at(
    kafka_server: KafkaServer, make: MakeKafka
) -> None:
    """It could also be a broker that is starting, so it is tried again, with the hint."""
    for settings in (
        {"servers": kafka_server.tls_address},
        {"servers": kafka_server.address, "security_protocol": "SSL"},
    ):
        with pytest.raises(TryLater, match="check security_protocol"):
            make(patience=1, **settings).ensure(TOPICS)


# ---- topics -----------------------------------------------------------------------------------


def config_of(address: str, topic: str) -> dict[str, str]:
    """What the broker says of a topic."""
    admin = kafka.KafkaAdminClient(bootstrap_servers=address)
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]
    found = admin.describe_configs(asked, config_filter="all")["topic"][topic]
    admin.close()
    return {name: entry["value"] for name, entry in found.items()}


def test_topics_forget_as_designed(kafka_address: str, make: MakeKafka, topic: str) -> None:
    """A text that was erased is gone from a compacted topic within a day."""
    found = config_of(kafka_address, topic)

    assert found["cleanup.policy"] == "compact,delete"
    assert found["retention.ms"] == str(24 * 3_600_000)
    assert found["max.compaction.lag.ms"] == str(24 * 3_600_000)
    assert int(found["max.message.bytes"]) > MAX_RECORD_BYTES
    assert found["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"partitions": 5}, "4 partitions instead of 5 .*--partitions 5"),
        ({"retention_hours": 48}, "retention.ms is 86400000 instead of 172800000 "),
        ({"retention_hours": None}, "cleanup.policy is compact,delete instead of compact "),
        ({"compacted": False}, "cleanup.policy is compact,delete instead of delete "),
    ],
)
def test_a_topic_that_differs_is_named_with_the_mend(
    make: MakeKafka, topic: str, wanted: dict[str, Any], told: str
) -> None:
    """Too few partitions, or another memory: what differs, and the command that mends it."""
    as_made = {"partitions": 4, "compacted": True, "retention_hours": 24}
    with pytest.raises(GiveUp, match=rf"topic {topic}: {told}"):
        make().ensure([Topic(topic, **(as_made | wanted))])


def test_more_partitions_are_welcome(make: MakeKafka, topic: str) -> None:
    """Who needs more has made more."""
    broker = make()
    broker.ensure([Topic(topic, partitions=2, compacted=True, retention_hours=24)])
    assert len(broker.marks("nobody", topic)) == 4


def test_a_check_creates_nothing(make: MakeKafka) -> None:
    """``verify`` tells what is missing and leaves it so."""
    broker, name = make(), f"missing-{secrets.token_hex(4)}"
    for _ in range(2):
        with pytest.raises(GiveUp, match=f"no topic {name}"):
            broker.verify([Topic(name)])


def test_too_many_copies_are_refused(make: MakeKafka) -> None:
    """One broker cannot keep three copies: the setting is named."""
    with pytest.raises(GiveUp, match="check replication_factor"):
        make(replication_factor=3).ensure([Topic(f"copies-{secrets.token_hex(4)}")])


def test_missing_topics_are_named_to_readers_too(make: MakeKafka) -> None:
    """Waiting for ever on a topic that nobody made would look like peace."""
    broker = make()
    with pytest.raises(GiveUp, match="no topic nowhere"):
        broker.reader(["nowhere"]).caught_up()
    with pytest.raises(GiveUp, match="no topic nowhere"):
        broker.consumer("g", ["nowhere"]).poll(1, 0)


# ---- records ----------------------------------------------------------------------------------


def test_the_largest_record_goes_through(make: MakeKafka, topic: str) -> None:
    """What may be sent arrives, also when it cannot be compressed."""
    largest = os.urandom(MAX_RECORD_BYTES - 1)
    broker = make()
    produce(broker, topic, ("k", largest))

    assert values(take(broker.reader([topic]), 1)) == {"k": [largest]}


def test_a_topic_that_takes_less_than_it_must_is_named(
    kafka_address: str, make: MakeKafka, topic: str
) -> None:
    """Somebody lowered its limit while we run: no retry would help, and the setting is told."""
    producer = make().producer()
    producer.send(topic, "k", b"small enough")
    producer.flush()
    admin = kafka.KafkaAdminClient(bootstrap_servers=kafka_address)
    wanted = {"max.message.bytes": "2000"}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=wanted)])
    admin.close()

    for number in range(8):
        producer.send(topic, "k", os.urandom(500) + b"%d" % number)
    with pytest.raises(GiveUp, match=f"topic {topic}: its max.message.bytes must be"):
        producer.flush()


def test_foreign_records_are_delivered(kafka_address: str, make: MakeKafka) -> None:
    """No key, a key that is no text, headers, a tombstone: whoever reads decides what to do."""
    make().ensure([Topic(topic := f"foreign-{secrets.token_hex(4)}", retention_hours=1)])
    foreign = kafka.KafkaProducer(bootstrap_servers=kafka_address)
    foreign.send(topic, value=b"no key")
    foreign.send(topic, key=b"\xff\xfe", value=b"\x00", headers=[("h", b"1")])
    foreign.send(topic, key=b"gone", value=None)
    foreign.close()

    found = values(take(make().consumer(f"g-{topic}", [topic]), 3))

    assert found == {"": [b"no key"], "\ufffd\ufffd": [b"\x00"], "gone": [None]}


def test_posts_never_reach_the_log(
    make: MakeKafka, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The library writes records into its own log at DEBUG; ours must not let it."""
    caplog.set_level(logging.DEBUG)
    broker = make()
    produce(broker, topic, ("somebody:1", b"what somebody said"))
    take(broker.consumer(f"g-{topic}", [topic]), 1)

    assert "somebody" not in caplog.text


# ---- groups -----------------------------------------------------------------------------------


def test_what_was_polled_from_a_lost_partition_is_not_committed(
    make: MakeKafka, topic: str
) -> None:
    """A member that joins takes partitions over, and with them what was not committed."""
    group, records = f"g-{topic}", [(f"k{i}", b"%d" % i) for i in range(100)]
    one, two = make().consumer(group, [topic]), make().consumer(group, [topic])
    produce(make(), topic, *records)
    assert len(take(one, 100)) == 100  # held, not committed

    joining = Taker(two)
    joining.start()
    with pytest.raises(Fenced, match=group):  # noqa: PT012
        deadline = time.monotonic() + SOON
        while time.monotonic() < deadline:
            assert one.poll(100, 0.2) == []
    rest: list[Record] = []
    while len(rest) + len(joining.seen) < 100 and time.monotonic() < deadline:
        rest += one.poll(100, 0.2)
    one.commit()
    joining.end()

    seen = Counter([*joining.seen, *(record.value for record in rest)])
    assert seen == Counter(value for _, value in records)
    assert make().lag(group) == {topic: 0}


class Taker(threading.Thread):
    """Another member at work: polls and commits until it is ended."""

    def __init__(self, member: Consumer) -> None:
        super().__init__()
        self.seen: list[bytes | None] = []
        self.partitions: set[int] = set()
        self._member = member
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(Fenced):
                records = self._member.poll(100, 0.2)
                self._member.commit()
                self.seen += [record.value for record in records]
                self.partitions |= {record.partition for record in records}

    def end(self) -> None:
        self._over.set()
        self.join()


def test_two_members_share_the_partitions(make: MakeKafka, topic: str) -> None:
    """Two workers each get a part of the work."""
    takers = [Taker(make().consumer(f"g-{topic}", [topic])) for _ in range(2)]
    for taker in takers:
        taker.start()
    deadline = time.monotonic() + SOON
    while not all(taker.partitions for taker in takers) and time.monotonic() < deadline:
        produce(make(), topic, *[(f"k{i}", b"v") for i in range(40)])
    for taker in takers:
        taker.end()

    assert all(taker.partitions for taker in takers)


def test_the_place_of_a_dead_process_becomes_free(
    kafka_address: str, make: MakeKafka, topic: str
) -> None:
    """Kill -9: after the member's session its records come to another, uncommitted as they are."""
    produce(make(), topic, *[(f"k{i}", b"v") for i in range(20)])
    child = subprocess.run(
        [sys.executable, "-c", _POLL_AND_DIE, kafka_address, topic],
        capture_output=True,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr

    assert len(take(make().consumer(f"g-{topic}", [topic]), 20)) == 20


_POLL_AND_DIE = """
import os, signal, sys
from pipeline.brokers.kafka import KafkaBroker, KafkaSettings
broker = KafkaBroker(KafkaSettings(servers=sys.argv[1], session_seconds=6))
consumer, polled = broker.consumer(f"g-{sys.argv[2]}", [sys.argv[2]]), 0
while polled < 20:
    polled += len(consumer.poll(20, 1))
os.kill(os.getpid(), signal.SIGKILL)
"""


# ---- a broker in trouble ----------------------------------------------------------------------


def test_in_flight_records_are_bounded(
    kafka_server: KafkaServer, make: MakeKafka, topic: str
) -> None:
    """While nothing is acknowledged a producer takes so much and no more, then says TryLater."""
    for limit, record in (({"in_flight": 500}, b"x"), ({"in_flight_bytes": 50_000}, b"x" * 98)):
        # Patient enough for a broker that shares a busy machine with the tests.
        producer = make(servers=kafka_server.address, patience=5, **limit).producer()
        producer.send(topic, "k", b"first")
        producer.flush()
        sent = 0
        with hanging(kafka_server), pytest.raises(TryLater, match="cannot send to topic"):  # noqa: PT012
            while sent < 10_000:
                producer.send(topic, "kk", record)
                sent += 1
        assert sent == 500

        until_taken(producer, topic)


def until_taken(producer: Producer, topic: str) -> None:
    """Sends until the broker, which has just come back, takes a record; fails after a while."""
    deadline = time.monotonic() + SOON
    while True:
        try:
            producer.send(topic, "again", b"1")
            producer.flush()
        except TryLater:
            assert time.monotonic() < deadline, "the broker takes nothing again"
        else:
            return


def test_a_commit_that_stalls_ends_in_time(
    kafka_server: KafkaServer, make: MakeKafka, topic: str
) -> None:
    """A broker that hangs cannot hang a worker; afterwards the same records come again."""
    broker = make(servers=kafka_server.address, patience=5)
    produce(broker, topic, *[(f"k{i}", b"v") for i in range(10)])
    consumer = broker.consumer(f"g-{topic}", [topic])
    first = take(consumer, 10)
    began = time.monotonic()
    with hanging(kafka_server), pytest.raises(TryLater, match="cannot commit"):
        consumer.commit()
    assert time.monotonic() - began < SOON

    consumer.rewind()
    assert {r.key for r in take(consumer, 10)} == {r.key for r in first}
    consumer.commit()
    assert broker.lag(f"g-{topic}") == {topic: 0}


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_the_broker_is_killed(
    kafka_server: KafkaServer, make: MakeKafka, topic: str
) -> None:
    """Kill -9 in the middle of producing: TryLater, send again, and in the end all is there.

    What was acknowledged before is there once; what was given up may be there twice.
    """
    broker = make(servers=kafka_server.address, patience=5)
    producer = broker.producer()
    killer = threading.Thread(target=kafka_server.kill)
    again: list[int] = []
    batch, deadline = 0, time.monotonic() + 200
    while batch < 40 and time.monotonic() < deadline:
        try:
            for number in range(200):
                producer.send(topic, f"{batch}.{number}", os.urandom(500))
                if (batch, number) == (20, 100) and not again:
                    killer.start()
            producer.flush()
        except TryLater:
            killer.join()
            if not again:
                kafka_server.start()
            again.append(batch)
        else:
            batch += 1

    assert batch == 40
    assert again
    times: Counter[str] = Counter()
    reader = broker.reader([topic])
    while not reader.caught_up():
        times.update(record.key for record in reader.poll(1_000, 1))
    assert set(times) == {f"{batch}.{number}" for batch in range(40) for number in range(200)}
    assert {int(key.partition(".")[0]) for key, count in times.items() if count > 1} <= set(again)


@pytest.mark.slow
def test_consumers_survive_a_restart_of_the_broker(
    kafka_server: KafkaServer, make: MakeKafka, topic: str
) -> None:
    """A member and a reader say that the broker is away and go on when it is back."""
    broker = make(servers=kafka_server.address, patience=5)
    produce(broker, topic, ("a", b"1"))
    consumer, reader = broker.consumer(f"g-{topic}", [topic]), broker.reader([topic])
    take(consumer, 1)
    take(reader, 1)
    consumer.commit()
    kafka_server.kill()
    try:
        with pytest.raises(TryLater, match="does not answer"):  # noqa: PT012
            deadline = time.monotonic() + SOON
            while time.monotonic() < deadline:
                assert consumer.poll(1, 0.2) == []
    finally:
        kafka_server.start()
    produce(make(servers=kafka_server.address, patience=20), topic, ("b", b"2"))

    assert values(take(consumer, 1)) == {"b": [b"2"]}
    assert values(take(reader, 1)) == {"b": [b"2"]}
    consumer.commit()
