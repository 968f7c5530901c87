"""What X's recorded answers become, and what a line of its stream costs from the wire to a mention.

    python -m bench.x

The recorded exchanges are those of a client library's own tests; every post in an answer of version
2 must become a mention. Lines of the stream come through the real client library from a server of
this process, so the time, which is CPU time of the process, has the server's share in it, too.
"""

import gzip
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from collectors.x.posts import entries
from collectors.x.source import X
from pipeline.clock import ManualClock
from pipeline.model import Mention
from pipeline.tracks import Track
from tests.contracts.listening import Listener
from tests.servers import x
from tests.servers.platform import served

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "api_x_tweepy"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LINES = 5_000
ACME = Track(name="acme", terms=("acme",))


def recorded() -> bool:
    """Prints what became of the posts; whether all are mentions."""
    found: Counter[str] = Counter()
    with gzip.open(DATA / "exchanges.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            exchange = json.loads(line)
            if exchange["method"] != "GET" or "/2/" not in exchange["uri"]:
                continue
            told = json.loads(exchange["body"] or "{}")
            posts = told.get("data") or []
            posts = posts if isinstance(posts, list) else [posts]
            if not posts or "edit_history_tweet_ids" not in posts[0]:
                continue
            found["answers"] += 1
            found.update(type(entry.value).__name__ for entry in entries(told, START))
    print(f"recorded: {found['answers']} answers, {found['Mention']} mentions, ", end="")
    print(f"{found['Unreadable']} unreadable")
    return found["Mention"] > 0 and not found["Unreadable"]


def streamed() -> None:
    """Prints CPU time a line, parsed alone and through the whole source."""
    clock = ManualClock(START)
    os.environ["BENCH_X"] = "a-token"
    with served(x.X(clock)) as running:
        platform = running
        source = X(
            "x",
            clock,
            token_from="BENCH_X",
            url=platform.url,
            tracks=[ACME],
            most_a_day=1e9,
            most_a_month=1e9,
        )
        listener = Listener(source)
        listener.until(lambda _: bool(platform.streams), clock)
        posts = [platform.post(n, START, f"Acme is down post {n}") for n in range(LINES)]
        began = time.process_time()
        for post in posts:
            platform.push(post)
        while sum(isinstance(value, Mention) for value in listener.came) < LINES:
            listener.until(_once(), clock)
        whole = (time.process_time() - began) / LINES
        began = time.process_time()
        told = {"data": posts, "includes": {"users": list(platform.users.values())}}
        read = sum(isinstance(entry.value, Mention) for entry in entries(told, START))
        alone = (time.process_time() - began) / read
        listener.stop.set()
        listener.kill()
    print(f"a line of the stream: {whole * 1e6:.0f} µs of CPU, server and all; ", end="")
    print(f"{alone * 1e6:.0f} µs from JSON to mention")


def _once() -> Callable[[Listener], bool]:
    """After two hundred items."""
    left = iter(range(200))
    return lambda _: next(left, None) is None


def main() -> int:
    """0 if every recorded post is a mention."""
    if not DATA.is_dir():
        print("skipped: ../shared/data is not here")
        return 0
    is_fine = recorded()
    streamed()
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main())
