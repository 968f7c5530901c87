"""Everything in one process, as it is left running: starting, stopping, dying, being asked."""

import json
import socket
import time
from pathlib import Path
from typing import Any

from tests.end_to_end.program import lines, post, query, run, up

ACME = """
[[track]]
name = "acme"
terms = ["acme"]
[[track.component]]
name = "Messages"
aliases = ["messages"]

[[source]]
type = "recorded"
paths = ["posts.jsonl"]

[[incidents]]
type = "recorded"
paths = ["incidents.jsonl"]

[warehouse]
snapshot_seconds = 1
"""
INCIDENT = {
    "id": "status:1",
    "title": "Messages do not arrive",
    "status": "investigating",
    "started_at": "2026-03-02T08:55:00Z",
    "components": [{"name": "Messages"}],
    "tracks": ["acme"],
}


def folder(tmp_path: Path, posts: int = 50) -> Path:
    """A folder with settings, an open incident, and posts about it."""
    (tmp_path / "groundswell.toml").write_text(ACME, encoding="utf-8")
    lines(tmp_path / "incidents.jsonl", [INCIDENT])
    texts = (f"my acme messages number {n} do not arrive since this morning" for n in range(posts))
    lines(tmp_path / "posts.jsonl", [post(n, text) for n, text in enumerate(texts)])
    return tmp_path


def rows_in(found: Any) -> int:
    """How many posts the page's API shows."""
    return len(found["posts"])


def test_posts_arrive_on_the_page_linked(tmp_path: Path) -> None:
    """The page answers, fills, and shows the incident with its posts."""
    with up("up", "--port", "0", cwd=folder(tmp_path)) as running:
        running.until("the feed", "/api/feedback", lambda found: rows_in(found) == 50)
        seen = running.until(
            "the linked posts",
            "/api/incidents",
            lambda found: "status:1" in json.dumps(found) and '"mentions": 50' in json.dumps(found),
        )
        assert "Messages do not arrive" in json.dumps(seen)


def test_it_stops_in_time_and_leaves_no_note(tmp_path: Path) -> None:
    """SIGTERM ends everything; the exit code is 0 and nobody believes it still runs."""
    home = folder(tmp_path)
    with up("up", "--port", "0", cwd=home) as running:
        running.until("the feed", "/api/feedback", lambda found: rows_in(found) == 50)
        assert (home / "groundswell.duckdb.run").stat().st_mode & 0o077 == 0
        running.process.terminate()
        assert running.process.wait(30) == 0
    assert not (home / "groundswell.duckdb.run").exists()
    assert "acme messages number" not in running.log.read_text()


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    """The line names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("up", "--port", str(port), cwd=folder(tmp_path), code=1)
    assert str(port) in done.stderr.decode().strip().splitlines()[-1]


def test_a_second_process_is_refused_and_queries_read_the_snapshot(tmp_path: Path) -> None:
    """One process owns the warehouse; the others are told so, or read its snapshot."""
    home = folder(tmp_path)
    with up("up", "--port", "0", cwd=home) as running:
        running.until("the feed", "/api/feedback", lambda found: rows_in(found) == 50)
        again = run("replay", "posts.jsonl", cwd=home, code=1)
        assert "groundswell.duckdb" in again.stderr.decode()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if (home / "groundswell.duckdb.snapshot").exists() and (
                found := query("SELECT count(*) AS n FROM feedback", home / "groundswell.duckdb")
            ) == [{"n": 50}]:
                break
            time.sleep(0.3)
        assert found == [{"n": 50}]
        asked = run("query", "SELECT 1 AS one", cwd=home)
        assert "snapshot" in asked.stderr.decode()


def test_decisions_and_erasure_go_through_the_running_process(tmp_path: Path) -> None:
    """`decide` and `forget` reach the process that owns the files, and both hold afterwards."""
    home = folder(tmp_path)
    with up("up", "--port", "0", cwd=home) as running:
        running.until("the feed", "/api/feedback", lambda found: rows_in(found) == 50)
        run("decide", "relabel", "x:7", "intent=question", "--by", "kim", cwd=home)
        receipt = json.loads(run("forget", "--author", "x:a9", cwd=home).stdout)
        assert receipt["mentions"] == 1
        running.until(
            "the relabel",
            "/api/posts/x:7",
            lambda found: "question" in json.dumps(found),
        )
    found = query(
        "SELECT id, intent, is_removed FROM feedback WHERE id = 'x:7' OR is_removed ORDER BY id",
        home / "groundswell.duckdb",
    )
    assert {"id": "x:7", "intent": "question", "is_removed": False} in found
    assert [row["is_removed"] for row in found].count(True) == 1
    for file in home.glob("groundswell.*"):
        assert b"messages number 9 do" not in file.read_bytes(), file.name


def test_killed_at_any_moment_it_ends_with_the_same_rows(tmp_path: Path) -> None:
    """Kill -9 and restart: every post once, none lost, the same links."""
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    calm, killed = folder(tmp_path / "calm", 2_000), folder(tmp_path / "killed", 2_000)
    everything = (
        "SELECT * EXCLUDE (updated_at, author_key, witness, seen_at) FROM feedback ORDER BY id"
    )
    with up("up", "--port", "0", cwd=calm) as running:
        settled(running, 2_000)
    for moment in (0.2, 1.5, 3.0):
        with up("up", "--port", "0", cwd=killed) as running:
            time.sleep(moment)
            running.kill()
    with up("up", "--port", "0", cwd=killed) as running:
        settled(running, 2_000)
    wanted = query(everything, calm / "groundswell.duckdb")
    assert len(wanted) == 2_000
    assert query(everything, killed / "groundswell.duckdb") == wanted


def settled(running: Any, mentions: int) -> None:
    """Waits until the incident has all its posts."""
    running.until(
        "all links",
        "/api/incidents",
        lambda found: f'"mentions": {mentions}' in json.dumps(found),
        seconds=120,
    )


def test_the_demo_moves(tmp_path: Path) -> None:
    """The quiet hour is there at once and the failure begins to play."""
    with up("demo", "--port", "0", "--keep", str(tmp_path / "demo"), cwd=tmp_path) as running:
        running.until("the quiet hour", "/api/feedback", lambda found: rows_in(found) > 20)
        first = running.until("the status", "/api/status", bool)
        assert "running" in json.dumps(first)
        running.until(
            "a proposed incident",
            "/api/incidents",
            lambda found: "groundswell:fernwick" in json.dumps(found),
            seconds=150,
        )
