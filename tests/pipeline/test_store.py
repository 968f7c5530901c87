"""The store: everything the topics carry ends in the warehouse, once."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import orjson
import pytest

from pipeline import deadletters, topics
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.errors import TryLater
from pipeline.model import Campaign, Coverage, Evidence, LateLink, Link, Word
from pipeline.ports import Rows
from pipeline.store import Store
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.pipeline.flow import (
    NOON,
    decision,
    erased,
    feedback,
    incident,
    mention,
    send,
    sent,
)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    warehouse = DuckDBWarehouse(tmp_path / "groundswell.duckdb", key=b"k" * 32)
    yield warehouse
    warehouse.close()


def texts(warehouse: DuckDBWarehouse) -> list[str | None]:
    return [row[0] for row in warehouse.sql("SELECT text FROM feedback ORDER BY id").rows]


def test_every_topic_reaches_its_view(
    broker: LocalBroker, warehouse: DuckDBWarehouse, clock: ManualClock
) -> None:
    """Feedback, late links, campaigns, incidents, decisions and coverage are all there."""
    late = Link(incident="status:1", p=0.8, state="linked", by="late", incident_version=1)
    send(broker, topics.FEEDBACK, feedback(mention(1)))
    send(broker, topics.LINKS, LateLink(mention=mention(1).id, model="1", link=late))
    send(broker, topics.CAMPAIGNS, Campaign(mention=mention(1).id, kind="hashtag"))
    send(broker, topics.INCIDENTS, incident(1))
    send(broker, topics.DECISIONS, decision())
    send(broker, topics.COVERAGE, Coverage(source="forum", from_at=NOON, to_at=NOON))
    store = Store(broker, warehouse, clock)

    while store.turn(0):
        pass

    assert warehouse.sql("SELECT id, incident_id FROM feedback").rows == [
        (mention(1).id, "status:1")
    ]
    assert warehouse.sql("SELECT campaign FROM feedback").rows == [("hashtag",)]
    assert warehouse.sql("SELECT incident_id FROM incidents").rows == [("status:1",)]
    assert warehouse.sql("SELECT source FROM coverage").rows == [("forum",)]
    assert store.totals == {
        "Feedback": 1,
        "LateLink": 1,
        "Campaign": 1,
        "Incident": 1,
        "Decision": 1,
        "Coverage": 1,
    }
    assert set(broker.lag("store").values()) == {0}


def test_a_batch_written_twice_is_there_once(
    broker: LocalBroker, warehouse: DuckDBWarehouse, clock: ManualClock
) -> None:
    """A crash between the rows and the commit repeats the batch and changes nothing."""
    send(broker, topics.FEEDBACK, feedback(mention(1)), feedback(mention(2)))

    class Dying(DuckDBWarehouse):
        def __init__(self) -> None:
            pass

        def write(self, rows: Rows, at: datetime) -> list[str]:
            warehouse.write(rows, at)
            raise TryLater("the power went")

    store = Store(broker, Dying(), clock)
    with pytest.raises(TryLater):
        store.turn(0)
    store.close()
    Store(broker, warehouse, clock).turn(0)

    assert len(texts(warehouse)) == 2


def test_an_erased_text_leaves_the_topics(
    broker: LocalBroker, warehouse: DuckDBWarehouse, clock: ManualClock
) -> None:
    """After the rows the copies on ``mentions`` and ``feedback`` go, and the store goes on."""
    gone = mention(1, "hush")
    send(broker, topics.MENTIONS, gone)
    send(broker, topics.FEEDBACK, feedback(gone), feedback(mention(2)), erased(gone))
    store = Store(broker, warehouse, clock)

    while store.turn(0):
        pass

    assert dict(sent(broker, topics.MENTIONS)) == {gone.id: None}
    assert dict(sent(broker, topics.FEEDBACK))[gone.id] is None
    assert "hush" not in texts(warehouse)


def test_dead_letters_of_what_is_erased_go(
    broker: LocalBroker, warehouse: DuckDBWarehouse, clock: ManualClock
) -> None:
    """Also those that are too broken to say whose they are; the others stay."""
    letters = [
        deadletters.letter("worker", "bad", data, topic="mentions", origin=str(n), at=NOON)
        for n, data in enumerate(
            (
                mention(1, "hush").to_json(),
                mention(2).to_json(),
                b'{"source": "forum", "external_id": "0001", "text": "hush',
                b"quite broken, of 0002",
            )
        )
    ]
    send(broker, topics.DEADLETTER, *letters)
    send(broker, topics.FEEDBACK, feedback(mention(1, "hush")))
    store = Store(broker, warehouse, clock)
    while store.turn(0):
        pass
    assert len(deadletters.listing(broker)) == 4
    send(broker, topics.FEEDBACK, erased(mention(1)))
    while store.turn(0):
        pass
    store.close()
    assert [letter.origin for letter in deadletters.listing(broker)] == ["1", "3"]
    assert [key for key, value in sent(broker, topics.DEADLETTER) if value is not None] == [
        letters[1].key,
        letters[3].key,
    ]


@pytest.mark.parametrize("erased_first", [False, True])
def test_links_of_an_erased_mention_leave_their_topic(
    broker: LocalBroker, warehouse: DuckDBWarehouse, clock: ManualClock, erased_first: bool
) -> None:
    """Their reasons quote it: those that were there go, and those that were still on their way."""
    gone, other = mention(1, "hush"), mention(2)
    quoting = (Evidence(kind="text", value="says 'hush'", weight=1.2),)
    send(broker, topics.FEEDBACK, feedback(gone), feedback(other))
    links = [
        LateLink(
            mention=post.id,
            model="1",
            link=Link(
                incident=f"status:{n}", p=0.8, state="suggested", by="late", evidence=quoting
            ),
        )
        for post in (gone, other)
        for n in (1, 2)
    ]
    store = Store(broker, warehouse, clock)
    while store.turn(0):
        pass

    steps: list[tuple[str, Sequence[Word]]] = [
        (topics.FEEDBACK, [erased(gone)]),
        (topics.LINKS, links),
    ]
    for topic, words in steps if erased_first else reversed(steps):
        send(broker, topic, *words)
        while store.turn(0):
            pass

    newest = dict(sent(broker, topics.LINKS))
    assert {key for key, value in newest.items() if value is None} == {
        f"{gone.id}|status:1",
        f"{gone.id}|status:2",
    }
    assert len(newest) == 4


def test_what_does_not_belong_is_set_aside(
    broker: LocalBroker, warehouse: DuckDBWarehouse, clock: ManualClock
) -> None:
    """Foreign and broken records of every topic become dead letters; the rest is written."""
    send(broker, topics.FEEDBACK, mention(1), b"no json", feedback(mention(2)))
    send(broker, topics.LINKS, incident(1))
    send(broker, topics.INCIDENTS, b"\xff", incident(1), key="status:9")
    send(broker, topics.DECISIONS, b"[]")
    send(broker, topics.COVERAGE, b"{}")
    store = Store(broker, warehouse, clock)

    while store.turn(0):
        pass

    found = deadletters.listing(broker)
    assert sorted(dead.topic for dead in found) == [
        topics.COVERAGE,
        topics.DECISIONS,
        topics.FEEDBACK,
        topics.FEEDBACK,
        topics.INCIDENTS,
        topics.LINKS,
    ]
    assert len(texts(warehouse)) == 1


def test_records_of_another_version_of_the_words(
    broker: LocalBroker, warehouse: DuckDBWarehouse, clock: ManualClock
) -> None:
    """What a later version adds is passed over, what an earlier one lacked has its default."""
    later = orjson.loads(feedback(mention(1)).to_json())
    later |= {"schema": 7, "review": {"by": "nobody"}}
    later["mention"] |= {"mood": "sunny"}
    earlier = orjson.loads(feedback(mention(2)).to_json())
    kept = ("source", "external_id", "text", "said_at")
    earlier = {
        "mention": {name: earlier["mention"][name] for name in kept},
        "repeat": {"group": mention(2).id},
        "labels": {},
        "model": "0",
    }
    reshaped = later | {"labels": ["report"]}
    send(broker, topics.FEEDBACK, *map(orjson.dumps, (later, earlier, reshaped)))
    send(broker, topics.INCIDENTS, orjson.dumps(orjson.loads(incident(1).to_json()) | {"new": 1}))
    store = Store(broker, warehouse, clock)

    while store.turn(0):
        pass

    assert len(texts(warehouse)) == 2
    assert warehouse.sql("SELECT incident_id FROM incidents").rows == [("status:1",)]
    assert [dead.topic for dead in deadletters.listing(broker)] == [topics.FEEDBACK]


def test_one_line_of_numbers_a_batch(
    broker: LocalBroker,
    warehouse: DuckDBWarehouse,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log tells how many of what, never what they say."""
    caplog.set_level(logging.INFO, "pipeline")
    send(broker, topics.FEEDBACK, feedback(mention(1, "hush")), b"hush")

    Store(broker, warehouse, clock).turn(0)

    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("store: 1 Feedback, 1 dead, ")


def test_it_has_the_counts_rolled_up(
    broker: LocalBroker, warehouse: DuckDBWarehouse, clock: ManualClock
) -> None:
    """When it is time the counts at rest hold all that was written; without a time never."""

    def counted() -> list[tuple[object, ...]]:
        return warehouse.sql("SELECT sum(mentions) FROM agg_mentions_hourly").rows

    send(broker, topics.FEEDBACK, feedback(mention(1)))
    never = Store(broker, warehouse, clock, roll_up_seconds=None)
    never.turn(0)
    never.close()
    assert counted() == [(None,)]
    Store(broker, warehouse, clock, roll_up_seconds=0).turn(0)
    assert counted() == [(1,)]
