"""Apache Kafka behind the port ``Broker``, through kafka-python."""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from kafka import OffsetSpec
from kafka.structs import TopicPartition

from pipeline.brokers.kafka_consumer import KafkaConsumer, KafkaReader
from pipeline.brokers.kafka_link import KafkaLink
from pipeline.brokers.kafka_producer import KafkaProducer
from pipeline.brokers.kafka_settings import KafkaSettings
from pipeline.brokers.kafka_topics import Topics
from pipeline.ports import Mark, Topic

__all__ = ["KafkaBroker", "KafkaSettings"]


M = TypeVar("M", bound="Member")


class Member(Protocol):
    """What was handed out and is closed with the broker."""

    closed: bool

    def close(self) -> None:
        """Closes it; again is nothing."""
        ...


class KafkaBroker:
    """Port ``Broker`` on Apache Kafka 3.0 or newer; made for 4.x.

    Making it, a producer, a consumer or a reader asks nobody: connections come with the first use,
    so that a role starts while the brokers are away and gets TryLater from its turn. Wrong
    settings (a refused login, a missing or different topic) raise GiveUp there.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._link = KafkaLink(settings)
        self._topics = Topics(self._link)
        self._lock = threading.Lock()
        self._members: list[Member] = []

    def ensure(self, topics: Sequence[Topic]) -> None:
        """Creates missing topics and verifies the others. Raises GiveUp or TryLater."""
        self._topics.ensure(topics)

    def verify(self, topics: Sequence[Topic]) -> None:
        """Beyond the port, for ``check``: like ``ensure``, but creates nothing."""
        self._topics.verify(topics)

    def producer(self) -> KafkaProducer:
        """A new producer."""
        return self._kept(KafkaProducer(self._link, self._topics.must_exist))

    def consumer(self, group: str, topics: Sequence[str]) -> KafkaConsumer:
        """A new member of ``group``; the brokers deal the partitions out among its members."""
        return self._kept(KafkaConsumer(self._link, self._topics.must_exist, group, topics))

    def reader(self, topics: Sequence[str], since: datetime | None = None) -> KafkaReader:
        """A reader from the oldest record on, or from the first that arrived at ``since``."""
        return self._kept(KafkaReader(self._link, self._topics.must_exist, topics, since))

    def lag(self, group: str) -> Mapping[str, int]:
        """Per topic what the group has not committed; an upper bound where topics are compacted.

        The group's topics are those that its members read; without members, those it committed on.
        """
        with self._link.admin() as admin:
            return self._link.asked(lambda: _lag(admin, group), f"ask for the lag of {group}")

    def marks(self, group: str, topic: str) -> Mapping[int, Mark]:
        """How far the group has come, by partition of the topic. Raises TryLater, GiveUp."""
        with self._link.admin() as admin:
            found = self._link.asked(
                lambda: _marks(admin, [topic], _committed(admin, group)),
                f"ask how far {group} is",
            )
        return {partition.partition: mark for partition, mark in found.items()}

    def close(self) -> None:
        """Closes everything that was handed out."""
        with self._lock:
            members, self._members = self._members, []
        for member in members:
            member.close()

    def _kept(self, member: M) -> M:
        with self._lock:
            self._members = [each for each in self._members if not each.closed]
            self._members.append(member)
        return member


def _lag(admin: Any, group: str) -> dict[str, int]:
    committed = _committed(admin, group)
    members = admin.describe_groups([group])[group]["members"]
    subscribed = {topic for member in members for topic in _subscription(member)}
    # Where it has members, what it read once and reads no more does not count.
    names = sorted(subscribed or {partition.topic for partition in committed})
    if not names:
        return {}
    lag: defaultdict[str, int] = defaultdict(int)
    for partition, mark in _marks(admin, names, committed).items():
        lag[partition.topic] += mark.end - mark.done
    return dict(lag)


def _committed(admin: Any, group: str) -> dict[TopicPartition, int]:
    """What a group committed, where it did."""
    return {
        partition: position.offset
        for partition, position in admin.list_group_offsets([group])[group].items()
        if position.offset >= 0
    }


def _marks(
    admin: Any, names: Sequence[str], committed: Mapping[TopicPartition, int]
) -> dict[TopicPartition, Mark]:
    partitions = [
        TopicPartition(topic["name"], each["partition_index"])
        for topic in admin.describe_topics(names)
        for each in topic["partitions"]
    ]
    ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
    starts = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
    marks = {}
    for partition in partitions:
        end, start = ends[partition].offset, starts[partition].offset
        marks[partition] = Mark(min(end, max(committed.get(partition, 0), start)), end)
    return marks


def _subscription(member: Mapping[str, Any]) -> Sequence[str]:
    """The topics that a member says it reads; nothing from foreign kinds of members."""
    told = member.get("member_metadata")
    return told.get("topics", ()) if isinstance(told, dict) else ()
