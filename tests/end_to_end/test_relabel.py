"""``groundswell relabel``: on files at rest, and behind the back of a running process."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.program import PROGRAM, environment, lines, post, query, run, up
from tests.end_to_end.test_up import folder, rows_in

KILLED_AFTER_A_PAGE = """
import os
import signal

from pipeline import relabel

named = relabel.Relabeller.run


def run(self, *given, **more):
    for page in named(self, *given, **more):
        yield page
        os.kill(os.getpid(), signal.SIGKILL)


relabel.Relabeller.run = run
"""
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


@pytest.mark.parametrize("told", [(), ("--dry-run",)])
def test_nothing_is_wiped_without_the_settings(tmp_path: Path, told: tuple[str, ...]) -> None:
    """Components are found by the settings' tracks: without any, those of before would go."""
    part = '[[track.component]]\nname = "Messages"\naliases = ["messages"]\n'
    settings = tmp_path / "groundswell.toml"
    settings.write_text(SETTINGS.format("acme") + part, encoding="utf-8")
    lines(tmp_path / "posts.jsonl", [post(1, "acme is down, messages do not arrive")])
    run("replay", "posts.jsonl", cwd=tmp_path)
    settings.rename(tmp_path / "ours.toml")
    done = run("relabel", "--again", *told, cwd=tmp_path, code=2)
    assert done.stdout == b""
    assert "posts are of acme" in done.stderr.decode()
    assert "--config FILE" in done.stderr.decode()
    assert len(done.stderr.decode().strip().splitlines()) == 1
    component = "SELECT component FROM feedback"
    assert query(component, tmp_path / "groundswell.duckdb") == [{"component": "Messages"}]
    done = run("--config", "ours.toml", "relabel", "--again", *told, cwd=tmp_path)
    assert b"1 mentions" in done.stderr
    assert query(component, tmp_path / "groundswell.duckdb") == [{"component": "Messages"}]


def test_a_run_over_everything_that_was_killed_goes_on(tmp_path: Path) -> None:
    """Under its own name, over the rest alone; with other tracks it begins anew."""
    lines(tmp_path / "posts.jsonl", [post(n, f"acme is down for me, {n}") for n in range(2_500)])
    run("replay", "posts.jsonl", cwd=tmp_path)
    settings = tmp_path / "groundswell.toml"
    settings.write_text(SETTINGS.format("acme"), encoding="utf-8")
    before = sitecustomized(tmp_path)
    killed = subprocess.run(
        [*PROGRAM, "relabel", "--again"], cwd=tmp_path, env=before, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    mark = tmp_path / "groundswell.duckdb.relabel"
    assert mark.exists()
    done = run("relabel", "--again", cwd=tmp_path).stderr.decode()
    assert "which was stopped before its end" in done
    assert "1,500 mentions were named by" in done
    assert not mark.exists()
    count = "SELECT model_version, count(*) AS n FROM feedback GROUP BY 1"
    assert [row["n"] for row in query(count, tmp_path / "groundswell.duckdb")] == [2_500]
    mark.write_text('{"run": "2099#0007", "settings": "of other tracks"}')
    assert "2,500 mentions" in run("relabel", "--again", cwd=tmp_path).stderr.decode()


def sitecustomized(folder: Path) -> dict[str, str]:
    """An environment in which the program is killed after the first page of naming anew."""
    hook = folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(KILLED_AFTER_A_PAGE, encoding="utf-8")
    paths = [str(hook), *filter(None, [os.environ.get("PYTHONPATH")])]
    return environment() | {"PYTHONPATH": os.pathsep.join(paths)}


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
