"""What a report says of sources, seen in their own process."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config.operating.meters import Meters
from config.operating.report import Sight, report
from config.operating.watched import Watched
from config.settings import Settings
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.intake import Intake
from pipeline.model import Mention, Spend
from pipeline.ports import Item, Rows
from pipeline.topics import TOPICS
from sinks.duckdb_warehouse import DuckDBWarehouse

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Once:
    """Brings one post and then nothing."""

    name = "quiet"

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        yield Item(Mention(source="s", external_id="1", text="acme", said_at=NOW), "1")
        while not stop.is_set():
            yield Item(None, "1")


def test_a_silence_is_measured_by_what_the_settings_expect(tmp_path: Path) -> None:
    """Any source: twenty an hour are usual, so two hours without one are told, ten minutes not."""
    clock = ManualClock(NOW)
    table = {"type": "bluesky", "name": "quiet", "expected_per_hour": 20}
    known = Settings.model_validate({"source": [table]})
    broker = LocalBroker(tmp_path / "test.broker", clock)
    broker.ensure(TOPICS)
    intake = Intake(Once(), broker, None, clock)
    watched = Watched(intake, clock)
    watched.turn(0)
    sight = Sight(known, clock, "running", meters=Meters(clock, {"quiet": watched}))
    told = []
    for minutes in (10, 110):
        clock.set(clock.now() + timedelta(minutes=minutes))
        watched.turn(0)
        [line] = report(sight)["sources"]
        told.append(line["silence"])
    assert told == [None, "nothing came for 2.0 h, where 20.0 an hour are usual"]
    intake.close()
    broker.close()


def test_what_a_source_has_cost_is_told(tmp_path: Path) -> None:
    """Today and this month, from the warehouse; nothing for a source that costs nothing."""
    tables = [{"type": "x", "name": "x"}, {"type": "bluesky", "name": "free"}]
    known = Settings.model_validate({"source": tables})
    warehouse = DuckDBWarehouse(tmp_path / "test.duckdb", key=bytes(32))
    bills = [
        Spend(source="x", day=NOW.replace(day=day, hour=0), reads=10, cost=0.5, at=NOW)
        for day in (1, 2)
    ]
    warehouse.write(Rows(spend=bills), NOW)
    told = report(Sight(known, ManualClock(NOW), "not running", warehouse=warehouse))
    free, paid = told["sources"]
    assert "spend" not in free
    assert (paid["spend"]["cost_today"], paid["spend"]["cost_month"]) == (0.5, 1.0)
    warehouse.close()
