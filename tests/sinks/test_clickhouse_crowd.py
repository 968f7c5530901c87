"""The crowd on ClickHouse, which has SQL of its own for it: what it says is what DuckDB says."""

import random
import secrets
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("chdb", reason="the engine of ClickHouse is missing: make clickhouse")

from pipeline.model import Campaign, Component, Feedback, Incident, Update
from pipeline.ports import Rows, Warehouse
from sinks.clickhouse_warehouse import ClickHouseWarehouse
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse_crowd import CLOSED, OPENED, many, official, proposal
from tests.contracts.warehouse_words import (
    OFFICIAL,
    PROPOSAL,
    START,
    decision,
    minutes,
    view,
)
from tests.sinks.clickhouse_helpers import FEW, new_database
from tests.sinks.postgres_helpers import KEY

#: Minutes on the day before, before the opening, while it is open, and after the end.
TIMES = (OPENED - 24 * 60, OPENED - 90, OPENED - 20, OPENED + 5, OPENED + 70)
AFTER = (CLOSED - 5, CLOSED + 2, CLOSED + 200, CLOSED + 25 * 60)
TOPICS = ("network", "login", "other", "outage", None)
THEIRS, OF_ALL = "statuspage:9", "statuspage:10"


def incidents(pick: random.Random) -> list[Incident]:
    """Ours, another track's, one of all tracks, and two proposals about the same time."""
    told = Update(body="Also seen in York.", display_at=minutes(OPENED))
    parts = (Component(name="Login"), Component(name="Messages"))
    ours = official(
        resolved_at=pick.choice((None, minutes(CLOSED))),
        regions=pick.choice(((), ("Leeds",), ("Scotland", "Leeds"))),
        updates=pick.choice(((), (told,))),
        components=pick.choice(((), parts[:1], parts)),
    )
    begins = minutes(OPENED - pick.choice((0, 20, 300, 1500)))
    nearby = OPENED + pick.choice((-20, 10, 50))
    return [
        ours,
        official(id=THEIRS, tracks=("nordwind",), started_at=begins),
        official(id=OF_ALL, tracks=(), components=()),
        proposal(PROPOSAL, topic=pick.choice(("network", "login"))),
        proposal("groundswell:nordwind", track="nordwind", topic="network", opened=nearby),
    ]


def posts(pick: random.Random) -> list[Feedback]:
    """Some people at once, again and again, about an incident or about none."""
    words: list[Feedback] = []
    for _ in range(pick.randint(5, 25)):
        names: dict[str, Any] = {"track": pick.choice(("acme", "acme", "nordwind", "fernwick"))}
        names["intent"] = pick.choice(("report", "report", "report", "recovery"))
        names["noise"] = "yes" if pick.random() < 0.1 else "no"
        if topic := pick.choice(TOPICS):
            names["topic"] = topic
        if pick.random() < 0.4:
            names["component"] = pick.choice(("Messages", "Login", "Video"))
        if pick.random() < 0.4:
            names["place"] = pick.choice(("Leeds", "Glasgow", "York"))
            names["lies_in"] = pick.choice((None, "United Kingdom", "Scotland, United Kingdom"))
        to = pick.choice((None, None, None, OFFICIAL, THEIRS, PROPOSAL))
        count = pick.choice((1, 2, 3, 3, 4, 5, 6, 9))
        words += many(len(words), count, pick.choice(TIMES + AFTER), to=to, **names)
    return words


def world(seed: int) -> Rows:
    """All of it, with what people settled and what was set aside."""
    pick = random.Random(seed)
    words = posts(pick)
    settled = (("merge", PROPOSAL, OFFICIAL), ("dismiss", PROPOSAL, ""), ("link", "x:0", OFFICIAL))
    return Rows(
        incidents=incidents(pick),
        feedback=words,
        decisions=[
            decision(f"d{n}", verb, subject, value, n)
            for n, (verb, subject, value) in enumerate(pick.sample(settled, pick.randint(0, 2)))
        ],
        campaigns=[
            Campaign(mention=word.mention.id, kind="variants")
            for word in words
            if pick.random() < 0.05
        ],
    )


def told(warehouse: Warehouse, rows: Rows) -> dict[str, list[Any]]:
    """What the views and the page say of the crowd once this is written."""
    warehouse.write(rows, START)
    views = {
        name: sorted(view(warehouse, name), key=str)
        for name in ("crowd_said", "crowd_elsewhere", "crowd")
    }
    return views | {
        f"{query} {incident.id}": warehouse.rows(query, id=incident.id)
        for query in ("incident_crowd", "incident_since")
        for incident in rows.incidents[:2]
    }


@FEW
@given(seed=st.integers(0, 2**32))
def test_it_is_told_as_on_duckdb(clickhouse_engine: str, tmp_path: Path, seed: int) -> None:
    """Whatever is said at whatever time of incidents of any kind."""
    rows = world(seed)
    ours = ClickHouseWarehouse(new_database(clickhouse_engine), key=KEY)
    other = DuckDBWarehouse(tmp_path / secrets.token_hex(6), key=KEY)
    with closing(ours), closing(other):
        assert told(ours, rows) == told(other, rows)


def test_an_incident_nobody_knows_has_no_crowd(clickhouse_url: str) -> None:
    """Nor has any in an empty warehouse; both are answers, not failures."""
    with closing(ClickHouseWarehouse(clickhouse_url, key=KEY)) as warehouse:
        assert warehouse.sql("SELECT * FROM crowd").rows == []
        assert warehouse.rows("incident_crowd", id=OFFICIAL) == []
        assert warehouse.rows("incident_since", id=OFFICIAL) == []
