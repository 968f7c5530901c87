"""What a report says of sources, seen in their own process."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from collectors.kit.times import to_us
from config.commands.status import screen
from config.operating.exposition import Sample, samples
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

    def __init__(self, where: str = "1") -> None:
        self._where = where

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        yield Item(Mention(source="s", external_id="1", text="acme", said_at=NOW), self._where)
        while not stop.is_set():
            yield Item(None, self._where)


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


def test_the_age_of_the_last_look_at_what_is_kept_is_told(tmp_path: Path) -> None:
    """By status and by a metric; nothing by sources that do not look again."""
    clock = ManualClock(NOW)
    broker = LocalBroker(tmp_path / "test.broker", clock)
    broker.ensure(TOPICS)
    began, looked = (to_us(NOW - timedelta(hours=hours)) for hours in (5, 3))
    checks = {"began": began, "at": looked, "after": "a", "over": False}
    source = Once(json.dumps({"own": {"checks": checks}}))
    intake = Intake(source, broker, None, clock)
    watched = Watched(intake, clock)
    watched.turn(0)
    meters = Meters(clock, {"quiet": watched})
    known = Settings.model_validate({"source": [{"type": "mastodon", "name": "quiet"}]})
    told = report(Sight(known, clock, "running", broker=broker, meters=meters))
    (line,) = told["sources"]
    assert line["rechecks"] == {
        "began_at": NOW - timedelta(hours=5),
        "looked_at": NOW - timedelta(hours=3),
        "is_over": False,
    }
    text = "\n".join(screen(json.loads(orjson.dumps(told))))
    assert "kept posts looked at again 3 h ago, in a round that began 5 h ago" in text
    aged = Sample("groundswell_source_recheck_age_seconds", 3 * 3600.0, ("quiet",))
    assert aged in list(samples(meters))
    intake.close()
    broker.close()
