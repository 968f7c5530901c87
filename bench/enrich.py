"""What a post costs on its way through the steps, in CPU, part by part.

    python -m bench.enrich [--posts 100000] [--mix storm daily tweets] [--batch 1000]

Mentions as they stand on the topic are decoded, go through all steps of the worker and are encoded
as feedback, in one process, with all labels, 200 open incidents among 600 records, and 5,000
aliases. Three mixes:

storm   every post names one of five tracks and most name a component: nearly all have candidates
        by the dozen, and links
daily   the same tracks on a working day: people talk, one in twelve tells of a failure
tweets  CrisisLex T6 as it is, with no track to go by: every post is compared with all incidents

``bare`` decodes and encodes the same lines with orjson and does nothing else, in the same run, so
that machines can be compared. CPU seconds grow by half when others use the machine: the quietest
tenth of the run stands beside the mean. A row for each tenth shows whether it gets slower.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: one core is what is measured

import argparse
import random
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import cycle, islice
from statistics import mean
from typing import Any, NamedTuple

import orjson

from bench import synthetic
from bench.program import columns
from bench.repeats import load
from config import memory, wiring
from config.settings import Settings
from pipeline.decoding import read
from pipeline.enrich import Enricher
from pipeline.incidents import Book
from pipeline.indexes.memory import MemoryRepeatIndex
from pipeline.model import Incident, Mention
from pipeline.steps.aliases import Aliases
from pipeline.steps.links import Linker
from pipeline.tracks import Track, TrackComponent

OPEN, RESOLVED = 200, 100  # two records each
ALIASES = 5_000
TENTHS = 10
#: What a core must do in 15,000 posts a second.
GOAL_US = 1e6 / 15_000
#: What people talk about when nothing is broken.


# ---- what is known ----------------------------------------------------------------------------


def tracks() -> tuple[Track, ...]:
    """The tracks of the synthetic posts, with components that have invented aliases."""
    each = ALIASES // len(synthetic.TRACKS) // len(synthetic.COMPONENTS)
    return tuple(
        Track(
            name=name,
            terms=(name,),
            component=tuple(
                TrackComponent(
                    name=component,
                    aliases=tuple(f"{component} {name[:3]}{number:03}x" for number in range(each)),
                )
                for component in synthetic.COMPONENTS
            ),
        )
        for name in synthetic.TRACKS
    )


def book(scoped: bool) -> Book:
    """Incidents as a book holds them; without ``scoped`` they name no track."""
    known = Book()
    chance = random.Random(3)
    for number in range(OPEN + RESOLVED):
        opened = synthetic.START - timedelta(minutes=chance.randrange(50))
        told = {
            "id": f"status:{number}",
            "title": f"{chance.choice(TITLES)} {chance.choice(synthetic.COMPONENTS)}",
            "components": [{"name": chance.choice(synthetic.COMPONENTS)}],
            "regions": [chance.choice(synthetic.PLACES)],
            "tracks": [chance.choice(synthetic.TRACKS)] if scoped else [],
            "started_at": opened,
            "at": opened,
            "status": "investigating",
        }
        known.put(Incident(**told))
        ends = number >= OPEN
        body = "A fix is in place" if ends else f"Some people in {chance.choice(synthetic.PLACES)}"
        said = {"status": "investigating", "body": body, "display_at": opened}
        later = {"at": opened + timedelta(minutes=5), "updates": [said]}
        known.put(Incident(**(told | later | ({"status": "resolved"} if ends else {}))))
    return known


TITLES = ("Trouble with", "Errors in", "Slow answers from", "Interruption of", "Outage of")


def enricher(scoped: bool) -> Enricher:
    """All steps, on the CPU's clock."""
    known = Settings(track=tracks())
    return Enricher(
        index=MemoryRepeatIndex(),
        labeller=wiring.labeller(known),
        aliases=Aliases(known.track),
        linker=Linker(book(scoped)),
        timer=time.process_time,
    )


# ---- posts ------------------------------------------------------------------------------------


def storm() -> Iterator[bytes]:
    """Posts about failures, without end."""
    for line in synthetic.mentions(sys.maxsize):
        yield read(Mention, orjson.dumps(line)).to_json()


def daily() -> Iterator[bytes]:
    """The same people and tracks; eleven of twelve say something else."""
    for line in synthetic.working_day(sys.maxsize):
        yield read(Mention, orjson.dumps(line)).to_json()


def tweets() -> Iterator[bytes] | None:
    """Recorded posts, again and again under new ids; None where they are missing."""
    posts = load("CrisisLex T6")
    if posts is None:
        return None
    return _retold([post.mention for post in posts])


def _retold(mentions: Sequence[Mention]) -> Iterator[bytes]:
    for number, mention in enumerate(cycle(mentions)):
        at = synthetic.START + timedelta(seconds=number / 10)
        again = number // len(mentions)
        told = {"external_id": f"{mention.external_id}.{again}", "said_at": at}
        if again:  # otherwise all of it would be a copy of itself
            told["text"] = f"{mention.text} {again} {number}"
        yield mention.model_copy(update=told | {"event_at": at, "seen_at": at}).to_json()


