"""What is made of recorded traffic of Reddit, and what a page of it costs.

    python -m bench.reddit [--pages 200]

Where they are there, all things in the 2,140 recorded answers of Reddit are read: how many are
here, hidden and gone, of which kinds, and how many cannot be read. Pages of 100 invented posts go
through praw from a server in this process, whose share of the time is counted, too.
"""

import argparse
import gzip
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from collectors.reddit.api import Account, RedditApi
from collectors.reddit.checks import children
from collectors.reddit.things import fate, mention
from pipeline.clock import SystemClock
from pipeline.errors import SetAside
from tests.servers import reddit
from tests.servers.platform import served

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RECORDED = DATA / "api_reddit" / "praw_exchanges.jsonl.gz"


def things(value: Any) -> Iterator[dict[str, Any]]:
    """Submissions and comments anywhere in an answer."""
    if isinstance(value, dict):
        if value.get("kind") in {"t1", "t3"} and isinstance(value.get("data"), dict):
            yield value
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from things(inner)


def recorded() -> Iterator[dict[str, Any]]:
    """Those of all recorded answers that are JSON."""
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        for line in lines:
            try:
                answer = orjson.loads(orjson.loads(line)["body"])
            except orjson.JSONDecodeError:
                continue
            yield from things(answer)


def read(given: list[dict[str, Any]]) -> tuple[Counter[str], float]:
    """What became of each and its kind, and things a second of CPU."""
    now, counts, start = datetime.now(UTC), Counter[str](), time.process_time()
    for thing in given:
        try:
            counts[f"{fate(thing)} {mention(thing, now).kind}"] += 1
        except SetAside as reason:
            counts[f"set aside: {reason}"] += 1
    return counts, len(given) / (time.process_time() - start)


def paged(pages: int) -> float:
    """Milliseconds of CPU for a page of 100 posts, server included."""
    now = datetime.now(UTC)
    with served(reddit.Reddit()) as running:
        platform = running
        for number in range(1, 101):
            at = now - timedelta(seconds=number)
            platform.submit(number, at, f"Acme is down post {number}", selftext="for hours " * 20)
        account = Account("acme-app", SecretStr("s3cret"), "linux:groundswell:bench")
        api = RedditApi("bench", SystemClock(), account, running.url, running.url)
        start = time.process_time()
        for _ in range(pages):
            told = api.get("r/acme/new", {"limit": 100}, threading.Event())
            posts = [mention(thing, now) for thing in children("bench", told)]
            assert len(posts) == 100
        return (time.process_time() - start) * 1_000 / pages


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200)
    told = parser.parse_args()
    if RECORDED.exists():
        counts, speed = read(list(recorded()))
        for what, count in counts.most_common():
            print(f"{count:8,}  {what}")
        print(f"{speed:8,.0f}  things/s of CPU as mentions")
    print(f"{paged(told.pages):8.1f}  ms of CPU for a page of 100 through praw")
    return 0


if __name__ == "__main__":
    sys.exit(main())
