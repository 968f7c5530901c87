"""How many of Bluesky's events a second are read and matched on one core.

    python -m bench.bluesky [--events 40000] [--served]

Events are made up in the platform's shape and a likely mixture: posts, deletes, accounts and names,
one post in fifty about one of 50 tracks with 20 terms each. The frames are handed to the collector
from memory, beside a loop that only decodes their JSON. With ``--served`` they also come from a
server on this machine, which takes part of the time itself (a thread of the same process). The
public stream has some hundred events a second, at most about 2,000.

Where they are there, the 152 events that were recorded from the real service are read too, over
a connection: all posts and the end of one must come, and nothing must be unreadable. The same
events were recorded as the firehose had them: what stands in for Jetstream where a PDS is tested
(``tests.servers.pds.bridge``) must make the same of them as Jetstream did.
"""

import argparse
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from atproto_subscription import Frame

from collectors.bluesky.jetstream import Bluesky
from collectors.bluesky.position import Ledger, Position
from collectors.kit.causes import STOPPED
from collectors.kit.times import to_us
from pipeline.clock import ManualClock, SystemClock
from pipeline.model import Mention
from pipeline.ports import Item
from pipeline.tracks import Track
from tests.servers.jetstream import jetstream
from tests.servers.pds.bridge import told

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RECORDED = DATA / "api_bluesky_jetstream" / "expected_v1.jsonl"
#: Frames as they came from the firehose, each after its length in four bytes.
FIREHOSE = RECORDED.with_name("frames.bin.zst")
WANTED = 2_000
SYLLABLES = ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "dar", "fen", "gol", "hil")
TRACKS, TERMS = 50, 20


def word(chance: random.Random) -> str:
    """A word of no language."""
    return "".join(chance.choices(SYLLABLES, k=chance.randint(2, 4)))


def tracks(chance: random.Random) -> list[Track]:
    """50 invented names with 20 terms each, of one and two words."""
    return [
        Track(
            name=f"track{number}",
            terms=tuple(f"{word(chance)}x {word(chance)}"[: 8 + n] for n in range(TERMS)),
            handles=(f"track{number}.example",),
            hashtags=(f"track{number}down",),
            exclude=(f"{word(chance)}q",),
        )
        for number in range(TRACKS)
    ]


def frames(chance: random.Random, known: Sequence[Track], count: int) -> Iterator[bytes]:
    """Events a millisecond apart, ending now."""
    start = to_us(datetime.now(UTC)) - count * 1_000
    for number in range(count):
        did = f"did:plc:{chance.getrandbits(96):024x}"
        event: dict[str, object] = {"did": did, "time_us": start + number * 1_000}
        kind = chance.random()
        if kind < 0.02:
            told = {"active": True, "did": did, "seq": number, "time": "2026-03-02T09:00:00Z"}
            event |= {"kind": "account", "account": told}
        elif kind < 0.04:
            event |= {"kind": "identity", "identity": {"did": did, "handle": f"{word(chance)}.x"}}
        elif kind < 0.12:
            gone = {"operation": "delete", "collection": "app.bsky.feed.post", "rkey": f"3{number}"}
            event |= {"kind": "commit", "commit": {"rev": "3a"} | gone}
        else:
            event |= {"kind": "commit", "commit": _commit(chance, known, number)}
        yield orjson.dumps(event)


def _commit(chance: random.Random, known: Sequence[Track], number: int) -> dict[str, object]:
    words = [word(chance) for _ in range(chance.randint(3, 40))]
    if chance.random() < 0.02:
        words.insert(0, chance.choice(chance.choice(known).terms))
    text = " ".join(words)
    record: dict[str, object] = {
        "$type": "app.bsky.feed.post",
        "createdAt": "2026-03-02T09:00:00.000Z",
        "langs": ["en"],
        "text": text,
    }
    if chance.random() < 0.4:
        link = {"$type": "app.bsky.richtext.facet#link", "uri": f"https://{words[0]}.example/a/b"}
        record["facets"] = [{"index": {"byteStart": 0, "byteEnd": 6}, "features": [link]}]
    if chance.random() < 0.4:
        parent = {"cid": "bafy" + "a" * 55, "uri": f"at://did:plc:x/app.bsky.feed.post/3{number}"}
        record["reply"] = {"parent": parent, "root": parent}
    made = {"rev": "3a", "operation": "create", "collection": "app.bsky.feed.post"}
    return made | {"rkey": f"3{number}", "record": record, "cid": "bafy" + "b" * 55}


