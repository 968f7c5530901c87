"""How much was read, beside an incident's counts: what the API tells, and in which words."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from pipeline.model import Coverage
from pipeline.ports import Rows
from tests.web.scene import OFFICIAL, Page, feedback, official
from web.completeness import brief, duration, told

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
#: An hour before it began, when it ended, and when somebody asks.
START, END, NOW = NOON, NOON + timedelta(hours=4), NOON + timedelta(hours=5)


def row(source: str = "stream", **more: Any) -> dict[str, Any]:
    """What the warehouse tells of a source that read all of four hours."""
    known: dict[str, Any] = {
        "incident_id": OFFICIAL,
        "source": source,
        "track": None,
        "causes": None,
    }
    known |= {"from_at": START, "to_at": END, "told_from_at": START, "told_to_at": END}
    return known | {"seconds_told": 4 * 3600.0, "seconds_blind": 0.0} | more


def blind(minutes: float, cause: str = "disconnected", **more: Any) -> dict[str, Any]:
    return row(seconds_blind=minutes * 60, causes=cause, **more)


LATE: dict[str, Any] = {"told_from_at": START + timedelta(minutes=80), "seconds_told": 160 * 60.0}
SHORT: dict[str, Any] = {"told_to_at": START + timedelta(minutes=120), "seconds_told": 120 * 60.0}
NEVER: dict[str, Any] = {
    "told_from_at": None,
    "told_to_at": START - timedelta(minutes=40),
    "seconds_told": 0.0,
}
WHOLE = (NOW - START).total_seconds()
CASES: dict[str, tuple[list[dict[str, Any]], str | None]] = {
    "all": ([row(), row("pond")], None),
    "gap": (
        [blind(12), row("pond")],
        "stream was not read for 12 min (disconnected); counts are lower bounds.",
    ),
    "many, the same": (
        [blind(185, "stopped"), blind(185, "stopped", source="pond")],
        "stream and pond were not read for 3 h 5 min (stopped); counts are lower bounds.",
    ),
    "begun late": (
        [row(**LATE)],
        "stream was read only from 13:20 UTC on; counts are lower bounds.",
    ),
    "not told on": (
        [row(**SHORT)],
        "stream was read only until 14:00 UTC; counts are lower bounds.",
    ),
    "in the middle": (
        [row(**SHORT | {"told_from_at": LATE["told_from_at"], "seconds_told": 40 * 60.0})],
        "stream was read only from 13:20 UTC until 14:00 UTC; counts are lower bounds.",
    ),
    "never": (
        [row(**NEVER)],
        "stream was not read (last 11:20 UTC); counts are lower bounds.",
    ),
    "with holes": (
        [row(seconds_told=3 * 3600.0)],
        "stream was read with holes of 1 h that nobody told of; counts are lower bounds.",
    ),
    "both": (
        [blind(0.5, "rate_limited", **SHORT)],
        (
            "stream was not read for 30 s (rate_limited) and read only until 14:00 UTC; "
            "counts are lower bounds."
        ),
    ),
    "capped": (
        [blind(60, "budget spent")],
        "stream was not read for 1 h (budget spent); counts are of a sample.",
    ),
    "too many to name": (
        [blind(n, source=f"s{n}") for n in range(1, 6)],
        (
            "s1 was not read for 1 min (disconnected); s2 was not read for 2 min (disconnected); "
            "s3 was not read for 3 min (disconnected); 2 more were not read in full; "
            "counts are lower bounds."
        ),
    ),
    "nobody tells": ([], "Nothing tells how much was read: counts may be lower bounds."),
    "a gap beside a hole": (
        [blind(0.5, "away", seconds_told=20 * 60.0)],
        (
            "stream was not read for 30 s (away) and read with holes of 3 h 40 min that nobody "
            "told of; counts are lower bounds."
        ),
    ),
    "a short hole": (
        [row(seconds_told=(240 - 14) * 60.0)],
        "stream was read with holes of 14 min that nobody told of; counts are lower bounds.",
    ),
    "nobody may have told yet": (
        [row(to_at=NOW, told_to_at=NOW - timedelta(minutes=9), seconds_told=WHOLE - 9 * 60)],
        None,
    ),
    "ended long ago": (
        [row(told_to_at=END - timedelta(minutes=9), seconds_told=(240 - 9) * 60.0)],
        "stream was read only until 15:51 UTC; counts are lower bounds.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_was_not_seen_is_told_in_words(case: str) -> None:
    """Each way in which something may be missing, and nothing where nothing is."""
    rows, words = CASES[case]
    assert told(rows, NOW)["words"] == words
    assert brief(rows, NOW)["words"] == words


def test_numbers_are_those_of_the_source_read_least() -> None:
    """Gaps of several sources do not add up, and a sample says that it is one."""
    found = told([row("pond"), blind(60), blind(30, "budget spent", source="lake")], NOW)
    assert (found["share"], found["is_complete"], found["seconds_blind"]) == (0.75, False, 3600)
    assert found["is_sample"]
    shares = {source["source"]: source["share"] for source in found["sources"]}
    assert shares == {"pond": 1, "stream": 0.75, "lake": 0.88}
    unknown = told([], NOW)
    assert (unknown["share"], unknown["is_complete"], unknown["sources"]) == (None, None, [])
    assert told([row()], NOW)["is_complete"]


def test_a_source_is_as_complete_as_its_track_read_least() -> None:
    """Unless it reads all anyway; a gap of the whole source is not told twice."""
    whole_gap = row(seconds_told=600.0, seconds_blind=600.0, causes="stopped")
    tracks = [row(track="a"), blind(60, track="b")]
    assert told([whole_gap, *tracks], NOW)["share"] == 0.75
    assert told([row(), *tracks], NOW)["share"] == 1


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0.6, "36 s"),
        (59.4, "59 min"),
        (59.8, "1 h"),
        (150, "2 h 30 min"),
        (47 * 60, "47 h"),
        (4_400, "3 days"),
    ],
)
def test_durations_are_short(minutes: float, words: str) -> None:
    """As a glance wants them."""
    assert duration(timedelta(minutes=minutes)) == words


def test_the_api_tells_it_beside_the_counts(page: Page) -> None:
    """One incident with its sources, the list without them; names are shown safely."""
    opened = NOON + timedelta(hours=1, minutes=10)
    ended = official(opened, status="resolved", resolved_at=opened, at=opened)
    page.write(ended, feedback("cannot pay", at=opened, incident=OFFICIAL))
    address = f"{page.url}/api/incidents/{quote(OFFICIAL, safe='')}"
    before = httpx.get(address).raise_for_status().json()["incident"]["completeness"]
    assert (before["is_complete"], before["share"]) == (None, None)

    name = "stream\u202e"
    read = Coverage(source=name, from_at=NOON - timedelta(hours=1), to_at=NOW)
    gap = Coverage(
        source=name,
        from_at=opened - timedelta(minutes=30),
        to_at=opened - timedelta(minutes=18),
        is_gap=True,
        cause="disconnected",
    )
    page.warehouse.write(Rows(coverage=[read, gap]), NOW)
    found = httpx.get(address).raise_for_status().json()["incident"]["completeness"]
    assert (found["is_complete"], found["share"], found["seconds_blind"]) == (False, 0.83, 720)
    (source,) = found["sources"]
    assert (source["source"], source["causes"]) == ("stream", "disconnected")
    assert (source["seconds_read"], source["told_from_at"]) == (58 * 60, "2026-03-01T12:00:00Z")
    words = "stream was not read for 12 min (disconnected); counts are lower bounds."
    assert found["words"] == words
    (listed,) = httpx.get(f"{page.url}/api/incidents").raise_for_status().json()["incidents"]
    assert listed["completeness"] == {n: v for n, v in found.items() if n != "sources"}
