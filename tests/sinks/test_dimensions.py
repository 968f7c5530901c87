"""What analysts join to the facts, on DuckDB and PostgreSQL: dimensions, updates, completeness."""

from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model import Component, Coverage, Removal, Update
from pipeline.ports import Rows, Warehouse
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse_words import (
    OFFICIAL,
    PROPOSAL,
    START,
    decision,
    feedback,
    incident,
    link,
    minutes,
)

HOUR = timedelta(hours=1)


@pytest.fixture(params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    """An empty warehouse of each kind."""
    if request.param == "duckdb":
        with closing(DuckDBWarehouse(tmp_path / "a.duckdb")) as file:
            yield file
    else:
        yield request.getfixturevalue("make_on")()


def table(warehouse: Warehouse, sql: str) -> list[dict[str, Any]]:
    """The rows of an answer by column."""
    found = warehouse.sql(sql)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def read(
    start: float, end: float, cause: str | None = None, source: str = "x", track: str | None = None
) -> Coverage:
    """That a source was read between two minutes, or a gap with its cause."""
    return Coverage(
        source=source,
        track=track,
        from_at=minutes(start),
        to_at=minutes(end),
        is_gap=cause is not None,
        cause=cause,
    )


# ---- dimensions ---------------------------------------------------------------------------------


def test_authors_are_known_by_their_hash_alone(warehouse: Warehouse) -> None:
    """An author's posts count together; an erased one keeps a row under another key."""
    words = [feedback(1, author="ann"), feedback(2, author="ann", at=5), feedback(3, author=None)]
    warehouse.write(Rows(feedback=words), START)
    (ann,) = table(warehouse, "SELECT * FROM dim_author")
    assert (ann["source"], ann["mentions"], ann["removed"]) == ("x", 2, 0)
    assert (ann["first_seen_at"], ann["last_seen_at"]) == (START, minutes(5))
    assert "ann" not in ann["author_key"]
    gone = Removal(removal="x:ann", kind="erased", at=minutes(9), scope="author")
    warehouse.write(Rows(removals=[gone]), minutes(9))
    (erased,) = table(warehouse, "SELECT * FROM dim_author")
    assert erased["author_key"] != ann["author_key"]
    assert (erased["mentions"], erased["removed"]) == (2, 2)


def test_sources_tracks_components_and_regions(warehouse: Warehouse) -> None:
    """Each has a row per name, whether posts, incidents or coverage name it."""
    parts = {"components": (Component(name="App"),), "regions": ("UK",), "tracks": ("acme", "b")}
    warehouse.write(
        Rows(
            feedback=[feedback(1), feedback(2, tracks=("acme", "other"))],
            incidents=[incident().model_copy(update=parts)],
            decisions=[decision("d1", "relabel", "x:2", "component=basket")],
            coverage=[
                read(0, 30),
                read(30, 40, "stopped"),
                Coverage(source="y", track="c", from_at=START, to_at=minutes(1)),
            ],
        ),
        START,
    )
    sources = {row.pop("source"): row for row in table(warehouse, "SELECT * FROM dim_source")}
    assert sources.keys() == {"x", "y"}
    assert (sources["x"]["mentions"], sources["x"]["authors"]) == (2, 2)
    assert (sources["x"]["read_to_at"], sources["x"]["blind_to_at"]) == (minutes(30), minutes(40))
    assert (sources["y"]["mentions"], sources["y"]["blind_to_at"]) == (0, None)
    tracks = table(warehouse, "SELECT track, mentions, incidents FROM dim_track ORDER BY track")
    counts = [tuple(row.values()) for row in tracks]
    assert counts == [("acme", 2, 1), ("b", 0, 1), ("c", 0, 0), ("other", 1, 0)]
    components = warehouse.sql(
        "SELECT component, mentions, incidents, is_official FROM dim_component ORDER BY component"
    ).rows
    assert sorted(components) == [
        ("App", 0, 1, True),
        ("basket", 1, 0, False),
        ("shop", 1, 0, False),
    ]
    assert warehouse.sql("SELECT region, is_official FROM dim_region").rows == [("UK", True)]


def test_every_day_has_a_row(warehouse: Warehouse) -> None:
    """From the first day of anything to the last, also those on which nothing happened."""
    assert warehouse.sql("SELECT * FROM dim_date").rows == []
    warehouse.write(Rows(feedback=[feedback(1), feedback(2, at=60 * 24 * 6)]), START)
    days = table(warehouse, "SELECT * FROM dim_date ORDER BY date_day")
    assert [day["date_day"] for day in days] == [date(2026, 3, n) for n in range(2, 9)]
    assert [day["day_of_week"] for day in days] == [*range(1, 8)]
    assert [day["is_weekend"] for day in days] == [False] * 5 + [True] * 2
    assert (days[-1]["week"], days[-1]["quarter"], days[-1]["day_of_month"]) == (10, 1, 8)


def test_decisions_are_told_by_their_parts(warehouse: Warehouse) -> None:
    """A relabelling has its head and name, a link its incident, a merge both incidents."""
    words = [
        decision("d1", "relabel", "x:1", "topic=a=b"),
        decision("d2", "link", "x:1", OFFICIAL),
        decision("d3", "merge", PROPOSAL, OFFICIAL),
        decision("d4", "dismiss", PROPOSAL),
    ]
    warehouse.write(Rows(decisions=words), START)
    told = {row.pop("decision_id"): row for row in table(warehouse, "SELECT * FROM decisions")}
    names = ("id", "incident_id", "head", "name", "into_id")
    assert [told["d1"][name] for name in names] == ["x:1", None, "topic", "a=b", None]
    assert [told["d2"][name] for name in names] == ["x:1", OFFICIAL, None, None, None]
    assert [told["d3"][name] for name in names] == [None, PROPOSAL, None, None, OFFICIAL]
    assert (told["d4"]["incident_id"], told["d4"]["decided_by"]) == (PROPOSAL, "ada")


# ---- the official word and our proposals ---------------------------------------------------------


def test_each_official_word_has_a_row(warehouse: Warehouse) -> None:
    """In its order, with an id of its own that later words do not change; proposals have none."""
    said = [
        Update(id="u1", status="investigating", body="We're looking.", display_at=minutes(9)),
        Update(status="identified", body="Found", display_at=minutes(20)),
        Update(status="identified", body="Found it", display_at=minutes(20)),
    ]
    ours = incident(PROPOSAL, status="proposed").model_copy(update={"updates": tuple(said)})
    first = incident().model_copy(update={"updates": tuple(said[1:])})
    warehouse.write(Rows(incidents=[first, ours]), START)
    before = table(warehouse, "SELECT * FROM fct_incident_update ORDER BY number")
    assert {row["incident_id"] for row in before} == {OFFICIAL}
    second = incident(version=2).model_copy(update={"updates": tuple(said)})
    warehouse.write(Rows(incidents=[second]), START)
    after = table(warehouse, "SELECT * FROM fct_incident_update ORDER BY number")
    assert [row["id"] for row in after][1:] == [row["id"] for row in before]
    assert len({row["id"] for row in after}) == 3
    assert after[0] == {
        "id": f"{OFFICIAL}#u1",
        "incident_id": OFFICIAL,
        "status": "investigating",
        "body": "We're looking.",
        "display_at": minutes(9),
        "number": 1,
    }


def test_what_became_of_a_proposal(warehouse: Warehouse) -> None:
    """Taken over, merged, accepted, dismissed, over, or still open: the last word on each."""
    names = [f"{PROPOSAL}-{n}" for n in range(6)]
    official, merged, accepted, dismissed, over, still = names
    proposals = [incident(name, status="proposed", opened=2) for name in names]
    proposals[0] = incident(official, status="proposed", opened=2, official_id=OFFICIAL)
    proposals[4] = incident(over, status="resolved", opened=2)
    words = [
        decision("d1", "accept", merged, at=5),
        decision("d2", "merge", merged, OFFICIAL, at=6),
        decision("d3", "accept", accepted),
        decision("d4", "dismiss", dismissed),
    ]
    warehouse.write(Rows(incidents=[*proposals, incident()], decisions=words), START)
    found = {row["incident_id"]: row for row in table(warehouse, "SELECT * FROM fct_proposal")}
    assert {name: found[name]["outcome"] for name in names} == {
        official: "official",
        merged: "merged",
        accepted: "accepted",
        dismissed: "dismissed",
        over: "over",
        still: "open",
    }
    assert found[official]["lead_seconds"] == found[merged]["lead_seconds"] == 7 * 60
    assert found[merged]["official_id"] == OFFICIAL
    assert (found[merged]["decided_at"], found[merged]["decided_by"]) == (minutes(6), "ada")
    assert found[still]["proposed_at"] == minutes(2)


# ---- completeness -------------------------------------------------------------------------------


def test_an_hour_is_as_complete_as_it_was_read(warehouse: Warehouse) -> None:
    """Overlapping gaps count once, a gap within a span is blind, an hour in between is a row."""
    spans = [read(0, 150), read(15, 105, "stopped"), read(20, 30, "rate_limited"), read(300, 360)]
    warehouse.write(Rows(coverage=spans), START)
    rows = table(warehouse, "SELECT * FROM completeness WHERE track IS NULL ORDER BY hour")
    assert [row["hour"] for row in rows] == [START + n * HOUR for n in range(6)]
    assert [row["seconds_read"] for row in rows] == [900, 900, 1800, 0, 0, 3600]
    assert [row["seconds_blind"] for row in rows] == [2700, 2700, 0, 0, 0, 0]
    assert [row["share"] for row in rows] == [0.25, 0.25, 0.5, 0, 0, 1]
    assert [row["is_complete"] for row in rows] == [False] * 5 + [True]
    causes = [row["causes"] for row in rows]
    assert causes == ["rate_limited, stopped", "stopped", None, None, None, None]


def test_a_gap_of_a_whole_source_is_one_of_its_tracks(warehouse: Warehouse) -> None:
    """From where it meets what was read by the track; not before the track was, nor of others."""
    spans = [
        read(0, 30, "stopped"),
        read(90, 240, track="acme"),
        read(75, 100, "away"),
        read(150, 160, "limits", track="acme"),
        read(155, 180, "away"),
        read(240, 250, "late"),
        read(60, 120, track="acme", source="another"),
        read(400, 460, "over"),
    ]
    warehouse.write(Rows(coverage=spans), START)
    rows = table(
        warehouse,
        "SELECT * FROM completeness WHERE track = 'acme' AND source <> 'another' ORDER BY hour",
    )
    assert [(row["hour"] - START) / HOUR for row in rows] == [1, 2, 3, 4]
    assert [row["seconds_blind"] for row in rows] == [600, 1800, 0, 600]
    assert [row["seconds_read"] for row in rows] == [1200, 1800, 3600, 0]
    assert [row["causes"] for row in rows] == ["away", "away, limits", None, "late"]
    assert [row["is_complete"] for row in rows] == [False, False, True, False]
    (other,) = table(warehouse, "SELECT * FROM completeness WHERE source = 'another'")
    assert other["is_complete"]


def test_spans_of_many_tracks_stay_apart(warehouse: Warehouse) -> None:
    """A gap is told as a span and as a gap: neither is taken for the end of what was before."""
    told = [
        read(n * 10, n * 10 + 5, None if n % 2 else "stopped", track=f"track-{track}")
        for track in range(20)
        for n in range(5)
    ]
    warehouse.write(Rows(coverage=told), START)
    rows = warehouse.sql("SELECT from_at, to_at FROM coverage_span WHERE kind = 'told'").rows
    assert [end - start for start, end in rows] == [timedelta(minutes=5)] * 100


spans = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1, 200), st.booleans()), min_size=1, max_size=12
)


