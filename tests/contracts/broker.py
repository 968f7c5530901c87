"""What every broker must do, whatever stands behind it.

A test module of an adapter makes a subclass of ``BrokerContract`` and gives it a fixture
``make_broker``. Nothing here assumes one partition or one process; order is only asked for within
a key. Polls are given time, for some brokers need seconds to let a member join.
"""

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import Fenced, GiveUp, SetAside
from pipeline.ports import Broker, Consumer, Reader, Record, Topic

MakeBroker = Callable[[], Broker]
#: Longest wait for what must come, in seconds; and the wait for what must not come.
SOON, NOTHING = 30.0, 0.3
#: Larger than any broker takes.
TOO_LARGE = 17 * 1024 * 1024


def produce(broker: Broker, topic: str, *records: tuple[str, bytes | None]) -> None:
    """Sends the records and waits for the acknowledgement."""
    producer = broker.producer()
    for key, value in records:
        producer.send(topic, key, value)
    producer.flush()
    producer.close()


def take(member: Consumer | Reader, count: int, batch: int = 100) -> list[Record]:
    """Polls until ``count`` records came; fails after a while."""
    records: list[Record] = []
    deadline = time.monotonic() + SOON
    while len(records) < count:
        assert time.monotonic() < deadline, f"{len(records)} of {count} records came"
        records += member.poll(batch, 0.5)
    return records


def values(records: Sequence[Record]) -> dict[str, list[bytes | None]]:
    """The values by key, each in its order."""
    found: defaultdict[str, list[bytes | None]] = defaultdict(list)
    for record in records:
        found[record.key].append(record.value)
    return dict(found)


