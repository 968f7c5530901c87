"""``groundswell relabel``: on files at rest, and behind the back of a running process."""

import json
from pathlib import Path

from tests.end_to_end.program import lines, post, query, run, up
from tests.end_to_end.test_up import folder, rows_in

SETTINGS = '[[track]]\nname = "{}"\nterms = ["acme"]\n'


def test_new_tracks_over_what_is_held(tmp_path: Path) -> None:
    """Posts held without a track are found under a later one; dry runs change nothing."""
    lines(tmp_path / "posts.jsonl", [post(n, f"acme is down for me, {n}") for n in range(5)])
    run("replay", "posts.jsonl", cwd=tmp_path)
    (tmp_path / "groundswell.toml").write_text(SETTINGS.format("acme"), encoding="utf-8")
    tracks = "SELECT track, count(*) AS n FROM mention_tracks GROUP BY track"

    for told, wanted in ((["--dry-run"], []), ([], [{"track": "acme", "n": 5}])):
        done = run("relabel", "--again", *told, "--format", "json", cwd=tmp_path)
        assert {"head": "track", "was": None, "is": "acme", "mentions": 5} in json.loads(
            done.stdout
        )
        assert query(tracks, tmp_path / "groundswell.duckdb") == wanted

    assert json.loads(run("relabel", "--format", "json", cwd=tmp_path).stdout) == []
    run("relabel", "--since", "yesterday-ish", cwd=tmp_path, code=2)


def test_a_running_process_takes_it_from_the_topic(tmp_path: Path) -> None:
    """While `up` owns the warehouse, new labels come by the topic and show on its page."""
    home = folder(tmp_path)
    with up("up", "--port", "0", cwd=home) as running:
        running.until("the feed", "/api/feedback", lambda found: rows_in(found) == 50)
        running.until(
            "a snapshot",
            "/api/health",
            lambda _: (home / "groundswell.duckdb.snapshot").exists(),
        )
        text = (home / "groundswell.toml").read_text(encoding="utf-8")
        more = home / "more.toml"
        more.write_text(text + SETTINGS.format("second"), encoding="utf-8")
        done = run("--config", more, "relabel", "--again", "--format", "json", cwd=home)
        told = json.loads(done.stdout)
        assert {"head": "track", "was": None, "is": "second", "mentions": 50} in told
        running.until(
            "the new track",
            "/api/feedback?track=second",
            lambda found: rows_in(found) == 50,
        )
