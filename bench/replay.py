"""Posts a second through everything, memory, and where the time goes.

    python -m bench.replay [--posts 10000 50000 500000] [--posts-an-incident 2500]

Runs ``groundswell replay --speed max`` and ``groundswell enrich`` as processes of their own on
synthetic posts. ``bare`` is a loop that only reads each line, decodes and encodes it, in the same
run, so that machines can be compared; ``times bare`` is how many such loops a post costs.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from bench import synthetic
from bench.program import Done, columns, run

WIDTHS = (10, 9, 11, 10, 10, 12, 12)
#: Posts come at ten a second; a larger file is a longer stream.
PER_MINUTE = 600.0


def bare(path: Path) -> float:
    """Lines a second of a loop that does nothing but read, decode and encode."""
    count, start = 0, time.perf_counter()
    with path.open("rb") as lines:
        for line in lines:
            orjson.dumps(orjson.loads(line))
            count += 1
    return count / (time.perf_counter() - start)


def measure(count: int, opened: int, folder: Path) -> None:
    """Replays and enriches ``count`` posts and prints a row for each."""
    posts = synthetic.write(
        synthetic.mentions(count, per_minute=PER_MINUTE), folder / f"posts-{count}.jsonl"
    )
    known = synthetic.write(
        synthetic.incidents(opened, minutes=count / PER_MINUTE), folder / f"incidents-{count}.jsonl"
    )
    plain = bare(posts)
    warehouse = folder / f"{count}.duckdb"
    told = run("replay", posts, "--incidents", known, "--warehouse", warehouse, cwd=folder)
    row("replay", count, told, plain)
    print(f"{'':>10}{stages(told.talk)}")
    row("enrich", count, run("enrich", "--incidents", known, cwd=folder, given=posts), plain)
    posts.unlink()


def row(what: str, count: int, told: Done, plain: float) -> None:
    """Prints one line of the table."""
    rate = count / told.seconds
    said = re.search(r"([\d,]+) posts/s", told.out)
    inside = said[1] if said else "–"
    print(
        columns(
            WIDTHS,
            what,
            f"{count:,}",
            f"{rate:,.0f}",
            inside,
            f"{told.peak_mb:,.0f} MB",
            f"{plain:,.0f}",
            f"{plain / rate:,.0f}",
        )
    )


def stages(talk: str) -> str:
    """The line that says which stage took how much."""
    found = re.search(r"^stages: .*$", talk, re.MULTILINE)
    return found[0] if found else "stages: not told"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__)
    parser.add_argument("--posts", type=int, nargs="+", default=[10_000, 50_000, 500_000])
    parser.add_argument("--posts-an-incident", type=int, default=2_500, metavar="N")
    options = parser.parse_args(arguments)
    print(
        columns(WIDTHS, "", "posts", "posts/s", "w/o start", "peak", "bare/s", "times bare"),
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as folder:
        for count in options.posts:
            measure(count, max(1, count // options.posts_an_incident), Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