def decoded(given: Sequence[bytes]) -> float:
    """Events a second of a loop that only decodes."""
    start = time.process_time()
    for frame in given:
        orjson.loads(frame)
    return len(given) / (time.process_time() - start)


def matched(source: Bluesky, given: Sequence[bytes]) -> tuple[float, int]:
    """Events a second of the collector alone, and how many posts matched."""
    ledger = Ledger("bench", Position(to_us(datetime.now(UTC))), STOPPED)
    start = time.process_time()
    posts = sum(_posts(source.read(frame, ledger)) for frame in given)
    return len(given) / (time.process_time() - start), posts


def _posts(items: Iterator[Item]) -> int:
    return sum(isinstance(item.value, Mention) for item in items)


def served(known: Sequence[Track], given: Sequence[bytes], posts: int) -> float:
    """Events a second from a server in this process, until the last matching post has come."""
    with jetstream(given) as server:
        source = Bluesky("bench", SystemClock(), url=server.url, tracks=known)
        stop, start = threading.Event(), time.perf_counter()
        for item in source.items(None, stop):
            posts -= isinstance(item.value, Mention)
            if posts <= 0:
                break
        return len(given) / (time.perf_counter() - start)


def recorded() -> bool:
    """Whether everything in the recorded events comes; says what came."""
    if not RECORDED.exists():
        print("recorded            skipped: ../shared/data is not here")
        return True
    given = RECORDED.read_bytes().splitlines()
    wanted = Counter(map(_meaning, map(orjson.loads, given)))
    with jetstream(given) as server:
        # A day after the recording, wherever this machine's own clock stands.
        clock = ManualClock(datetime(2026, 7, 5, tzinfo=UTC))
        came: Counter[str] = Counter()
        for item in Bluesky("bench", clock, url=server.url).items(None, threading.Event()):
            if item.value is None and came:  # before it connects, it says so
                break
            came[type(item.value).__name__] += 1
    values = {kind: came[kind] for kind in ("Mention", "Removal", "Unreadable")}
    is_right = values == {kind: wanted[kind] for kind in values}
    print(
        f"recorded            {len(given):>10,} events: {values}{'' if is_right else ' is WRONG'}"
    )
    return is_right


def bridged() -> bool:
    """Whether the recorded firehose becomes the recorded events, their ``time_us`` apart."""
    if not FIREHOSE.exists():
        return True
    wanted = [orjson.loads(line) for line in RECORDED.read_bytes().splitlines()]
    came: list[dict[str, Any]] = []
    with pa.input_stream(FIREHOSE, compression="zstd") as stream:
        while length := int.from_bytes(stream.read(4), "little"):
            frame = Frame.from_bytes(stream.read(length))
            came += told(frame.type, frame.body)
    same = _counted(came) & _counted(wanted)
    is_right = same.total() == len(came) == len(wanted)
    verdict = "" if is_right else " is WRONG"
    print(f"firehose bridged    {len(came):>10,} events, {same.total()} as Jetstream's{verdict}")
    return is_right


def _counted(events: Sequence[dict[str, Any]]) -> Counter[bytes]:
    return Counter(
        orjson.dumps(
            {k: v for k, v in event.items() if k != "time_us"}, option=orjson.OPT_SORT_KEYS
        )
        for event in events
    )


def _meaning(event: dict[str, Any]) -> str:
    """What a recorded event must become."""
    commit = event.get("commit", {})
    if commit.get("collection") == "app.bsky.feed.post":
        return "Removal" if commit["operation"] == "delete" else "Mention"
    return "Removal" if event["kind"] == "account" else "nothing"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.bluesky", description=__doc__)
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--served", action="store_true", help="also over a connection")
    options = parser.parse_args(arguments)
    chance = random.Random(7)
    known = tracks(chance)
    given = list(frames(chance, known, options.events))
    terms = sum(len(track.terms) for track in known)
    size = sum(map(len, given)) / len(given)
    print(f"{len(given):,} events of {size:.0f} bytes, {TRACKS} tracks with {terms:,} terms")
    bare = decoded(given)
    rate, posts = matched(Bluesky("bench", SystemClock(), tracks=known), given)
    print(f"decoding alone      {bare:>10,.0f} events/s of one core")
    print(f"read and matched    {rate:>10,.0f} events/s of one core, {rate / bare:.1%} of that")
    print(f"                    {rate / WANTED:>10.1f} times the {WANTED:,}/s wanted")
    print(f"passed on           {posts:>10,} posts")
    if options.served:
        print(f"over a connection   {served(known, given, posts):>10,.0f} events/s with its server")
    is_right = recorded() and bridged()
    return 0 if is_right and rate >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
