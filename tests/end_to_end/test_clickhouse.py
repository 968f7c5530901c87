"""The commands on a warehouse in ClickHouse, over the network, with a Kafka of the test's own."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

pytest.importorskip("chdb", reason="the engine of ClickHouse is missing: make clickhouse")

from pipeline import topics
from pipeline.brokers.kafka import KafkaBroker, KafkaSettings
from pipeline.model import Author, Feedback, Mention, Repeat
from tests.end_to_end.program import PROGRAM, environment
from tests.pipeline.flow import NOON
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.cluster import Process
from tests.servers.fixtures import served
from tests.servers.kafka import KafkaServer

COUNT = 300
#: Seconds on a very slow machine.
PATIENCE = 120.0


@pytest.fixture
def clickhouse() -> Iterator[ClickHouseServer]:
    with served(ClickHouseServer, "the commands on ClickHouse are") as server:
        yield server


class Team:
    """A folder of settings, and the program in it."""

    def __init__(self, folder: Path, kafka: str, url: str) -> None:
        self.folder = folder
        (folder / "groundswell.toml").write_text(f'[kafka]\nservers = "{kafka}"\n')
        self.environment = {**environment(), "GROUNDSWELL_WAREHOUSE__URL": url}

    def run(self, *arguments: str, code: int = 0) -> str:
        """What a command prints; held to its exit code."""
        done = subprocess.run(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            timeout=240,
            check=False,
        )
        told = done.stderr.decode()[-3_000:]
        assert done.returncode == code, told
        assert "Traceback" not in told, told
        return done.stdout.decode() if code == 0 else told

    def query(self, sql: str) -> Any:
        """The rows that ``groundswell query`` prints."""
        return json.loads(self.run("query", sql, "--format", "json"))

    def role(self, name: str) -> Process:
        """One role in a process of its own."""
        return Process(name, [name], self.folder, self.environment)


def until(met: Callable[[], bool], role: Process) -> None:
    """Waits for what must come."""
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert role.is_running, role.log.read_text()
        assert time.monotonic() < deadline, role.log.read_text()
        time.sleep(0.5)


def send(broker: KafkaBroker, first: int) -> None:
    """So many posts, each by somebody else."""
    producer = broker.producer()
    for number in range(first, first + COUNT):
        mention = Mention(
            source="x",
            external_id=str(number),
            author=Author(id=f"a{number}", handle=f"user{number}"),
            text=f"acme does not work, {number}",
            said_at=NOON,
        )
        word = Feedback(mention=mention, repeat=Repeat(group=mention.id), labels={}, model="m")
        producer.send(topics.FEEDBACK, word.key, word.to_json())
    producer.flush()
    producer.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_commands(
    tmp_path: Path, kafka_server: KafkaServer, clickhouse: ClickHouseServer
) -> None:
    """Made, filled by the store though the server dies, asked, exported, erased from, checked."""
    team = Team(tmp_path, kafka_server.address, clickhouse.url)
    made = clickhouse.run(
        "SELECT count() FROM system.tables WHERE database = 'groundswell' AND name = 'meta_row'"
    )
    assert made == "0\n"
    team.run("migrate")
    assert team.query("SELECT count(*) AS n FROM feedback") == [{"n": 0}]
    with closing(KafkaBroker(KafkaSettings(servers=kafka_server.address))) as broker:
        broker.ensure(topics.TOPICS)
        fill(team, broker, clickhouse)
    assert team.query("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM feedback") == [
        {"n": 2 * COUNT, "ids": 2 * COUNT}
    ]
    team.run("export", "out", "--texts")
    exported = [pq.read_table(file).to_pylist() for file in (tmp_path / "out").rglob("*.parquet")]
    posts = [row for rows in exported for row in rows if "said_at" in row]
    assert {row["id"] for row in posts} == {f"x:{n}" for n in range(2 * COUNT)}
    receipt = json.loads(team.run("forget", "--mention", "x:7", "--by", "ada", "--reason", "asked"))
    assert receipt["mentions"] == 1
    assert team.query("SELECT text FROM feedback WHERE id = 'x:7'") == [{"text": None}]
    assert team.query("SELECT asked_by FROM erasures") == [{"asked_by": "ada"}]
    assert "ClickHouse, fine" in team.run("check")


def fill(team: Team, broker: KafkaBroker, clickhouse: ClickHouseServer) -> None:
    """The store's work, half of it while the server is dead."""
    store = team.role("store")
    store.start()
    try:
        count = "SELECT count() FROM groundswell.fct_mention"
        send(broker, 0)
        until(lambda: clickhouse.run(count) == f"{COUNT}\n", store)
        clickhouse.kill()
        send(broker, COUNT)
        until(lambda: "does not answer" in store.log.read_text(), store)
        clickhouse.start()
        until(lambda: clickhouse.run(count) == f"{2 * COUNT}\n", store)
    finally:
        store.stop()


def test_a_server_that_is_away(tmp_path: Path) -> None:
    """A command says so in one line, with the name of the setting and without the password."""
    team = Team(
        tmp_path, "127.0.0.1:9", "clickhouse://groundswell:tide-4711@127.0.0.1:1/groundswell"
    )
    told = team.run("query", "SELECT 1", code=1)
    assert "GROUNDSWELL_WAREHOUSE__URL" in told
    assert "tide-4711" not in told
