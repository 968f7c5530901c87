"""X from the platform to the warehouse: posts, what was read, what it cost, across a restart."""

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from collectors.x.source import X
from config.settings import Settings
from config.sources import open_all
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.intake import Intake
from pipeline.ports import Warehouse
from pipeline.store import Store
from pipeline.topics import TOPICS
from pipeline.tracks import Matcher
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.collectors.x.stage import ACME
from tests.contracts.listening import START
from tests.servers import x


def run(known: Settings, broker: LocalBroker, warehouse: Warehouse, clock: ManualClock) -> X:
    """One process that reads for three minutes, and stores what it read."""
    [source] = open_all(known, clock)
    intake = Intake(source, broker, Matcher([ACME]), clock)
    due = clock.now() + timedelta(minutes=3)
    while clock.now() < due:
        intake.turn(0.1)
    intake.close()
    store = Store(broker, warehouse, clock)
    while store.turn(0.1):
        pass
    store.close()
    assert isinstance(source, X)
    return source


def test_what_was_spent_stands_in_the_warehouse(
    platform: x.X, clock: ManualClock, tmp_path: Path
) -> None:
    """By day; a restart goes on counting, and never reads or pays the same post again."""
    table: dict[str, Any] = {"type": "x", "name": "x", "token_from": "ACME_X", "stream": False}
    known = Settings.model_validate(
        {"source": [table | {"url": platform.url}], "track": [ACME.model_dump()]}
    )
    broker = LocalBroker(tmp_path / "test.broker", clock)
    broker.ensure(TOPICS)
    warehouse = DuckDBWarehouse(tmp_path / "test.duckdb", key=bytes(32))
    platform.post(1, START - timedelta(minutes=5), "Acme is down post 1")
    run(known, broker, warehouse, clock)
    platform.post(2, clock.now(), "Acme is down post 2")
    clock.set(clock.now() + timedelta(minutes=1))
    run(known, broker, warehouse, clock)
    rows = warehouse.sql("SELECT source, day, reads, cost FROM spend").rows
    [(source, day, reads, cost)] = rows
    assert (source, f"{day:%Y-%m-%d}") == ("x", "2026-03-02")
    # A look's overlap may read the newest once more; a page that was paid and not asked for when
    # the process ended stays counted.
    assert 2 <= reads % 100 <= 4
    assert cost == reads * 0.005
    [(since, until)] = warehouse.sql("SELECT from_at, to_at FROM coverage WHERE NOT is_gap").rows
    assert until - since > timedelta(hours=24)
    warehouse.close()
    broker.close()


def test_nobody_asks_more_often_after_a_restart(platform: x.X, clock: ManualClock) -> None:
    """Calls and connects are counted in the cursor before they are made."""
    told: dict[str, Any] = {"tracks": [ACME], "token_from": "ACME_X", "url": platform.url}
    cursor, stop = None, threading.Event()
    for _ in range(30):
        source = X("x", clock, stream=True, **told)
        for item in source.items(cursor, stop):
            cursor = item.cursor
            if len(platform.asked) > 90 or clock.now() > START + timedelta(minutes=14):
                break
    assert cursor is not None
    spent = json.loads(cursor)
    assert sum(calls for _, calls in spent["spent"][0]) <= 60
    assert len([a for a in platform.asked if not a.path.endswith("/stream")]) <= 60
    assert len(platform.connects) <= 50
