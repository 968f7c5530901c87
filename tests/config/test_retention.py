"""The platforms' terms are obeyed: what is kept, what teaches, what is looked at again."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from collectors.kit.policy import policy
from collectors.kit.rechecks import Rechecks
from config.decided import decided
from config.retention import Retention, days
from config.settings import RetentionSettings, Settings, load
from pipeline import deadletters
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.decoding import read_post
from pipeline.errors import Misuse
from pipeline.model import Decision, Feedback, Kind, Label, Mention, Removal, Repeat
from pipeline.ports import Rows
from pipeline.reading import batches
from pipeline.topics import DEADLETTER, MENTIONS, TOPICS
from sinks.duckdb_warehouse import DuckDBWarehouse

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with closing(DuckDBWarehouse(tmp_path / "w.duckdb")) as made:
        yield made


def feedback(source: str, number: int, at: datetime, kind: Kind = "post") -> Feedback:
    mention = Mention(
        source=source, external_id=str(number), text=f"acme {number}", said_at=at, kind=kind
    )
    label = Label(name="report", p=0.9, sure=True)
    repeat = Repeat(group=mention.id)
    return Feedback(mention=mention, repeat=repeat, labels={"intent": label}, model="m")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    with closing(LocalBroker(tmp_path / "b.broker", ManualClock(NOW))) as made:
        made.ensure(TOPICS)
        yield made


def turn(broker: LocalBroker, warehouse: DuckDBWarehouse, told: RetentionSettings) -> list[str]:
    """What one turn of the role has erased, as the topic tells it."""
    stop = threading.Event()
    with closing(Retention(broker, warehouse, ManualClock(NOW), stop, told)) as role:
        count = role.turn(0)
        assert role.turn(0) == 0  # not before its time
    with closing(broker.reader([MENTIONS])) as reader:
        words = [read_post(r.value or b"") for batch in batches(reader, 10) for r in batch]
    assert all(isinstance(word, Removal) and word.kind == "erased" for word in words)
    found = sorted(word.removal for word in words if isinstance(word, Removal))
    assert len(found) == count
    return found


def test_what_is_older_than_its_platform_lets_it_grow_is_erased(
    broker: LocalBroker, warehouse: DuckDBWarehouse
) -> None:
    """By the road of all removals, with a receipt; other platforms' posts stay, however old."""
    most = policy("reddit").retain_days
    assert most is not None
    old, young = NOW - timedelta(days=most, hours=1), NOW - timedelta(days=most - 1)
    words = [feedback("reddit", 1, old), feedback("reddit", 2, young), feedback("bluesky", 3, old)]
    warehouse.write(Rows(feedback=words), NOW)
    assert turn(broker, warehouse, RetentionSettings()) == ["reddit:1"]
    texts = warehouse.sql("SELECT id, text FROM feedback ORDER BY id").rows
    assert texts == [("bluesky:3", "acme 3"), ("reddit:1", None), ("reddit:2", "acme 2")]
    receipts = warehouse.sql("SELECT asked_by, reason, requests, mentions FROM erasures").rows
    assert receipts == [("groundswell", "retention", 1, 1)]
    asked = {"source": "reddit", "kind": "post", "before": young}
    assert warehouse.rows("expired_posts", **asked) == [], "it is asked for once"


def test_the_settings_say_it_by_source_and_by_kind(
    broker: LocalBroker, warehouse: DuckDBWarehouse
) -> None:
    """The shorter of both holds; where neither says anything, the number of days for all."""
    told = RetentionSettings(days=100, source={"x": 20, "reddit": 9_999}, kind={"review": 50})
    kept: dict[tuple[str, Kind], int] = {
        ("x", "post"): 20,
        ("x", "review"): 20,
        ("appstore", "review"): 50,
        ("bluesky", "post"): 100,
        ("reddit", "post"): 365,  # never longer than the platform's terms
    }
    for (source, kind), most in kept.items():
        assert days(told, source, kind) == most
    words, expected = [], []
    for number, ((source, kind), most) in enumerate(kept.items()):
        words.append(feedback(source, 10 + number, NOW - timedelta(days=most - 1), kind))
        words.append(feedback(source, 20 + number, NOW - timedelta(days=most + 1), kind))
        expected.append(f"{source}:{20 + number}")
    warehouse.write(Rows(feedback=words), NOW)
    assert turn(broker, warehouse, told) == sorted(expected)


def test_without_a_word_texts_are_kept() -> None:
    """Neither settings nor terms: for as long as one likes."""
    assert days(RetentionSettings(), "bluesky", "post") is None
    assert days(RetentionSettings(), "somebody's", "post") is None
    assert days(RetentionSettings(), "reddit", "comment") == 365


def test_dead_letters_grow_no_older_than_asked_for(
    broker: LocalBroker, warehouse: DuckDBWarehouse
) -> None:
    """They leave their topic for good, the younger ones stay."""
    for age in (1, 2, 5):
        at = NOW - timedelta(days=age)
        dead = deadletters.letter("intake", "no JSON", b"{", topic=MENTIONS, origin=f"{age}", at=at)
        producer = broker.producer()
        producer.send(DEADLETTER, dead.key, dead.to_json())
        producer.flush()
        producer.close()
    turn(broker, warehouse, RetentionSettings(dead_letter_days=3))
    assert {letter.origin for letter in deadletters.listing(broker)} == {"1", "2"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[retention.source]\nredit = 30", "no source is named redit; there are appstore, bluesky"),
        ("[retention.kind]\ncomments = 30", "comments"),
        ("[retention.kind]\nreview = 0", "review"),
        ("[retention]\ndead_letter_days = 30", "dead_letter_days"),
        ("[retention]\nforever = true", "forever"),
    ],
)
def test_what_cannot_be_kept_so_is_told(tmp_path: Path, text: str, told: str) -> None:
    """A source or kind that there is not, no days at all, more than the topics hold."""
    path = tmp_path / "groundswell.toml"
    path.write_text(text)
    with pytest.raises(Misuse, match=told):
        load(path)


def test_sources_of_ones_own_may_be_named(tmp_path: Path) -> None:
    """A webhook's platform, and whatever stands in recorded files."""
    path = tmp_path / "groundswell.toml"
    own = '[[source]]\ntype = "webhook"\nname = "desk"\nplatform = "forum"\n'
    path.write_text(f"{own}[retention.source]\nforum = 30\nx = 5\n")
    assert load(path).retention.source == {"forum": 30, "x": 5}
    path.write_text('[[source]]\ntype = "recorded"\npaths = []\n[retention.source]\nold = 30\n')
    assert load(path).retention.source == {"old": 30}


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
