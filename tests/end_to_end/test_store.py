"""The store as a process has it: what it does beside writing."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config import scale, settings
from config.operating.meters import Meters
from pipeline.clock import SystemClock
from pipeline.model import Removal
from pipeline.ports import Rows
from sinks.postgres_link import PostgresLink
from tests.contracts.warehouse_words import START, feedback, minutes
from tests.servers.fixtures import served
from tests.servers.kafka import KafkaServer
from tests.servers.postgres import PostgresServer

WORDS = "unmistakable words"


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with served(PostgresServer, "the store is") as server:
        yield server


def test_the_store_writes_erased_words_anew(
    tmp_path: Path,
    kafka_server: KafkaServer,
    postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a platform took back leaves the server's files with the next round of housekeeping."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(scale.URL, postgres.url)
    (tmp_path / "groundswell.toml").write_text(f'[kafka]\nservers = "{kafka_server.address}"\n')
    known = settings.load(None)
    roles = scale.store(known, SystemClock(), meters := Meters(SystemClock(), {}))
    gone = Removal(removal="x:1", kind="erased", at=minutes(9), scope="mention")
    with closing(scale.warehouse(known)) as warehouse:
        warehouse.write(Rows(feedback=[feedback(1, text=WORDS), feedback(2)]), START)
        warehouse.write(Rows(removals=[gone]), START)
    try:
        due = []
        with closing(PostgresLink(postgres.url, "groundswell", "url").open()) as asking:
            for turn in range(2):
                if turn:
                    roles["retention"].turn(0)
                found = asking.run("SELECT part FROM due_part", copy=False)
                due.append(found.column("part").to_pylist())
    finally:
        for role in roles.values():
            role.close()
        if meters.stored is not None:
            meters.stored.close()
    assert due == [["mention_private_20260302"], []]
