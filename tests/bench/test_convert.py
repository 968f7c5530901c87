"""Public data as files that replay reads, on small files of the same columns."""

import csv
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench import convert
from pipeline.decoding import check, read_post
from pipeline.model import Incident, Mention

TELECOM = ["created_at", "operator", "text", "subject", "sentiment"]
OUTAGES = ["tweet_id", "created_at", "text", "hashtags", "location", "query", "pull_event"]


def table(path: Path, columns: list[str], *rows: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def incident(number: int, start: datetime) -> dict[str, Any]:
    """A resolved incident of the status page's form, an hour long."""
    steps = [("Investigating", 0), ("Update", 20), ("Resolved", 60)]
    return {
        "id": str(number),
        "title": "Trouble with parcels",
        "started_at": start.isoformat(),
        "impact": "minor",
        "components": ["Parcels"],
        "updates": [
            {"at": (start + timedelta(minutes=m)).isoformat(), "status": s, "message": "We look."}
            for s, m in steps
        ],
    }


def incidents_file(path: Path, count: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for number in range(count):
            start = datetime(2021, 1 + number, 3, tzinfo=UTC)
            file.write(json.dumps(incident(number, start)) + "\n")
    return path


def test_telecom_rows_become_mentions(tmp_path: Path) -> None:
    """The row's number is the id, the operator the track, RT a repost; authors are unknown."""
    rows = (
        {"created_at": "2019-11-25T02:11:20Z", "operator": "@Acme", "text": "no signal #acme"},
        {"created_at": "2019-11-25T02:12:20Z", "operator": "@Acme", "text": "RT @kim: no signal"},
    )
    path = table(tmp_path / "t.csv.gz", TELECOM, *rows)
    one, two = (check(Mention, line) for line in convert.uk_telecom(path))
    assert (one.id, one.tracks, one.hashtags, one.kind) == ("x:1", ("acme",), ("acme",), "post")
    assert one.witness == "x:1"
    assert (two.id, two.kind, two.witness) == ("x:2", "repost", None)


def test_outage_rows_become_mentions_once(tmp_path: Path) -> None:
    """A post that two queries brought is there once; a row without an id gets its number."""
    row = {
        "tweet_id": "77",
        "created_at": "2019-02-01T00:00:00Z",
        "text": "dark",
        "location": "Leeds",
    }
    path = table(tmp_path / "t.csv.gz", OUTAGES, row, row, row | {"tweet_id": "", "location": ""})
    found = [check(Mention, line) for line in convert.power_outage(path)]
    assert [(word.id, word.place) for word in found] == [("x:77", "Leeds"), ("x:row-3", None)]


def test_each_update_is_a_line_that_knows_no_later_one(tmp_path: Path) -> None:
    """An update without a status of its own keeps the one before; the end is known at the end."""
    path = incidents_file(tmp_path / "i.jsonl.gz", 1)
    found = [check(Incident, line) for line in convert.incidents(path, tracks=["acme"])]
    assert [(word.status, len(word.updates)) for word in found] == [
        ("investigating", 1),
        ("investigating", 2),
        ("resolved", 3),
    ]
    assert [word.resolved_at is None for word in found] == [True, True, False]
    assert found[0].id == "github:0"
    assert found[0].tracks == ("acme",)
    assert found[0].version < found[1].version < found[2].version


def test_incidents_move_to_the_time_of_the_posts(tmp_path: Path) -> None:
    """They begin within the posts' span, in their order, and keep their length."""
    path = incidents_file(tmp_path / "i.jsonl.gz", 3)
    begin = datetime(2026, 3, 2, tzinfo=UTC)
    onto = [begin + timedelta(minutes=minute) for minute in range(30)]
    found = [check(Incident, line) for line in convert.incidents(path, onto)]
    starts = [word.started_at for word in found[::3]]
    assert starts == sorted(starts)
    assert begin <= starts[0] < starts[-1] <= onto[-1]
    assert all(word.at - word.started_at == timedelta(hours=1) for word in found[2::3])


def test_the_command_writes_what_replay_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Posts first, then incidents moved onto them."""
    monkeypatch.setattr(convert, "DATA", tmp_path)
    row = {"created_at": "2019-11-25T02:11:20Z", "operator": "@Acme", "text": "no signal"}
    table(tmp_path / convert.POSTS["uk_telecom"][0], TELECOM, row)
    incidents_file(tmp_path / convert.INCIDENTS, 1)
    posts, known = tmp_path / "posts.jsonl", tmp_path / "incidents.jsonl"
    assert convert.main(["uk_telecom", str(posts)]) == 0
    assert convert.main(["incidents", str(known), "--onto", str(posts)]) == 0
    assert [read_post(line).key for line in posts.read_bytes().splitlines()] == ["x:1"]
    assert len(known.read_bytes().splitlines()) == 3
    assert "3 lines" in capsys.readouterr().out


def test_missing_data_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the data the command says so, writes nothing and is no failure."""
    monkeypatch.setattr(convert, "DATA", tmp_path / "nowhere")
    assert convert.main(["uk_telecom", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == "skipped: ../shared/data is not here\n"
    assert not (tmp_path / "out").exists()
