"""The index in Redis: the contract, the answers of the memory index, and what a server can do."""

import random
import secrets
from collections.abc import Iterator

import numpy as np
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import Emptied, GiveUp, TryLater
from pipeline.indexes.memory import MemoryRepeatIndex
from pipeline.indexes.redis import RedisRepeatIndex
from pipeline.ports import Claim, Fingerprints, RepeatIndex
from tests.contracts.repeat_index import (
    HOUR,
    MakeIndex,
    Post,
    RepeatIndexContract,
    claim,
    fingerprints,
    posts_of_few_texts,
)
from tests.servers.redis import PASSWORD, RedisServer


@pytest.fixture
def make_index(redis_url: str) -> Iterator[MakeIndex]:
    """Makes indexes of their own; what they kept is removed in the end."""
    start = f"test-{secrets.token_hex(6)}"
    made: list[RedisRepeatIndex] = []

    def make() -> RepeatIndex:
        made.append(RedisRepeatIndex(redis_url, prefix=f"{start}-{len(made)}"))
        return made[-1]

    yield make
    for index in made:
        index.close()
    client = redis.Redis.from_url(redis_url)
    for key in client.scan_iter(match=f"*{start}*", count=1_000):
        client.unlink(key)
    client.close()


class TestRedisRepeatIndex(RepeatIndexContract):
    """The suite on a real server; ``make_index`` is the module's."""


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(posts=posts_of_few_texts, cuts=st.lists(st.integers(1, 24), min_size=1))
def test_it_answers_as_the_memory_index(
    make_index: MakeIndex, posts: list[Post], cuts: list[int]
) -> None:
    """The same stream, in whatever batches, gets the same answers."""
    memory, shared = MemoryRepeatIndex(), make_index()
    turn = 0
    while posts:
        size = cuts[turn % len(cuts)]
        assert claim(shared, *posts[:size]) == claim(memory, *posts[:size])
        posts, turn = posts[size:], turn + 1


def test_three_weeks_are_answered_as_by_the_memory_index(make_index: MakeIndex) -> None:
    """Far longer than claims live, with posts that come up to four days late."""
    pick = random.Random(5)
    memory, shared = MemoryRepeatIndex(), make_index()
    posts = [
        Post(
            id=f"x:{pick.randrange(2_500)}",
            text=pick.randrange(300),
            changed=pick.choice((0, 0, 3, 8, 12)),
            exact=(pick.choice((0, 0, pick.randrange(400))), pick.randrange(900)),
            hour=number * 500 / 3_000 - pick.choice((0, 0, 0, pick.random() * 96)),
            author=pick.randrange(40),
        )
        for number in range(3_000)
    ]
    for first in range(0, len(posts), 100):
        part = posts[first : first + 100]
        assert claim(shared, *part) == claim(memory, *part)


def strangers(count: int, first: int, hour: float) -> Fingerprints:
    """Posts of which no two have anything in common."""
    rng = np.random.default_rng(first + 1)
    return Fingerprints(
        ids=[f"x:{number:018}" for number in range(first, first + count)],
        exact=rng.integers(1, 2**64 - 1, (count, 2), np.uint64),
        bands=rng.integers(1, 2**64 - 1, (count, 8), np.uint64),
        phrases=rng.integers(1, 2**64 - 1, (count, 8), np.uint64),
        letters=[text.tobytes() for text in rng.integers(97, 123, (count, 90), np.uint8)],
        at=np.full(count, 1_700_000_000_000 + round(hour * HOUR), np.int64),
        author=rng.integers(1, 2**64 - 1, count, np.uint64),
    )


def test_what_is_past_is_given_back(redis_url: str) -> None:
    """A stream of weeks needs no more keys in the server than its last days."""
    prefix = f"test-{secrets.token_hex(6)}"
    index, client = RedisRepeatIndex(redis_url, prefix=prefix), redis.Redis.from_url(redis_url)

    def keys() -> list[bytes]:
        return list(client.scan_iter(match=f"*{prefix}*", count=1_000))

    counts = []
    for day in range(60):
        for turn in range(10):  # each call gives back a little
            index.claim(strangers(10, first=day * 100 + turn * 10, hour=day * 24 + turn))
        counts.append(len(keys()))
    assert max(counts[20:]) < max(counts[:20]) * 1.2
    client.unlink(*keys())
    client.close()
    index.close()


def test_a_post_needs_less_than_700_bytes(redis_url: str) -> None:
    """Measured by the server on 60,000 posts, which share their hashes less than more would."""
    prefix = f"test-{secrets.token_hex(6)}"
    index, client = RedisRepeatIndex(redis_url, prefix=prefix), redis.Redis.from_url(redis_url)
    before = client.info("memory")["used_memory"]
    for number in range(30):
        index.claim(strangers(2_000, first=number * 2_000, hour=0))
    held = client.info("memory")["used_memory"] - before
    client.unlink(*client.scan_iter(match=f"*{prefix}*", count=10_000))
    client.close()
    index.close()
    assert held / 60_000 < 700


