"""Recordings on Apache Kafka, where partitions are read in turns."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config import recorder
from config.recorder import Recorder
from config.recording import Recording
from pipeline.brokers.kafka import KafkaBroker, KafkaSettings
from pipeline.clock import SystemClock
from pipeline.model import Mention, Removal
from pipeline.topics import MENTIONS, TOPICS
from tests.servers.fixtures import served
from tests.servers.kafka import KafkaServer


@pytest.fixture
def broker() -> Iterator[KafkaBroker]:
    with (
        served(KafkaServer, "Kafka") as server,
        closing(KafkaBroker(KafkaSettings(servers=server.told))) as made,
    ):
        made.ensure(TOPICS)
        yield made


def run(broker: KafkaBroker, folder: Path) -> list[str]:
    """A process that records until nothing comes any more; the lines there are."""
    kept = Recording(folder, keep=timedelta(days=1), most_bytes=10_000_000)
    with closing(Recorder(broker, kept, SystemClock())) as role:
        quiet = 0
        while quiet < 3:
            quiet = 0 if role.turn(1.0) else quiet + 1
    return "".join(path.read_text() for path in kept.files()).splitlines()


@pytest.mark.slow
def test_all_partitions_are_recorded_and_erased(
    broker: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a restart; a removal reaches lines that came through another partition."""
    monkeypatch.setattr(recorder, "ERASE_SECONDS", 0.0)
    now = datetime.now(UTC)
    with closing(broker.producer()) as producer:

        def send(*words: Mention | Removal) -> None:
            for word in words:
                producer.send(MENTIONS, word.key, word.to_json())
            producer.flush()

        posts = [
            Mention(
                source="x", external_id=str(n), text=f"word-{n}-", said_at=now, author={"id": "a"}
            )
            for n in range(40)
        ]
        send(*posts[:20])
        assert len(run(broker, tmp_path / "kept")) == 20
        send(*posts[20:], Removal(removal="x:7", kind="erased", at=now))
        lines = run(broker, tmp_path / "kept")
        assert {n for n in range(40) if not any(f"word-{n}-" in line for line in lines)} == {7}
        send(Removal(removal="x:a", kind="erased", at=now, scope="author"))
        assert run(broker, tmp_path / "kept") == []