@pytest.fixture(scope="module")
def filled_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBWarehouse]:
    """A warehouse for many examples, each with a source of its own: opening one takes too long."""
    path = tmp_path_factory.mktemp("completeness") / "a.duckdb"
    with closing(DuckDBWarehouse(path)) as made:
        yield made


_NUMBERS = count()


@settings(max_examples=40, deadline=None)
@given(told=spans)
def test_any_spans(filled_on: DuckDBWarehouse, told: list[tuple[int, int, bool]]) -> None:
    """Whatever overlaps: each minute is read, blind (which wins) or neither, in its hour."""
    name = f"source-{next(_NUMBERS)}"
    words = [read(a, a + n, "stopped" if gap else None, source=name) for a, n, gap in told]
    filled_on.write(Rows(coverage=words), START)
    state: dict[int, str] = {}
    for start, length, gap in sorted(told, key=lambda span: span[2]):
        state |= dict.fromkeys(range(start, start + length), "blind" if gap else "read")
    found = table(filled_on, f"SELECT * FROM completeness WHERE source = '{name}'")
    hours = range(min(state) // 60, max(state) // 60 + 1)
    assert {row["hour"] for row in found} == {START + n * HOUR for n in hours}
    for row in found:
        first = round((row["hour"] - START) / timedelta(minutes=1))
        kinds = [state.get(first + n) for n in range(60)]
        assert row["seconds_read"] == kinds.count("read") * 60
        assert row["seconds_blind"] == kinds.count("blind") * 60
        assert row["is_complete"] == (kinds.count("read") == 60)


def test_numbers_join_their_completeness(warehouse: Warehouse) -> None:
    """Mentions of an hour stand beside how much of it was read, for their track or for all."""
    warehouse.write(
        Rows(
            feedback=[feedback(1), feedback(2, at=61), feedback(3, at=62, links=[link(OFFICIAL)])],
            coverage=[read(0, 60), read(60, 90, track="acme")],
        ),
        START,
    )
    rows = warehouse.sql(
        "SELECT h.hour, sum(h.mentions), min(c.share) FROM mentions_hourly h "
        "LEFT JOIN completeness c ON c.hour = h.hour AND (c.track IS NULL OR c.track = h.track) "
        "GROUP BY h.hour ORDER BY h.hour"
    ).rows
    assert rows == [(START, 1, 1.0), (START + HOUR, 2, 0.5)]