class BrokerContract:
    """The suite. The adapter's fixture ``make_broker`` opens the same broker each time."""

    @pytest.fixture
    def broker(self, make_broker: MakeBroker) -> Iterator[Broker]:
        broker = make_broker()
        yield broker
        broker.close()

    @pytest.fixture
    def topic(self, broker: Broker) -> str:
        """A plain topic of its own for each test, with as many partitions as the broker has."""
        name = f"plain-{secrets.token_hex(4)}"
        broker.ensure([Topic(name, partitions=3, retention_hours=24)])
        return name

    @pytest.fixture
    def compacted(self, broker: Broker) -> str:
        """The same, compacted."""
        name = f"compacted-{secrets.token_hex(4)}"
        broker.ensure([Topic(name, partitions=3, compacted=True)])
        return name

    # ---- topics -------------------------------------------------------------------------------

    def test_topics_may_be_ensured_again(self, broker: Broker, topic: str) -> None:
        """Every start ensures its topics; what is there stays with its records."""
        produce(broker, topic, ("a", b"1"))

        broker.ensure([Topic(topic, partitions=3, retention_hours=24)])

        assert values(take(broker.consumer("g", [topic]), 1)) == {"a": [b"1"]}

    def test_a_topic_that_differs_stops_the_start(self, broker: Broker, topic: str) -> None:
        """A topic that forgets otherwise than we need is named, not silently used."""
        with pytest.raises(GiveUp, match=topic):
            broker.ensure([Topic(topic, partitions=3, compacted=True, retention_hours=48)])

    def test_a_missing_topic_is_named(self, broker: Broker) -> None:
        """A record for a topic that nobody made is a mistake in the settings."""
        with pytest.raises(GiveUp, match="nowhere"):
            produce(broker, "nowhere", ("a", b"1"))

    # ---- sending ------------------------------------------------------------------------------

    def test_what_was_sent_comes_whole(self, broker: Broker, topic: str) -> None:
        """Key, value, topic and the time of arrival are what was sent; bytes stay bytes."""
        before = datetime.now(UTC) - timedelta(seconds=5)
        produce(broker, topic, ("ключ:1|a b", bytes(range(256))))

        record = take(broker.consumer("g", [topic]), 1)[0]

        assert (record.topic, record.key, record.value) == (topic, "ключ:1|a b", bytes(range(256)))
        assert before < datetime.fromtimestamp(record.at / 1000, UTC) < before + timedelta(hours=1)

    def test_one_key_keeps_its_order(self, broker: Broker, topic: str) -> None:
        """Versions of one post arrive as they were sent, whatever comes between."""
        sent = [(f"k{i % 7}", b"%d" % i) for i in range(500)]
        produce(broker, topic, *sent)

        found = values(take(broker.consumer("g", [topic]), 500))

        for number in range(7):
            assert found[f"k{number}"] == [b"%d" % i for i in range(number, 500, 7)]

    def test_nothing_is_there_before_the_flush(self, broker: Broker, topic: str) -> None:
        """A producer that is closed without a flush has promised nothing: no record is required."""
        producer = broker.producer()
        producer.send(topic, "a", b"1")
        producer.close()
        produce(broker, topic, ("b", b"2"))

        assert values(take(broker.consumer("g", [topic]), 1))["b"] == [b"2"]

    def test_a_record_too_large_is_refused_alone(self, broker: Broker, topic: str) -> None:
        """The record that cannot be sent is set aside, the others go their way."""
        producer = broker.producer()
        producer.send(topic, "a", b"1")
        with pytest.raises(SetAside):
            producer.send(topic, "b", b"x" * TOO_LARGE)
        producer.send(topic, "c", b"3")
        producer.flush()

        assert set(values(take(broker.consumer("g", [topic]), 2))) == {"a", "c"}

    def test_a_flush_without_records_is_nothing(self, broker: Broker, topic: str) -> None:
        """An idle turn may flush, and sends as ever afterwards."""
        producer = broker.producer()
        producer.flush()
        producer.send(topic, "a", b"1")
        producer.flush()

        assert values(take(broker.consumer("g", [topic]), 1)) == {"a": [b"1"]}

    # ---- groups -------------------------------------------------------------------------------

    def test_a_new_group_starts_at_the_oldest_record(self, broker: Broker, topic: str) -> None:
        """What was there before the first consumer is not lost."""
        produce(broker, topic, *[(f"k{i}", b"v") for i in range(20)])

        assert len(take(broker.consumer("late", [topic]), 20)) == 20

    def test_groups_do_not_take_from_each_other(self, broker: Broker, topic: str) -> None:
        """Store and watch both see all feedback."""
        produce(broker, topic, ("a", b"1"), ("b", b"2"))

        for group in ("store", "watch"):
            assert set(values(take(broker.consumer(group, [topic]), 2))) == {"a", "b"}

    def test_a_member_reads_on_after_the_commit(self, broker: Broker, topic: str) -> None:
        """The next holder of the place begins right after what was committed."""
        produce(broker, topic, *[(f"k{i}", b"v") for i in range(10)])
        first = broker.consumer("g", [topic])
        done = take(first, 4, batch=2)
        first.commit()
        undone = first.poll(3, 1)
        first.close()

        rest = take(broker.consumer("g", [topic]), 10 - len(done))

        assert {r.key for r in undone} <= {r.key for r in rest}
        assert len({r.key for r in done + rest}) == 10

    def test_a_rewound_member_gets_it_all_again(self, broker: Broker, topic: str) -> None:
        """After TryLater the same records come once more."""
        produce(broker, topic, *[(f"k{i}", b"v") for i in range(10)])
        consumer = broker.consumer("g", [topic])
        first = take(consumer, 10, batch=3)

        consumer.rewind()

        assert {r.key for r in take(consumer, 10)} == {r.key for r in first}

    def test_a_poll_keeps_to_its_number(self, broker: Broker, topic: str) -> None:
        """A batch is never larger than asked for."""
        produce(broker, topic, *[(f"k{i}", b"v") for i in range(30)])
        consumer = broker.consumer("g", [topic])

        assert all(len(consumer.poll(4, 1)) <= 4 for _ in range(5))

    def test_a_member_hears_all_its_topics(
        self, broker: Broker, topic: str, compacted: str
    ) -> None:
        """One busy topic does not keep the others from being read."""
        produce(broker, topic, *[(f"k{i}", b"v") for i in range(1_000)])
        produce(broker, compacted, ("rare", b"v"))
        consumer = broker.consumer("g", [topic, compacted])

        records = take(consumer, 400, batch=50)

        assert any(record.key == "rare" for record in records)

    def test_an_empty_poll_returns_in_time(self, broker: Broker, topic: str) -> None:
        """A role that waits for work gets back to ask whether it should stop."""
        consumer = broker.consumer("g", [topic])
        consumer.poll(1, SOON / 10)  # joined by now
        began = time.monotonic()

        assert consumer.poll(1, NOTHING) == []

        assert time.monotonic() - began < SOON

    def test_a_commit_without_records_is_nothing(self, broker: Broker, topic: str) -> None:
        """An idle turn may commit: what comes later is still to be read."""
        consumer = broker.consumer("g", [topic])
        consumer.commit()
        produce(broker, topic, ("a", b"1"))

        assert len(take(consumer, 1)) == 1

    def test_each_record_has_one_holder(self, make_broker: MakeBroker, topic: str) -> None:
        """Two members of a group share the work: after commits, nothing comes to both."""
        one, two = make_broker(), make_broker()
        try:
            members = [one.consumer("g", [topic]), two.consumer("g", [topic])]
            produce(one, topic, *[(f"k{i}", b"%d" % i) for i in range(200)])
            seen: list[bytes | None] = []
            deadline = time.monotonic() + SOON
            while len(set(seen)) < 200 and time.monotonic() < deadline:
                for member in members:
                    records = member.poll(20, 0.1)
                    try:
                        member.commit()
                    except Fenced:
                        continue
                    seen += [record.value for record in records]

            assert sorted(seen, key=str) == sorted((b"%d" % i for i in range(200)), key=str)
        finally:
            one.close()
            two.close()

    def test_the_place_is_free_after_a_close(self, make_broker: MakeBroker, topic: str) -> None:
        """A worker that leaves cleanly is replaced at once, without losing what it left undone."""
        one, two = make_broker(), make_broker()
        try:
            produce(one, topic, ("a", b"1"))
            leaving = one.consumer("g", [topic])
            take(leaving, 1)
            leaving.close()

            assert values(take(two.consumer("g", [topic]), 1)) == {"a": [b"1"]}
        finally:
            one.close()
            two.close()

    # ---- lag ----------------------------------------------------------------------------------

    def test_lag_counts_what_is_not_committed(self, broker: Broker, topic: str) -> None:
        """Lag falls with the commit and not with the poll."""
        consumer = broker.consumer("g", [topic])
        consumer.poll(1, NOTHING)
        produce(broker, topic, *[(f"k{i}", b"v") for i in range(12)])
        take(consumer, 12)
        before = dict(broker.lag("g"))
        consumer.commit()

        assert before == {topic: 12}
        assert broker.lag("g") == {topic: 0}

    def test_marks_tell_how_far_a_group_is(self, broker: Broker, topic: str) -> None:
        """A group is done with what it committed, and with nothing before its first commit."""
        consumer = broker.consumer("g", [topic])
        consumer.poll(1, NOTHING)
        produce(broker, topic, *[(f"k{i}", b"v") for i in range(12)])
        begun = broker.marks("g", topic)
        take(consumer, 12)
        polled = broker.marks("g", topic)
        consumer.commit()
        ended = broker.marks("g", topic)

        assert sum(mark.end - mark.done for mark in begun.values()) == 12
        assert polled == begun
        assert {n: mark.end for n, mark in ended.items()} == {n: m.end for n, m in begun.items()}
        assert all(mark.done == mark.end for mark in ended.values())

    # ---- compacted topics ---------------------------------------------------------------------

    def test_the_last_value_of_a_key_stays(self, broker: Broker, compacted: str) -> None:
        """A compacted topic may forget earlier values, the last one never."""
        produce(broker, compacted, *[("a", b"%d" % i) for i in range(20)], ("b", b"x"))

        found = values(take(broker.reader([compacted]), 2))
        reader = broker.reader([compacted])
        while not reader.caught_up():
            for record in reader.poll(100, 1):
                found.setdefault(record.key, []).append(record.value)

        assert found["a"][-1] == b"19"
        assert found["b"][-1] == b"x"

    def test_a_tombstone_is_the_last_word(self, broker: Broker, compacted: str) -> None:
        """Who rebuilds its state from a topic learns that a key is gone."""
        produce(broker, compacted, ("a", b"1"), ("b", b"2"), ("a", None))
        state: dict[str, bytes | None] = {}
        reader = broker.reader([compacted])
        while not reader.caught_up():
            state.update({record.key: record.value for record in reader.poll(100, 1)})

        assert state.get("a") is None
        assert state["b"] == b"2"

    # ---- readers ------------------------------------------------------------------------------

    def test_a_reader_reads_all_and_then_follows(self, broker: Broker, topic: str) -> None:
        """State is rebuilt from the start and kept up to date afterwards."""
        produce(broker, topic, *[(f"k{i}", b"v") for i in range(50)])
        reader = broker.reader([topic])
        assert not reader.caught_up()

        assert len(take(reader, 50, batch=7)) == 50
        assert reader.caught_up()
        produce(broker, topic, ("new", b"v"))

        assert [record.key for record in take(reader, 1)] == ["new"]

    def test_a_reader_of_an_empty_topic_has_caught_up(self, broker: Broker, topic: str) -> None:
        """A first start has no past to wait for."""
        assert broker.reader([topic]).caught_up()

    def test_readers_disturb_no_group(self, broker: Broker, topic: str) -> None:
        """Reading for oneself takes nothing from anybody."""
        produce(broker, topic, ("a", b"1"))
        take(broker.reader([topic]), 1)

        assert len(take(broker.consumer("g", [topic]), 1)) == 1

    def test_a_reader_can_begin_at_a_time(self, broker: Broker, topic: str) -> None:
        """The last 72 hours are read without the years before."""
        produce(broker, topic, *[(f"k{i}", b"old") for i in range(5)])
        time.sleep(0.05)
        since = datetime.now(UTC)
        time.sleep(0.05)
        produce(broker, topic, ("new", b"v"))

        assert [record.key for record in take(broker.reader([topic], since), 1)] == ["new"]

    def test_a_reader_of_times_to_come_has_caught_up(self, broker: Broker, topic: str) -> None:
        """Nothing arrived since: there is nothing to wait for."""
        produce(broker, topic, ("a", b"1"))

        assert broker.reader([topic], datetime.now(UTC) + timedelta(minutes=1)).caught_up()