MIXES: dict[str, Callable[[], Iterator[bytes] | None]] = {
    "storm": storm,
    "daily": daily,
    "tweets": tweets,
}


# ---- the measurement --------------------------------------------------------------------------


class Tenth(NamedTuple):
    """CPU seconds of each part over so many posts, and what became of them."""

    posts: int
    seconds: dict[str, float]
    bare: float
    counts: Counter[str]
    peak_mb: float

    def us(self, part: str) -> float:
        """µs a post."""
        return self.seconds[part] / self.posts * 1e6

    @property
    def whole_us(self) -> float:
        """µs a post for all parts together."""
        return sum(self.seconds.values()) / self.posts * 1e6


def tenth(lines: Sequence[bytes], enrich: Enricher, batch: int) -> Tenth:
    """Takes so many lines through everything."""
    spent: defaultdict[str, float] = defaultdict(float)
    counts: Counter[str] = Counter()
    before = dict(enrich.seconds)
    for first in range(0, len(lines), batch):
        some = lines[first : first + batch]
        start = time.process_time()
        mentions = [read(Mention, line) for line in some]
        decoded = time.process_time()
        feedback = enrich(mentions)
        enriched = time.process_time()
        written = [word.to_json() for word in feedback]
        spent["decode"] += decoded - start
        spent["encode"] += time.process_time() - enriched
        counts["bytes"] += sum(map(len, written))
        for word in feedback:
            counts["repeats"] += word.repeat.kind != "original"
            counts["links"] += len(word.links)
            counts["linked"] += any(link.state == "linked" for link in word.links)
            counts["suggested"] += bool(word.links)
    steps = {name: spent_ - before.get(name, 0.0) for name, spent_ in enrich.seconds.items()}
    seconds = {"decode": spent["decode"], **steps, "encode": spent["encode"]}
    return Tenth(len(lines), seconds, bare(lines), counts, peak_mb())


def bare(lines: Sequence[bytes]) -> float:
    """CPU seconds of a loop that decodes and encodes and does nothing else."""
    start = time.process_time()
    for line in lines:
        orjson.dumps(orjson.loads(line))
    return time.process_time() - start


def peak_mb() -> float:
    """The most memory this process has had."""
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(name: str, posts: int, batch: int) -> None:
    """One mix."""
    lines = MIXES[name]()
    if lines is None:
        print(f"{name}: skipped: ../shared/data is not here")
        return
    enrich = enricher(scoped=name != "tweets")
    size = max(1, posts // TENTHS)
    tenth(list(islice(lines, batch)), enrich, batch)  # tables that are made when first needed
    print(f"\n{name}: {posts:,} posts in batches of {batch}")
    print(columns(ROW, "posts", "µs/post", "posts/s", "bare/s", "times bare", "peak"))
    told = []
    for number in range(TENTHS):
        one = tenth(list(islice(lines, size)), enrich, batch)
        told.append(one)
        rate, plain = 1e6 / one.whole_us, one.posts / one.bare
        cells = f"{size * (number + 1):,}", f"{one.whole_us:.1f}", f"{rate:,.0f}", f"{plain:,.0f}"
        print(columns(ROW, *cells, f"{plain / rate:.0f}", f"{one.peak_mb:,.0f} MB"), flush=True)
    say(told)


ROW = (11, 10, 10, 11, 12, 10)
PARTS = (10, 9, 9, 8)


def say(told: Sequence[Tenth]) -> None:
    """Where each µs goes, and what became of the posts."""
    quietest = min(told, key=lambda one: one.whole_us)
    print(columns(PARTS, "part", "mean µs", "quietest", "share"))
    for part in told[0].seconds:
        share = quietest.us(part) / quietest.whole_us
        us = mean(one.us(part) for one in told)
        print(columns(PARTS, part, f"{us:.1f}", f"{quietest.us(part):.1f}", f"{share:.0%}"))
    whole = mean(one.whole_us for one in told)
    print(columns(PARTS, "all", f"{whole:.1f}", f"{quietest.whole_us:.1f}", ""))
    counts = sum((one.counts for one in told), Counter[str]())
    posts = sum(one.posts for one in told)
    shares: dict[str, Any] = {
        "repeats": counts["repeats"],
        "with a link": counts["suggested"],
        "of these certain": counts["linked"],
    }
    print(", ".join(f"{what} {count / posts:.1%}" for what, count in shares.items()), end="; ")
    print(f"links a post {counts['links'] / posts:.2f}, bytes {counts['bytes'] / posts:,.0f}")
    rate = 1e6 / quietest.whole_us
    print(f"quietest: {rate:,.0f} posts/s on a core, {GOAL_US / quietest.whole_us:.0%} of the goal")
    slower = told[-1].whole_us / told[0].whole_us - 1
    print(f"the last tenth against the first: {slower:+.0%} µs a post")


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.enrich",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--mix", nargs="+", choices=MIXES, default=list(MIXES))
    parser.add_argument("--batch", type=int, default=wiring.AT_ONCE)
    options = parser.parse_args()
    memory.calm()
    for name in options.mix:
        measure(name, options.posts, options.batch)


if __name__ == "__main__":
    main()
