"""The lock of ClickHouse's writers: held while one lives, taken when one died."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

pytest.importorskip("chdb", reason="the engine of ClickHouse is missing: make clickhouse")

from pipeline.errors import TryLater
from sinks import clickhouse_lock
from sinks.clickhouse_link import ClickHouseLink
from sinks.clickhouse_lock import WriterLock
from tests.sinks.clickhouse_helpers import run

PATIENCE: Final = 60.0


@pytest.fixture
def link(clickhouse_url: str) -> Iterator[ClickHouseLink]:
    link = ClickHouseLink(clickhouse_url, "url")
    yield link
    link.close()


def locks(link: ClickHouseLink) -> dict[str, str]:
    """The tables of the database, which holds nothing else, with what is said of them."""
    with link.asking() as connection:
        return connection.pairs(
            "SELECT name, comment FROM system.tables WHERE database = currentDatabase()"
        )


def until(met: Callable[[], bool]) -> None:
    """Waits for what must come."""
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def is_lost(lock: WriterLock) -> bool:
    """Whether its holder may write no more."""
    try:
        lock.check()
    except TryLater:
        return True
    return False


def test_one_at_a_time(link: ClickHouseLink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is told to come later, and gets it once the first is done."""
    monkeypatch.setattr(clickhouse_lock, "_WAIT", 0.0)
    first, second = WriterLock(link), WriterLock(link)
    with link.asking() as one, link.asking() as other:
        with (
            first.held(one),
            pytest.raises(TryLater, match="another process writes"),
            second.held(other),
        ):
            pass
        with second.held(other):
            assert [*locks(link)] == ["writer_lock"]
    assert locks(link) == {}


def test_it_is_renewed_while_its_holder_lives(
    link: ClickHouseLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again, by the clock of the server; the holder goes on."""
    monkeypatch.setattr(clickhouse_lock, "_RENEWED", 0.01)
    lock = WriterLock(link)
    with link.asking() as connection, lock.held(connection):
        said = locks(link)
        until(lambda: locks(link) != said)
        again = locks(link)
        until(lambda: locks(link) != again)
        assert not is_lost(lock)
    until(lambda: locks(link) == {})


def test_who_died_with_it_is_not_waited_for_long(
    link: ClickHouseLink,
    clickhouse_url: str,
    clickhouse_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A lock that nobody renewed for a while is the next one's."""
    run(clickhouse_url, "CREATE TABLE writer_lock (a UInt8) ENGINE = MergeTree ORDER BY a")
    monkeypatch.setattr(clickhouse_lock, "_WAIT", 0.0)
    lock = WriterLock(link)
    with link.asking() as connection:
        with pytest.raises(TryLater), lock.held(connection):
            pass
        (file,) = clickhouse_folder.rglob("writer_lock.sql")
        os.utime(file, times=(time.time() - 60, time.time() - 60))
        monkeypatch.setattr(clickhouse_lock, "_WAIT", PATIENCE)
        with lock.held(connection):
            assert [*locks(link)] == ["writer_lock"]
    assert locks(link) == {}


def test_who_lost_it_begins_nothing_and_leaves_it(
    link: ClickHouseLink, clickhouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that slept for a minute finds the lock of another, which is not its own to drop."""
    monkeypatch.setattr(clickhouse_lock, "_RENEWED", 0.01)
    lock = WriterLock(link)
    with link.asking() as connection, lock.held(connection):
        run(
            clickhouse_url,
            "DROP TABLE writer_lock SYNC",
            "CREATE TABLE writer_lock (a UInt8) ENGINE = MergeTree ORDER BY a COMMENT 'another'",
        )
        until(lambda: is_lost(lock))
    assert locks(link) == {"writer_lock": "another"}
