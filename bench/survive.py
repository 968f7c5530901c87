"""Kill -9 and restart at random moments, and what is left: the same rows as without.

    python -m bench.survive [--kills 10] [--posts 20000]

Runs ``up`` on a recorded source and ``replay`` on the same files, once undisturbed and once killed
``--kills`` times, and compares every stable view, but for what a run is free to choose: when a row
was written and seen, and the keys by which authors are hidden.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import synthetic
from bench.program import PROGRAM, environment, run, up

#: The stable views, and what of each may differ between two runs.
VIEWS = {
    "feedback": "EXCLUDE (updated_at, seen_at, author_key, witness)",
    "mention_tracks": "",
    "incident_feedback": "EXCLUDE (decided_at)",
    "incidents": "EXCLUDE (updated_at)",
    "mentions_hourly": "",
    "removals": "",
}
SETTINGS = """
[[source]]
type = "recorded"
paths = ["posts.jsonl"]
[[incidents]]
type = "recorded"
paths = ["incidents.jsonl"]
[warehouse]
snapshot_seconds = 3600
"""
#: Longest undisturbed run, in seconds.
PATIENCE = 600.0
# Links of an incident are compared once more some seconds after it changed: only then is it over.
STEADY = 12.0


def prepare(folder: Path, posts: int) -> Path:
    """A folder with settings, posts and incidents."""
    folder.mkdir()
    (folder / "groundswell.toml").write_text(SETTINGS, encoding="utf-8")
    synthetic.write(synthetic.mentions(posts, per_minute=60), folder / "posts.jsonl")
    opened = synthetic.incidents(max(1, posts // 2_500), minutes=posts / 60)
    synthetic.write(opened, folder / "incidents.jsonl")
    return folder


def rows(folder: Path) -> dict[str, list[str]]:
    """What the stable views of the warehouse in ``folder`` say, each row as text."""
    found = {}
    for view, but in VIEWS.items():
        told = subprocess.run(
            [*PROGRAM, "query", f"SELECT * {but} FROM {view}", "--format", "json"],
            cwd=folder,
            capture_output=True,
            check=True,
            env=environment(),
        )
        found[view] = sorted(json.dumps(row, sort_keys=True) for row in json.loads(told.stdout))
    return found


def differences(calm: Path, killed: Path) -> dict[str, int]:
    """For each view how many rows stand in one warehouse only; nothing when they are equal."""
    one, other = rows(calm), rows(killed)
    apart = {view: len(set(one[view]) ^ set(other[view])) for view in VIEWS}
    uneven = {view: abs(len(one[view]) - len(other[view])) for view in VIEWS}
    return {view: max(apart[view], uneven[view]) for view in VIEWS if apart[view] or uneven[view]}


def replay_killed(folder: Path, moments: Sequence[float]) -> None:
    """Starts a replay, kills it after each of the moments (seconds), and runs it to its end."""
    command = ["replay", "posts.jsonl", "--incidents", "incidents.jsonl"]
    for moment in moments:
        process = subprocess.Popen(
            [*PROGRAM, *command],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        time.sleep(moment)
        process.kill()
        process.wait()
    run(*command, cwd=folder)


def up_killed(folder: Path, moments: Sequence[float]) -> None:
    """Lets ``up`` read its recorded source, kills it at each moment, then lets it finish."""
    for moment in moments:
        with up(cwd=folder) as running:
            time.sleep(moment)
            running.kill()
    with up(cwd=folder) as running:
        deadline = time.monotonic() + PATIENCE
        before, since = written(folder), time.monotonic()
        while time.monotonic() - since < STEADY or not ended(running.get("/api/status")):
            if time.monotonic() > deadline:
                raise TimeoutError("the recorded posts did not come to their end")
            time.sleep(0.5)
            if (now := written(folder)) != before:
                before, since = now, time.monotonic()


def written(folder: Path) -> list[tuple[str, int]]:
    """When the warehouse was written last."""
    files = (folder / "groundswell.duckdb", folder / "groundswell.duckdb.wal")
    return [(file.name, file.stat().st_mtime_ns) for file in files if file.exists()]


def ended(answer: bytes | None) -> bool:
    """Whether the process says that all its sources have come to their end."""
    sources = [] if answer is None else json.loads(answer).get("sources", [])
    return bool(sources) and all(source["state"] == "ended" for source in sources)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.survive", description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    chance = random.Random(options.seed)
    worst = 0
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as scratch:
        for what in ("replay", "up"):
            calm = prepare(Path(scratch) / f"{what}-calm", options.posts)
            killed = prepare(Path(scratch) / f"{what}-killed", options.posts)
            moments = [round(chance.uniform(0.5, 12), 1) for _ in range(options.kills)]
            if what == "replay":
                replay_killed(calm, [])
                replay_killed(killed, moments)
            else:
                up_killed(calm, [])
                up_killed(killed, moments)
            apart = differences(calm, killed)
            worst = max(worst, *apart.values(), 0)
            print(f"{what}: killed after {moments} s: {apart or 'the same rows'}", flush=True)
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
