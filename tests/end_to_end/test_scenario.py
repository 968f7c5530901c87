"""The demo's scenario through the whole program, held against the truth about every post."""

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from config.demo import generator
from tests.end_to_end.conftest import START
from tests.end_to_end.program import query, run


def truth(folder: Path) -> dict[str, Any]:
    """What each post truly is, by its id."""
    told = map(json.loads, (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines())
    return {one["id"]: one for one in told}


def rows(folder: Path, sql: str) -> list[dict[str, Any]]:
    """The answer of the scenario's warehouse."""
    return query(sql, folder / "groundswell.duckdb")


def test_every_post_is_a_row_and_nothing_is_dead(replayed: Path) -> None:
    """2,000 posts in, 2,000 rows out; what was removed has lost its text."""
    told = truth(replayed)
    found = rows(replayed, "SELECT id, text, is_removed FROM feedback")
    assert {row["id"] for row in found} == set(told)
    assert (replayed / "summary").read_text().count("0 dead letters") == 1
    for row in found:
        assert row["is_removed"] == told[row["id"]]["removed"], row["id"]
        assert (row["text"] is None) == row["is_removed"], row["id"]


def test_the_crowd_is_heard_before_the_official_word(replayed: Path) -> None:
    """One proposed incident, from the failure and before the opening, becomes the official one."""
    (proposal,) = rows(replayed, "SELECT * FROM incidents WHERE is_proposed")
    (official,) = rows(replayed, "SELECT * FROM incidents WHERE NOT is_proposed")
    first_report = generator.generate(START).first_report
    assert datetime.fromisoformat(proposal["started_at"]) >= first_report - timedelta(minutes=5)
    assert proposal["official_id"] == official["incident_id"]
    assert official["lead_seconds"] >= 60
    opened = datetime.fromisoformat(official["opened_at"])
    assert opened == first_report + timedelta(minutes=9)


def test_links_are_right_and_politics_stay_out(replayed: Path) -> None:
    """Linked posts are about the failure (precision .95), and most of its reports are linked."""
    told = truth(replayed)
    linked = rows(replayed, "SELECT id FROM feedback WHERE link_state = 'linked'")
    right = sum(told[row["id"]]["incident"] is not None for row in linked)
    assert right / len(linked) >= 0.95
    about = sum(one["incident"] is not None and not one["removed"] for one in told.values())
    assert right / about >= 0.5
    kinds = Counter(told[row["id"]]["kind"] for row in linked)
    assert kinds["politics"] == 0


def test_witnesses_are_people_not_posts(replayed: Path) -> None:
    """There are fewer witnesses than linked posts, and reposts are none of them."""
    (official,) = rows(replayed, "SELECT witnesses, mentions FROM incidents WHERE NOT is_proposed")
    assert 30 <= official["witnesses"] < official["mentions"]


def test_the_crowd_contradicts_the_early_end(replayed: Path) -> None:
    """After "resolved" many still report it broken, and some that it works: both are told."""
    found = rows(
        replayed,
        "SELECT stance, still_broken, recovered, unnamed_regions FROM crowd WHERE still_broken > 0",
    )
    assert {row["stance"] for row in found} == {"contradicts"}
    assert sum(row["still_broken"] for row in found) >= 10
    assert sum(row["recovered"] for row in found) >= 5
    assert all(row["unnamed_regions"] == [] for row in found)


def test_rumours_are_collected(replayed: Path) -> None:
    """Some say that the company was hacked; the official word does not."""
    found = rows(replayed, "SELECT claim, witnesses FROM rumours ORDER BY witnesses DESC")
    assert found[0]["claim"] == "hacked"
    assert found[0]["witnesses"] >= 5


def test_private_numbers_are_masked(replayed: Path) -> None:
    """Phone numbers and e-mail addresses never reach the warehouse."""
    texts = " ".join(r["text"] for r in rows(replayed, "SELECT text FROM feedback") if r["text"])
    assert "[phone]" in texts
    assert "[email]" in texts
    assert "@example.com" not in texts


def test_the_same_files_again_change_nothing(replayed: Path) -> None:
    """Exactly once in the warehouse, however often it is run."""
    views = {
        "feedback": "SELECT * EXCLUDE (updated_at) FROM feedback ORDER BY id",
        "incident_feedback": "SELECT * FROM incident_feedback ORDER BY id, incident_id",
        "incidents": "SELECT * FROM incidents ORDER BY incident_id",
        "removals": "SELECT * EXCLUDE (done_at) FROM removals ORDER BY id, kind",
        "mention_tracks": "SELECT * FROM mention_tracks ORDER BY id, track",
    }
    before = {name: rows(replayed, sql) for name, sql in views.items()}
    run("replay", "mentions.jsonl", "--incidents", "incidents.jsonl", cwd=replayed)
    for name, sql in views.items():
        assert rows(replayed, sql) == before[name], name
