"""The platforms' terms are obeyed: what is kept, what teaches, what is looked at again."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from collectors.kit.policy import policy, retained
from collectors.kit.rechecks import Rechecks
from config.decided import decided
from config.retention import Retention
from config.settings import Settings
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.decoding import read_post
from pipeline.model import Decision, Feedback, Label, Mention, Removal, Repeat
from pipeline.ports import Rows
from pipeline.reading import batches
from pipeline.topics import MENTIONS, TOPICS
from sinks.duckdb_warehouse import DuckDBWarehouse

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with closing(DuckDBWarehouse(tmp_path / "w.duckdb")) as made:
        yield made


def feedback(source: str, number: int, at: datetime) -> Feedback:
    mention = Mention(source=source, external_id=str(number), text=f"acme {number}", said_at=at)
    label = Label(name="report", p=0.9, sure=True)
    repeat = Repeat(group=mention.id)
    return Feedback(mention=mention, repeat=repeat, labels={"intent": label}, model="m")


def test_what_is_older_than_its_platform_lets_it_grow_is_removed(
    tmp_path: Path, warehouse: DuckDBWarehouse
) -> None:
    """By the road of all removals; other platforms' posts stay, whatever their age."""
    days = policy("reddit").retain_days
    assert days is not None
    old, young = NOW - timedelta(days=days, hours=1), NOW - timedelta(days=days - 1)
    words = [feedback("reddit", 1, old), feedback("reddit", 2, young), feedback("bluesky", 3, old)]
    warehouse.write(Rows(feedback=words), NOW)
    clock, stop = ManualClock(NOW), threading.Event()
    with closing(LocalBroker(tmp_path / "b.broker", clock)) as broker:
        broker.ensure(TOPICS)
        with closing(Retention(broker, warehouse, clock, stop)) as role:
            assert role.turn(0) == 1
            assert role.turn(0) == 0  # not before its time
        with closing(broker.reader([MENTIONS])) as reader:
            told = [read_post(r.value or b"") for batch in batches(reader, 10) for r in batch]
    assert [(word.removal, word.kind) for word in told if isinstance(word, Removal)] == [
        ("reddit:1", "erased")
    ]
    warehouse.write(Rows(removals=[word for word in told if isinstance(word, Removal)]), NOW)
    assert warehouse.rows("expired_posts", source="reddit", before=young) == []


def test_only_those_that_say_so_have_an_age() -> None:
    """The default keeps texts as long as the settings do."""
    assert retained()["reddit"] == 365
    assert "bluesky" not in retained()
    assert "default" not in retained()


def test_training_leaves_out_what_may_not_teach(warehouse: DuckDBWarehouse) -> None:
    """People's labels on such posts stay where they are and count as left out."""
    words = [feedback(source, 1, NOW) for source in ("reddit", "x", "mastodon", "appstore", "demo")]
    decisions = [
        Decision(id=w.key, subject=w.key, verb="relabel", value="intent=praise", by="kim", at=NOW)
        for w in words
    ]
    warehouse.write(Rows(feedback=words, decisions=decisions), NOW)
    warehouse.snapshot()
    warehouse.close()
    found = decided(Settings(), "intent", warehouse.path)
    assert [example.text for example in found.examples] == ["acme 1"]
    assert found.left_out == 4


@pytest.mark.parametrize("platform", ["hackernews", "mastodon", "reddit", "x", "bluesky"])
def test_what_is_held_is_looked_at_as_often_as_the_policy_says(platform: str) -> None:
    """Every post in its age once a round, and the next round when its time has come."""
    terms = policy(platform)
    every, back = timedelta(hours=terms.recheck_hours), timedelta(days=terms.recheck_days)
    asked: list[datetime] = []

    def held(name: str, since: datetime, after: str, most: int) -> list[str]:
        assert name == platform
        asked.append(since)
        return [str(n) for n in range(1, 6) if str(n) > after][:most]

    checks, now = Rechecks(platform, held, every, back, at_once=2), NOW
    own: dict[str, Any] = {}
    looked: list[tuple[datetime, str]] = []
    for _ in range(200):
        for number in checks.due(own, now):
            looked.append((now, number))
            checks.done(own, number)
        now += every / 20
    assert {since for since in asked} <= {
        at - back for at in (NOW + n * every / 20 for n in range(200))
    }
    times = [at for at, number in looked if number == "3"]
    assert len(times) >= 9
    assert all(later - earlier >= every for earlier, later in pairwise(times))
