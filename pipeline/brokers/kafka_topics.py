"""Topics in Kafka: made with the design's configuration, and verified where they are there."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType

from pipeline.brokers.kafka_link import KafkaLink
from pipeline.brokers.kafka_settings import MAX_MESSAGE_BYTES
from pipeline.errors import GiveUp, TryLater
from pipeline.ports import Topic

HOUR_MS = 3_600_000
#: A text that was erased is gone from every copy within this.
COMPACTION_LAG_MS = 24 * HOUR_MS
#: Tombstones stay so long: whoever reads a topic from its start must be through by then.
TOMBSTONE_MS = 72 * HOUR_MS

Config = Mapping[str, str]


def configuration(topic: Topic, replication_factor: int | None) -> dict[str, str]:
    """The configuration in Kafka's words that a topic is made with."""
    config = {
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        # ``Record.at`` is when the broker took it; a sender's clock may be wrong.
        "message.timestamp.type": "LogAppendTime",
    } | _memory(topic)
    if topic.compacted:
        config["max.compaction.lag.ms"] = str(COMPACTION_LAG_MS)
        # Cleaned before half of it is stale: state is rebuilt by reading all of it.
        config["min.cleanable.dirty.ratio"] = "0.2"
        config["delete.retention.ms"] = str(TOMBSTONE_MS)
    if replication_factor is not None:
        config["min.insync.replicas"] = str(max(1, replication_factor - 1))
    return config


def _memory(topic: Topic) -> dict[str, str]:
    """How it forgets."""
    if not topic.compacted:
        hours = topic.retention_hours
        kept = "-1" if hours is None else str(hours * HOUR_MS)
        return {"cleanup.policy": "delete", "retention.ms": kept}
    if topic.retention_hours is None:
        return {"cleanup.policy": "compact"}
    kept = str(topic.retention_hours * HOUR_MS)
    return {"cleanup.policy": "compact,delete", "retention.ms": kept}


def differences(topic: Topic, partitions: int, found: Config) -> list[str]:
    """What differs in a way that loses records or keeps erased texts, with the mend."""
    told = []
    if partitions < topic.partitions:
        mend = f"kafka-topics.sh --alter --topic {topic.name} --partitions {topic.partitions}"
        told.append(f"{partitions} partitions instead of {topic.partitions} ({mend})")
    wanted = dict(_memory(topic))
    wrong = {
        name: value for name, value in wanted.items() if _norm(found.get(name, "")) != _norm(value)
    }
    if int(found.get("max.message.bytes", "0")) < MAX_MESSAGE_BYTES:
        wrong["max.message.bytes"] = str(MAX_MESSAGE_BYTES)
    if topic.compacted and int(found.get("max.compaction.lag.ms", "0")) > COMPACTION_LAG_MS:
        wrong["max.compaction.lag.ms"] = str(COMPACTION_LAG_MS)
    for name, value in wrong.items():
        mend = f"kafka-configs.sh --alter --topic {topic.name} --add-config '{name}=[{value}]'"
        told.append(f"{name} is {found.get(name, 'not set')} instead of {value} ({mend})")
    return told


def _norm(value: str) -> list[str]:
    return sorted(each.strip() for each in value.split(","))


class Topics:
    """The topics of one cluster."""

    def __init__(self, link: KafkaLink) -> None:
        self._link = link
        self._known: set[str] = set()

    def ensure(self, topics: Sequence[Topic]) -> None:
        """Creates what is missing, then verifies all."""
        with self._link.admin() as admin:
            there = self._described(admin, [topic.name for topic in topics])
            missing = [topic for topic in topics if topic.name not in there]
            if missing:
                self._create(admin, missing)
        self.verify(topics)

    def verify(self, topics: Sequence[Topic]) -> None:
        """Changes nothing. Raises GiveUp naming what is missing or differs, and the mend."""
        names = [topic.name for topic in topics]
        with self._link.admin() as admin:
            there = self._described(admin, names)
            self._name_missing([name for name in names if name not in there])
            configs = self._configs(admin, names)
        told = [
            f"topic {topic.name}: {difference}"
            for topic in topics
            for difference in differences(topic, there[topic.name], configs[topic.name])
        ]
        if told:
            raise GiveUp(f"Kafka at {self._link.address}: {'; '.join(told)}")
        self._known.update(names)

    def must_exist(self, names: Sequence[str]) -> None:
        """Raises GiveUp for the first that is missing; asks once for each."""
        if self._known.issuperset(names):
            return
        with self._link.admin() as admin:
            there = self._described(admin, names)
        self._name_missing([name for name in names if name not in there])
        self._known.update(names)

    def _name_missing(self, names: Sequence[str]) -> None:
        if names:
            told = ", ".join(names)
            raise GiveUp(
                f"Kafka at {self._link.address} has no topic {told}: starting `groundswell work`"
                " creates ours, if its login may"
            )

    def _described(self, admin: Any, names: Sequence[str]) -> dict[str, int]:
        """The number of partitions of each topic that is there."""
        found = self._link.asked(lambda: admin.describe_topics(list(names)), "ask for topics")
        there = {}
        for each in found:
            error = each["error_code"]
            if error == 0:
                there[str(each["name"])] = len(each["partitions"])
            elif error != kafka_errors.UnknownTopicOrPartitionError.errno:
                problem = kafka_errors.for_code(error)()
                raise self._link.meaning(problem, f"use topic {each['name']}")
        return there

    def _configs(self, admin: Any, names: Iterable[str]) -> dict[str, Config]:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        answer = self._link.asked(
            lambda: admin.describe_configs(resources, config_filter="all"), "read topics' settings"
        )
        return {
            name: {key: str(entry["value"]) for key, entry in config.items()}
            for name, config in answer["topic"].items()
        }

    def _create(self, admin: Any, topics: Sequence[Topic]) -> None:
        copies = self._link.settings.replication_factor
        wanted = {
            topic.name: {
                "num_partitions": topic.partitions,
                "replication_factor": copies or -1,
                "configs": configuration(topic, copies),
            }
            for topic in topics
        }
        answer = self._link.asked(
            lambda: admin.create_topics(wanted, raise_errors=False), "create topics"
        )
        for each in answer["topics"]:
            code = each["error_code"]
            # Another process may start at the same moment.
            if code not in {0, kafka_errors.TopicAlreadyExistsError.errno}:
                self._refused(str(each["name"]), code, str(each.get("error_message") or ""))
        self._link.asked(lambda: admin.wait_for_topics(list(wanted)), "wait for new topics")

    def _refused(self, name: str, code: int, message: str) -> None:
        problem = kafka_errors.for_code(code)()
        if problem.retriable:
            raise TryLater(f"Kafka at {self._link.address} cannot create topic {name} yet")
        if isinstance(problem, kafka_errors.AuthorizationError):
            raise self._link.meaning(problem, f"create topic {name}")
        raise GiveUp(
            f"Kafka at {self._link.address} refuses to create topic {name}: {message or problem};"
            " check replication_factor, or create it by hand"
        )
