"""Habits: what a watch that starts anew takes for usual, from the warehouse."""

from datetime import timedelta
from pathlib import Path

from pipeline.bursts import Bursts, Key, Said
from pipeline.habits import habits
from pipeline.incidents import Book
from pipeline.matters import Regions
from pipeline.model import Feedback, Incident, StatusAt
from pipeline.ports import Rows
from pipeline.values import to_ms
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.pipeline.watching import START, at, said

WEEK = 7 * 24 * 60
#: Every week at this minute of it, so many people report for an hour.
RUSH, CROWD = 26 * 60, 40


def three_weeks() -> list[Feedback]:
    """A report every three hours, and a rush at the same hour of each week."""
    posts = [said(180 * n, n) for n in range(21 * 8)]
    for week in range(3):
        rush = week * WEEK + RUSH
        posts += [said(rush + n * 60 / CROWD, 10_000 * (week + 1) + n) for n in range(CROWD)]
    return posts


def rush_hour(bursts: Bursts) -> bool:
    """Whether the fourth week's rush is a burst, after a day that the watch has read again."""
    day = [said(3 * WEEK + 180 * n, 90_000 + n) for n in range(8)]
    rush = [said(3 * WEEK + RUSH + n * 60 / CROWD, 95_000 + n) for n in range(CROWD)]
    for word in (*day, *rush):
        bursts.add("Nordwind", Said(to_ms(word.mention.event_at), str(word.mention.witness)))
    return bool(bursts.tick(to_ms(at(3 * WEEK + RUSH + 90))))


def kept(folder: Path, book: Book) -> Bursts:
    """What a watch that starts before the fourth rush remembers."""
    warehouse = DuckDBWarehouse(folder / "groundswell.duckdb", key=b"k" * 32)
    warehouse.write(Rows(feedback=three_weeks()), START)
    bursts = Bursts()
    for key, hours in habits(warehouse, book, Regions(), at(3 * WEEK + 26 * 60)):
        bursts.remember(key, hours)
    warehouse.close()
    return bursts


def test_a_weekly_rush_is_no_burst(tmp_path: Path) -> None:
    """What happened at this hour of each week is usual, also for a watch that has just started."""
    assert rush_hour(Bursts())
    assert not rush_hour(kept(tmp_path, Book()))


def test_hours_of_proposals_are_not_usual(tmp_path: Path) -> None:
    """If each rush had been a failure, the fourth is one, too."""
    book = Book()
    for week in range(3):
        begin = at(week * WEEK + RUSH)
        steps = [(begin, "proposed"), (begin + timedelta(minutes=59), "resolved")]
        book.put(
            Incident(
                id=f"groundswell:Nordwind-{week}",
                title="Reports of trouble",
                status="resolved",
                history=tuple(StatusAt.model_validate({"at": a, "status": s}) for a, s in steps),
                tracks=("Nordwind",),
            )
        )
    assert rush_hour(kept(tmp_path, book))


def test_series_with_next_to_nothing_are_left_out(tmp_path: Path) -> None:
    """A part of a track that could never burst is not remembered."""
    warehouse = DuckDBWarehouse(tmp_path / "groundswell.duckdb", key=b"k" * 32)
    posts = [said(n, n, topic="login", place="Leeds" if n < 3 else "York") for n in range(9)]
    warehouse.write(Rows(feedback=posts), START)
    found = dict(habits(warehouse, Book(), Regions(), at(3 * 24 * 60)))
    assert set(found) == {
        Key("Nordwind"),
        Key("Nordwind", "login"),
        Key("Nordwind", "", "York"),
        Key("Nordwind", "login", "York"),
    }
    warehouse.close()
