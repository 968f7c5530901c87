"""What analysts are given: the Python door, the ready queries and the notebook, on real data."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.analysis import opened
from pipeline.errors import Misuse
from sinks.duckdb_warehouse import DuckDBWarehouse
from sinks.frames import Frames
from tests.end_to_end.program import run
from tests.sinks.filled import filled
from tests.sinks.ready_queries import QUERIES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def data(replayed: Path) -> Iterator[Frames]:
    """The scenario's warehouse as frames."""
    with opened(replayed / "groundswell.duckdb", replayed / "groundswell.toml") as frames:
        yield frames


def test_frames_hold_what_the_views_hold(data: Frames) -> None:
    """A row per mention, with times in UTC, and the same types with and without rows."""
    everything = data.feedback()
    nothing = data.feedback(since="2030-01-01")

    assert len(everything) == data.sql("SELECT count(*) AS n FROM feedback")["n"].iloc[0]
    assert everything["event_at"].is_monotonic_increasing
    assert str(everything["event_at"].dtype) == "datetime64[us, UTC]"
    assert everything["intent_p"].between(0, 1).all()
    assert nothing.empty
    differing = everything.dtypes[everything.dtypes.astype(str) != nothing.dtypes.astype(str)]
    assert differing.empty


def test_a_span_begins_at_since_and_ends_before_until(data: Frames) -> None:
    """Two spans that meet hold each mention once; a time with a zone is the same moment."""
    half = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
    before, after = data.feedback(until=half), data.feedback(since="2026-03-02T11:30+01:00")

    assert len(before) + len(after) == len(data.feedback())
    assert before["event_at"].max() < half <= after["event_at"].min()


def test_an_incident_has_its_own_feedback(data: Frames) -> None:
    """The frame of an incident counts what the incident's row counts."""
    incidents = data.incidents()
    row = incidents[~incidents["is_proposed"]].iloc[0]
    about = data.incident_feedback(row["incident_id"])
    linked = about[about["link_state"] == "linked"]

    # What was removed is counted and not shown.
    all_of_it = data.feedback()
    removed = all_of_it["is_removed"] & (all_of_it["incident_id"] == row["incident_id"])
    removed &= all_of_it["link_state"] == "linked"
    assert len(linked) + removed.sum() == row["mentions"]
    assert linked.loc[linked["is_report"], "witness"].nunique() <= row["witnesses"]
    assert data.incident_feedback("nobody's: o'clock").empty


def test_what_the_crowd_says_has_frames(data: Frames) -> None:
    """The views crowd and rumours, within a span, as SQL has them."""
    for frame, view in ((data.crowd, "crowd"), (data.rumours, "rumours")):
        assert len(frame()) == data.sql(f"SELECT count(*) AS n FROM {view}")["n"].iloc[0]
        assert frame(since="2030-01-01").empty
        assert frame().dtypes.astype(str).equals(frame(since="2030-01-01").dtypes.astype(str))
    assert str(data.crowd()["hour"].dtype) == "datetime64[us, UTC]"


def test_frames_tell_how_complete_they_are(data: Frames) -> None:
    """Every frame has when it was true and the gaps in its span."""
    frames = (data.feedback(), data.incidents(), data.hourly(), data.completeness())
    for frame in (*frames, data.coverage()):
        assert frame.attrs["as_of"] <= datetime.now(UTC)
        assert frame.attrs["blind"] == []


def test_counts_by_hour_have_their_share(tmp_path: Path) -> None:
    """Beside each count stands how much of its hour was read, and what was blind is told."""
    path = tmp_path / "groundswell.duckdb"
    with closing(filled(DuckDBWarehouse(path))):
        pass
    with opened(path) as frames:
        hourly, hours = frames.hourly(), frames.completeness()
        told = hourly[hourly["track"] == "acme"].groupby("hour")["share"].max()
        assert list(told) == [0.5, 0.75]
        assert [gap["cause"] for gap in hourly.attrs["blind"]] == ["stopped"]
        assert (str(hourly["share"].dtype), str(hours["is_complete"].dtype)) == (
            "float64",
            "boolean",
        )
        assert hours["seconds_blind"].sum() == 45 * 60
        none = frames.hourly(until="2020-01-01")
        assert none.dtypes.astype(str).equals(hourly.dtypes.astype(str))
    answer = run("query", "SELECT 1 AS n", cwd=tmp_path)
    assert b"x was blind for 45" in answer.stderr
    assert b"stopped" in answer.stderr
    assert b"blind" not in answer.stdout


@pytest.mark.parametrize("wrong", ["yesterday-ish", "", float("nan")])
def test_a_wrong_time_is_told(data: Frames, wrong: Any) -> None:
    """What is no time is refused with a word, not sent as SQL."""
    with pytest.raises(Misuse, match=r"time|missing"):
        data.feedback(since=wrong)


def test_opening_again_closes_what_was_open(data: Frames, replayed: Path) -> None:
    """A notebook's first cell may be run again; what it opened before is closed."""
    with opened(replayed / "groundswell.duckdb", replayed / "groundswell.toml") as again:
        assert len(again.incidents()) == 2
        with pytest.raises(Exception, match="closed"):
            data.incidents()


def test_frames_cannot_write(data: Frames) -> None:
    """SQL of one's own reads, and nothing else."""
    with pytest.raises(Misuse):
        data.sql("DELETE FROM fct_mention")


@pytest.mark.parametrize(("title", "sql"), QUERIES, ids=[title for title, _ in QUERIES])
def test_the_ready_queries_run(data: Frames, title: str, sql: str) -> None:
    """Each ready query runs as it stands, and those about this failure answer."""
    found = data.sql(sql)
    quiet = {
        "When were we blind?",
        "What did people correct?",
        "What did we know of an incident at that moment?",  # it was replayed just now
        "Which incidents stood open at that moment?",
        "What does a newer model see otherwise?",
    }
    assert found.empty == (title in quiet)


def test_the_notebook_runs(replayed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell of the example runs in order, and finds the failure."""
    monkeypatch.setenv("NOTEBOOK_WAREHOUSE", str(replayed / "groundswell.duckdb"))
    notebook = json.loads((DOCS / "examples" / "outage.ipynb").read_text("utf-8"))
    told: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), told)  # our own example
    assert told["official"]["lead_seconds"] > 0
    assert 0 < told["first_heard"].size <= told["official"]["witnesses"]
