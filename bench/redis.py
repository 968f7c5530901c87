"""How many posts a second the index of repeats in Redis answers, and what a post takes there.

    python -m bench.redis [--posts 300000]

A tenth of the posts repeat an earlier one. ``GROUNDSWELL_TEST_REDIS`` names a server (which is not
emptied), otherwise one is started on this machine. The memory index runs beside it for comparison.
"""

import argparse
import os
import secrets
import time
from collections.abc import Iterator

import numpy as np
import redis

from pipeline.indexes.memory import BANDS, PHRASES, MemoryRepeatIndex
from pipeline.indexes.redis import RedisRepeatIndex
from pipeline.ports import Fingerprints, RepeatIndex
from tests.servers.redis import RedisServer

START_MS = 1_700_000_000_000
ALPHABET = b"abcdefghijklmnopqrstuvwxyz    "
POSTS_PER_SECOND = 5.0  # of the stream: 300,000 posts are 17 hours


def batches(posts: int, size: int) -> Iterator[Fingerprints]:
    """Posts with nothing in common, but for a tenth that tell an earlier one again."""
    rng = np.random.default_rng(7)
    exact = rng.integers(1, 2**64 - 1, (posts, 2), np.uint64)
    bands = rng.integers(1, 2**64 - 1, (posts, BANDS), np.uint64)
    phrases = rng.integers(1, 2**64 - 1, (posts, PHRASES), np.uint64)
    letters = rng.choice(np.frombuffer(ALPHABET, np.uint8), (posts, 90))
    again = np.flatnonzero(rng.random(posts) < 0.1)[1:]
    first = (again * rng.random(again.size)).astype(np.int64)
    for column in (exact, bands, phrases, letters):
        column[again] = column[first]
    at = START_MS + (np.arange(posts) * 1000 / POSTS_PER_SECOND).astype(np.int64)
    authors = rng.integers(1, posts // 3, posts).astype(np.uint64)
    for begin in range(0, posts, size):
        part = slice(begin, min(begin + size, posts))
        yield Fingerprints(
            ids=[f"bluesky:3l{number:011}" for number in range(part.start, part.stop)],
            exact=exact[part],
            bands=bands[part],
            phrases=phrases[part],
            letters=[text.tobytes() for text in letters[part]],
            at=at[part],
            author=authors[part],
        )


def rate(index: RepeatIndex, posts: int, size: int) -> tuple[float, float, int]:
    """Posts a second over all, the slowest batch in seconds, and how many had an owner."""
    spent = slowest = 0.0
    owned = 0
    for batch in batches(posts, size):
        started = time.perf_counter()
        answers = index.claim(batch)
        took = time.perf_counter() - started
        spent, slowest = spent + took, max(slowest, took)
        owned += sum(answer.owner is not None for answer in answers)
    return posts / spent, slowest, owned


def run(url: str, posts: int) -> None:
    """Prints the table."""
    client = redis.Redis.from_url(url)
    print(
        f"{'index':<8} {'batch':>6} {'posts':>9} {'posts/s':>9} {'worst s':>8} {'bytes/post':>11}"
    )
    for count, size in ((20_000, 100), (20_000, 500), (20_000, 2_000), (posts, 500)):
        before = client.info("memory")["used_memory"]
        index = RedisRepeatIndex(url, prefix=f"bench-{secrets.token_hex(4)}")
        found = rate(index, count, size)
        held = client.info("memory")["used_memory"] - before
        index.close()
        told = f"{found[0]:>9,.0f} {found[1]:>8.2f}"
        print(f"{'redis':<8} {size:>6,} {count:>9,} {told} {held / count:>11,.0f}")
        other = rate(MemoryRepeatIndex(), count, size)
        print(f"{'memory':<8} {size:>6,} {count:>9,} {other[0]:>9,.0f} {other[1]:>8.2f}")
        assert other[2] == found[2], "the two must answer the same"
    client.close()


def main() -> None:
    """Runs all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--posts", type=int, default=300_000)
    posts = parser.parse_args().posts
    if named := os.environ.get("GROUNDSWELL_TEST_REDIS"):
        run(named, posts)
        return
    server = RedisServer()
    server.start()
    try:
        run(server.url, posts)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
