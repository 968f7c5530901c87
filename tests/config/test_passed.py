"""Which posts and authors of a live source concern us, asked of the real broker and warehouse."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.passed import ALONE_FOR, LOOK, PassedOn
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.errors import TryLater
from pipeline.model import (
    Author,
    Decision,
    Feedback,
    Link,
    LinkState,
    Mention,
    Removal,
    Repeat,
)
from pipeline.ports import Broker, Rows, Warehouse
from pipeline.store import Store
from pipeline.topics import FEEDBACK, MENTIONS, TOPICS
from sinks.duckdb_warehouse import DuckDBWarehouse

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
POST = Mention(
    source="bluesky",
    external_id="did:plc:a/1",
    text="acme",
    said_at=NOON,
    author=Author(id="did:plc:a"),
)
FOUND = Feedback(mention=POST, repeat=Repeat(group=POST.id), labels={}, model="m")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    opened = LocalBroker(tmp_path / "test.broker", ManualClock(NOON))
    opened.ensure(TOPICS)
    yield opened
    opened.close()


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    opened = DuckDBWarehouse(tmp_path / "test.duckdb")
    yield opened
    opened.close()


def test_the_warehouse_knows_what_came_through(broker: Broker, warehouse: Warehouse) -> None:
    """Posts and authors; what was erased is known no more."""
    passed = PassedOn()
    assert passed("bluesky:did:plc:b/1")  # nobody can be asked yet: in doubt, yes
    passed.bind(broker, lambda: warehouse)
    assert not passed(POST.id)
    warehouse.write(Rows(feedback=[FOUND]), NOON)
    assert passed(POST.id)
    assert passed("bluesky:did:plc:a")
    assert not passed("bluesky:did:plc:b")
    warehouse.write(Rows(removals=[Removal(removal=POST.id, kind="erased", at=NOON)]), NOON)
    assert not passed(POST.id)


def test_what_is_still_on_its_way_may_be_known(broker: Broker, warehouse: Warehouse) -> None:
    """Records of an earlier process are waited for once."""
    worker = broker.consumer("worker", [MENTIONS])
    producer = broker.producer()
    producer.send(MENTIONS, POST.key, POST.to_json())
    producer.flush()
    passed = PassedOn(clock := ManualClock(NOON))
    passed.bind(broker, lambda: warehouse)
    assert passed("bluesky:did:plc:b")
    assert passed("bluesky:did:plc:b")
    assert worker.poll(10, 5)
    producer.send(FEEDBACK, FOUND.key, FOUND.to_json())
    producer.flush()
    worker.commit()
    store = Store(broker, warehouse, ManualClock(NOON))
    while store.turn(0):
        pass
    clock.set(NOON + timedelta(seconds=2))
    assert passed(POST.id)
    assert not passed("bluesky:did:plc:b")
    for each in (worker, producer, store):
        each.close()


def test_a_warehouse_that_is_away_is_left_alone(broker: Broker, warehouse: Warehouse) -> None:
    """In doubt everything may be known; it is asked again after a while, not for every event."""
    asked = []

    def opened() -> Warehouse:
        asked.append(clock.now())
        if len(asked) == 1:
            raise TryLater("PostgreSQL does not answer")
        return warehouse

    passed = PassedOn(clock := ManualClock(NOON))
    passed.bind(broker, opened)
    assert passed("bluesky:did:plc:b")
    assert passed("bluesky:did:plc:b")
    assert asked == [NOON]
    clock.set(NOON + ALONE_FOR)
    assert not passed("bluesky:did:plc:b")
    assert len(asked) == 2


def test_what_is_held_is_listed_by_the_platform_s_own_ids(
    broker: Broker, warehouse: Warehouse
) -> None:
    """For sources that look again at what we keep; while nobody can be asked that is put off."""
    passed = PassedOn()
    since = NOON - timedelta(days=1)
    with pytest.raises(TryLater):
        passed.held("bluesky", since, "", 10)
    passed.bind(broker, lambda: warehouse)
    warehouse.write(Rows(feedback=[FOUND]), NOON)
    assert passed.held("bluesky", since, "", 10) == ["did:plc:a/1"]
    assert passed.held("bluesky", since, "did:plc:a/1", 10) == []
    assert passed.held("x", since, "", 10) == []


def test_what_people_see_is_looked_at_first(broker: Broker, warehouse: Warehouse) -> None:
    """Linked posts of any age, by us or by somebody, and those of the last day."""
    passed = PassedOn(ManualClock(NOON))
    passed.bind(broker, lambda: warehouse)
    days = {"1": 0, "2": 3, "3": 3, "4": 3, "5": 3}
    states: dict[str, LinkState] = {"3": "suggested", "4": "unlinked"}
    rows = []
    for number, age in days.items():
        post = POST.model_copy(
            update={"external_id": number, "event_at": NOON - timedelta(days=age)}
        )
        state = states.get(number)
        links = () if state is None else (Link(incident="p:1", p=0.6, state=state),)
        repeat = Repeat(group=post.id)
        rows.append(Feedback(mention=post, repeat=repeat, labels={}, links=links, model="m"))
    said = Decision(id="d", subject="bluesky:5", verb="link", value="p:1", by="somebody", at=NOON)
    warehouse.write(Rows(feedback=rows, decisions=[said]), NOON)
    since = NOON - timedelta(days=30)
    assert passed.held.first("bluesky", since, "", 10) == ["1", "3", "5"]
    assert passed.held.first("bluesky", since, "1", 1) == ["3"]
    assert passed.held("bluesky", since, "", 10) == ["1", "2", "3", "4", "5"]


def test_what_a_source_has_forgotten_may_be_on_its_way(
    broker: Broker, warehouse: Warehouse
) -> None:
    """While the store is far behind, the warehouse's no means nothing: removals are passed on."""
    store = Store(broker, warehouse, ManualClock(NOON))
    broker.consumer("worker", [MENTIONS]).close()
    passed = PassedOn(clock := ManualClock(NOON), most=50)
    passed.bind(broker, lambda: warehouse)
    assert not passed(POST.id)
    producer = broker.producer()
    for number in range(60):
        found = FOUND.model_copy(
            update={"mention": POST.model_copy(update={"external_id": str(number)})}
        )
        producer.send(FEEDBACK, found.key, found.to_json())
    producer.flush()
    clock.set(NOON + LOOK)
    assert passed("bluesky:0")
    assert passed("bluesky:60")
    while store.turn(0):
        pass
    clock.set(NOON + 2 * LOOK)
    assert passed("bluesky:0")
    assert not passed("bluesky:60")
    for each in (producer, store):
        each.close()