def test_workers_share_one_index(make_index: MakeIndex, redis_url: str) -> None:
    """What one worker claimed, another finds."""
    one = make_index()
    assert isinstance(one, RedisRepeatIndex)
    other = RedisRepeatIndex(redis_url, prefix=one.prefix)
    claim(one, Post("x:1", text=1))
    (answer,) = claim(other, Post("x:2", text=1))
    other.close()
    assert answer == Claim("x:1", "x:1", False, 1.0, False)


# ---- a server of our own ------------------------------------------------------------------------


def test_emptied_while_running(redis_server: RedisServer) -> None:
    """Claims are made anew, also when the server forgot the script and only part of the keys."""
    index = RedisRepeatIndex(redis_server.url, prefix="emptied")
    client = redis.Redis.from_url(redis_server.url)
    first, again = Post("x:1", exact=(0, 4)), Post("x:2", exact=(0, 4))
    claim(index, first)
    client.flushall()
    client.script_flush()
    assert claim(index, again, first)[1].group == "x:2"
    client.delete("{emptied}:state")
    assert claim(index, first, again)[1].group == "x:1"
    for key in client.scan_iter(match="{emptied}:*:r0"):
        client.delete(key)
    assert claim(index, again)[0].group == "x:2"
    client.close()
    index.close()


def test_server_away_and_back(redis_server: RedisServer) -> None:
    """While it is away every claim is TryLater; back again, empty, the same index goes on."""
    server = start_server()
    index = RedisRepeatIndex(server.url)
    claim(index, Post("x:1", text=1))
    server.kill()
    for _ in range(2):
        with pytest.raises(TryLater):
            claim(index, Post("x:2", text=1))
    server.start()
    assert claim(index, Post("x:2", text=1))[0].group == "x:2"
    index.close()
    server.stop()


@pytest.mark.parametrize("restarted", [True, False])
def test_lost_claims_are_restored_first(redis_server: RedisServer, restarted: bool) -> None:
    """An emptied server answers nobody until one who was told so has restored and claims again."""
    server = start_server()
    one, two = (RedisRepeatIndex(server.url, guarded=True) for _ in range(2))
    for index in (one, two):
        with pytest.raises(Emptied):
            claim(index, Post("x:1", text=1))
    assert claim(one, Post("x:1", text=1))[0].group == "x:1"
    assert claim(two, Post("x:2", text=1))[0].group == "x:1"
    if restarted:
        server.kill()
        server.start()
    else:
        client = redis.Redis.from_url(server.url)
        client.flushall()
        client.close()
    with pytest.raises(Emptied):
        claim(two, Post("x:3", text=1))
    two.restore(fingerprints([Post("x:1", text=1)]), ["x:1"])
    with pytest.raises(Emptied):
        claim(one, Post("x:4", text=1))  # it was not told yet, and may not vouch for two
    assert claim(two, Post("x:3", text=1))[0].group == "x:1"
    assert claim(one, Post("x:4", text=1))[0].group == "x:1"
    for index in (one, two):
        index.close()
    server.stop()


def test_a_loss_while_restoring_is_noticed(redis_server: RedisServer) -> None:
    """Who was told of one loss and restored has to do so again after the next."""
    server = start_server()
    index = RedisRepeatIndex(server.url, guarded=True)
    client = redis.Redis.from_url(server.url)
    with pytest.raises(Emptied):
        claim(index, Post("x:1", text=1))
    client.flushall()
    with pytest.raises(Emptied):
        claim(index, Post("x:1", text=1))
    assert claim(index, Post("x:1", text=1))[0].group == "x:1"
    client.close()
    index.close()
    server.stop()


def test_full_server(redis_server: RedisServer) -> None:
    """A server that may take no more says so: TryLater, and it goes on once there is room."""
    server = start_server()
    client = redis.Redis.from_url(server.url)
    index = RedisRepeatIndex(server.url)
    claim(index, Post("x:1", text=1))
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "100kb")
    with pytest.raises(TryLater, match="full"):
        claim(index, Post("x:2", text=1))
    client.config_set("maxmemory", "0")
    assert claim(index, Post("x:2", text=1))[0].group == "x:1"
    client.close()
    index.close()
    server.stop()


def test_login_refused(redis_server: RedisServer) -> None:
    """A wrong or missing password is told in one line that names the setting, not the password."""
    for url in (
        redis_server.url.replace(PASSWORD, "wrong-pass"),
        redis_server.url.replace(f":{PASSWORD}@", ""),
    ):
        index = RedisRepeatIndex(url, setting="GROUNDSWELL_INDEX")
        with pytest.raises(GiveUp, match="login in GROUNDSWELL_INDEX") as refused:
            claim(index, Post("x:1"))
        assert "wrong-pass" not in str(refused.value)
        index.close()


@pytest.mark.parametrize("url", ["", "nonsense", "http://127.0.0.1", "redis://h:port/0"])
def test_no_address(url: str) -> None:
    """What is no address is refused at once."""
    with pytest.raises(GiveUp, match="no address"):
        RedisRepeatIndex(url)


def test_nobody_there() -> None:
    """An address where nobody listens is TryLater: the server may still come."""
    index = RedisRepeatIndex("redis://127.0.0.1:1/0")
    with pytest.raises(TryLater):
        index.claim(fingerprints([Post("x:1")]))
    index.close()


def start_server() -> RedisServer:
    """A server that a test may do anything to; the session's has shown that there is one."""
    server = RedisServer()
    server.start()
    return server
