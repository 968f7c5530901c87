"""`up --watch NAME --status URL`: live sources without an account, over servers on loopback."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.program import Running, query, up
from tests.servers.jetstream import Jetstream, changed, commit, deleted, jetstream
from tests.servers.statuspage import Page, incident, status_page


@pytest.fixture
def bluesky() -> Iterator[Jetstream]:
    with jetstream() as server:
        yield server


@pytest.fixture
def page() -> Iterator[Page]:
    with status_page() as server:
        yield server


def folder(tmp_path: Path, bluesky: str) -> Path:
    """A folder whose settings only say where Bluesky is."""
    settings = f'[[source]]\ntype = "bluesky"\nname = "bluesky"\nurl = "{bluesky}"\n'
    (tmp_path / "groundswell.toml").write_text(settings, encoding="utf-8")
    return tmp_path


def now_us() -> int:
    return time.time_ns() // 1_000


def stamp(seconds_ago: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


def texts(running: Running, what: str, seen: Callable[[list[str]], bool]) -> None:
    """Waits for the texts on the page."""
    running.until(
        what, "/api/feedback", lambda found: seen([post["text"] for post in found["posts"]])
    )


def test_a_post_is_linked_edited_deleted(tmp_path: Path, bluesky: Jetstream, page: Page) -> None:
    """From the stream to the page and the warehouse, and out of it again; restarts lose nothing."""
    part = [{"id": "c1", "name": "Messages"}]
    opened = ("investigating", stamp(600))
    page.show(incident("i1", opened, name="Messages do not arrive", components=part))
    home = folder(tmp_path, bluesky.url)
    arguments = ("up", "--port", "0", "--watch", "acme", "--status", page.url)
    first = commit(1, now_us(), "my acme messages do not arrive since this morning")
    other = commit(2, now_us(), "a fine day for a walk")
    bluesky.push(first, other)
    with up(*arguments, cwd=home) as running:
        texts(running, "the post", lambda seen: seen == [first["commit"]["record"]["text"]])
        running.until(
            "the link",
            "/api/incidents",
            lambda found: '"mentions": 1' in json.dumps(found) and "page1:i1" in json.dumps(found),
        )
        bluesky.push(changed(first, now_us(), "acme messages do not arrive, still"))
        texts(running, "the edit", lambda seen: seen == ["acme messages do not arrive, still"])
    bluesky.push(commit(3, now_us(), "acme lost my message"), deleted(first, now_us()))
    with up(*arguments, cwd=home) as running:
        texts(running, "what came meanwhile", lambda seen: seen == ["acme lost my message"])
    sql = "SELECT is_removed, text FROM feedback ORDER BY id"
    rows = query(sql, home / "groundswell.duckdb")
    assert [row["is_removed"] for row in rows] == [True, False]
    assert "arrive" not in json.dumps(rows)
    covered = query("SELECT source, is_gap FROM coverage", home / "groundswell.duckdb")
    assert {row["source"] for row in covered} >= {"bluesky"}
    assert not any(row["is_gap"] for row in covered)


def test_what_cannot_be_reached_is_said_and_tried_again(tmp_path: Path, bluesky: Jetstream) -> None:
    """In one line of the log and on the page; what comes back is heard, and the notice goes."""
    with status_page() as gone:
        address = gone.url
    home = folder(tmp_path, bluesky.url)

    def told(found: Any) -> bool:
        return "cannot reach 127.0.0.1" in found.get("notice", "")

    with up("up", "--port", "0", "--watch", "acme", "--status", address, cwd=home) as running:
        bluesky.push(commit(1, now_us(), "acme is down"))
        status = running.until("the notice", "/api/status", told)
        states = {source["name"]: source["state"] for source in status["sources"]}
        assert states["bluesky"] == "listening"
        assert states[f"statuspage-{address.removeprefix('http://')}"] == "waiting"
        texts(running, "the post", lambda seen: seen == ["acme is down"])
    log = (home / "up.log").read_text()
    assert "cannot reach 127.0.0.1" in log
    assert "Traceback" not in log
