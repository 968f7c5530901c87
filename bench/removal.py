"""How soon a text is hidden after its platform told of the delete, in ``up`` (goal: under 5 s).

    python -m bench.removal [--times 30]

A local Jetstream tells of a post of ours, then of its delete; the page's API is asked every 20 ms
until the text is gone. Prints seconds from the delete's sending: median, 90th percentile, longest.
"""

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.end_to_end.program import Running, up
from tests.servers.jetstream import commit, deleted, jetstream

PAUSE = 0.02
LONGEST = 60.0


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=30)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as scratch, jetstream() as bluesky:
        settings = f'[[source]]\ntype = "bluesky"\nurl = "{bluesky.url}"\n'
        (Path(scratch) / "groundswell.toml").write_text(settings, encoding="utf-8")
        with up("up", "--port", "0", "--watch", "acme", cwd=Path(scratch)) as running:
            took = []
            for number in range(times):
                text = f"acme is down, number {number}"
                post = commit(number, time.time_ns() // 1_000, text)
                bluesky.push(post)
                _wait(running, text, shown=True)
                began = time.perf_counter()
                bluesky.push(deleted(post, time.time_ns() // 1_000))
                _wait(running, text, shown=False)
                took.append(time.perf_counter() - began)
    median, most = statistics.median(took), max(took)
    tenth = statistics.quantiles(took, n=10)[-1]
    print(f"{times} deletes: hidden after {median:.2f} s, p90 {tenth:.2f} s, at most {most:.2f} s")
    return 0


def _wait(running: Running, text: str, *, shown: bool) -> None:
    """Asks until the text is shown, or no longer."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        with suppress(OSError):  # it has just begun
            posts = running.get("/api/feedback")["posts"]
            if shown == (text in {post["text"] for post in posts}):
                return
        time.sleep(PAUSE)
    sys.exit(f"nothing changed within {LONGEST:g} s")


if __name__ == "__main__":
    sys.exit(main())
