"""Recorded incidents: lines with a time hold from there on, others are unfolded into states."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from collectors.incidents.recorded import RecordedIncidents
from pipeline.clock import ManualClock
from pipeline.model import Incident
from pipeline.ports import Unreadable
from tests.collectors.files import all_items, write

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(minute: int) -> str:
    return f"2026-03-02T09:{minute:02}:00Z"


def whole(**more: Any) -> dict[str, Any]:
    """An incident as a status page tells it afterwards."""
    return {
        "id": "acme:1",
        "title": "Messages are late",
        "status": "resolved",
        "started_at": at(0),
        "resolved_at": at(40),
        "updates": [
            {"status": "resolved", "body": "Mended.", "display_at": at(40)},
            {"status": "investigating", "body": "We look into it.", "display_at": at(9)},
            {"status": "update", "body": "Still looking.", "display_at": at(15)},
            {"status": "identified", "body": "Found.", "display_at": at(20)},
        ],
    } | more


def incidents(path: Path, **more: Any) -> list[Incident]:
    source = RecordedIncidents("incidents", [path], ManualClock(START), **more)
    values = [item.value for item in all_items(source)]
    assert all(isinstance(value, Incident) for value in values)
    return [value for value in values if isinstance(value, Incident)]


def test_a_whole_incident_unfolds_into_what_was_known_when(tmp_path: Path) -> None:
    """Each change of status and each update is a record; none knows of what came later."""
    states = incidents(write(tmp_path / "incidents", [whole()]))
    told = [(i.status, i.at - START, len(i.updates), i.resolved_at) for i in states]
    assert told == [
        ("investigating", timedelta(minutes=9), 1, None),
        ("investigating", timedelta(minutes=15), 2, None),
        ("identified", timedelta(minutes=20), 3, None),
        ("resolved", timedelta(minutes=40), 4, START + timedelta(minutes=40)),
    ]
    assert [i.opened_at for i in states] == [START + timedelta(minutes=9)] * 4
    versions = [i.version for i in states]
    assert versions == sorted(set(versions)), "readers keep the highest version"


def test_a_line_with_a_time_is_one_record(tmp_path: Path) -> None:
    """A line with at is passed on as it stands, its version too."""
    [record] = incidents(write(tmp_path / "incidents", [whole(at=at(41), version=7)]))
    assert record.status == "resolved"
    assert record.version == 7
    assert record.at == START + timedelta(minutes=41)


def test_an_end_after_the_last_word_is_a_state_too(tmp_path: Path) -> None:
    """resolved_at may be later than the update that announced it."""
    states = incidents(write(tmp_path / "incidents", [whole(resolved_at=at(55))]))
    assert states[-2].resolved_at is None
    assert states[-1].resolved_at == states[-1].at == START + timedelta(minutes=55)
    assert states[-1].version > states[-2].version


def test_several_incidents_come_in_the_order_of_their_records(tmp_path: Path) -> None:
    """States of several incidents and files are interleaved by time."""
    one = write(tmp_path / "one", [whole()])
    other = write(tmp_path / "two", [whole(id="acme:2", status="identified", at=at(16))])
    source = RecordedIncidents("incidents", [one, other], ManualClock(START))
    keys = [item.value.key for item in all_items(source) if isinstance(item.value, Incident)]
    assert keys == ["acme:1", "acme:1", "acme:2", "acme:1", "acme:1"]


def test_bad_lines_become_unreadable(tmp_path: Path) -> None:
    """What is no incident is set aside; the rest goes on."""
    path = write(tmp_path / "incidents", ["{", '{"id": "no-provider"}', "[]", whole(at=at(1))])
    source = RecordedIncidents("incidents", [path], ManualClock(START))
    values = [item.value for item in all_items(source)]
    assert [type(v) for v in values] == [Unreadable, Unreadable, Unreadable, Incident]


def test_shift_moves_the_whole_history(tmp_path: Path) -> None:
    """With a shift the incident happens on another day, and its versions follow."""
    path = write(tmp_path / "incidents", [whole()])
    day = timedelta(days=1)
    plain, moved = incidents(path), incidents(path, shift=day)
    assert [i.at for i in moved] == [i.at + day for i in plain]
    assert moved[-1].resolved_at == START + day + timedelta(minutes=40)
    assert [u.display_at - day for u in moved[-1].updates] == [
        u.display_at for u in plain[-1].updates
    ]
    assert moved[0].version > plain[-1].version


def test_resuming_within_an_incident(tmp_path: Path) -> None:
    """A cursor may stand between two states of one line."""
    path = write(tmp_path / "incidents", [whole()])
    source = RecordedIncidents("incidents", [path], ManualClock(START))
    items = all_items(source)
    assert all_items(source, items[1].cursor) == items[2:]
