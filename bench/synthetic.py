"""Any number of posts that were never posted, for measuring speed.

    python -m bench.synthetic COUNT OUT [--incidents 200 --incidents-out FILE] [--per-minute 600]

Sentences of about 180 characters put together from our own words; 10 % repeats (reposts, copies,
small changes), 1 % edits, several tracks, a fixed seed. Times follow each other evenly, so that a
larger file is a longer stream and not a denser one.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

START = datetime(2026, 3, 2, tzinfo=UTC)
TRACKS = ("acme", "nordwind", "fernwick", "lumenpost", "brightline")
COMPONENTS = ("messages", "checkout", "app login", "delivery", "billing", "search")
PLACES = ("Leeds", "Glasgow", "Berlin", "Porto", "Lyon", "Sevilla", "Graz", "Bergen")
#: The parts of a sentence; one of each makes a post.
OPENINGS = (
    "So", "Well", "Honestly", "Morning all,", "Right", "Hello @{track},", "Dear {track} team,",
    "Can anybody tell me why", "Not sure if", "It seems that", "For the third time",
    "Just saw that",
)  # fmt: skip
SUBJECTS = (
    "the {component} at {track}", "{track} {component}", "my {track} account", "their {component}",
    "the new {track} app", "the {track} page for {component}", "everything from {track}",
)  # fmt: skip
VERBS = (
    "does not load", "keeps spinning", "logs me out", "is down again", "works better than before",
    "takes twelve minutes to answer", "shows an empty page", "lost what I had typed",
    "says try again later", "is quicker since the update", "charged me twice", "looks lovely",
)  # fmt: skip
ENDINGS = (
    "here in {place}", "since about nine", "on my old phone", "and support does not answer",
    "while my neighbour has no trouble", "after I had restarted everything", "which made my day",
    "though the status page is all green", "and it is raining too", "as if it were a Sunday",
)  # fmt: skip
TAILS = ("", "", "", " Anyone else?", " 😡", " #{track}down", " https://x.example/{number}", "!!")
#: Words at random keep posts apart that are put together from the same few parts.
FILLERS = (
    "morning", "coffee", "train", "office", "garden", "weekend", "dinner", "football",
    "holiday", "birthday", "sister", "brother", "teacher", "weather", "rain", "sunshine",
    "bicycle", "bakery", "market", "library", "concert", "guitar", "piano", "museum", "river",
    "mountain", "forest", "beach", "island", "kitchen", "recipe", "pasta", "soup", "bread",
    "cheese", "apple", "cherry", "lemon", "ginger", "sweater", "jacket", "boots", "umbrella",
    "suitcase", "ticket", "airport", "platform", "bridge", "castle", "village", "festival",
    "film", "novel", "poem", "painting", "camera", "letter", "postcard", "neighbour",
    "grandmother", "cousin", "puppy", "kitten", "horse", "sparrow", "candle", "blanket",
    "pillow", "mirror", "carpet", "curtain", "wardrobe", "staircase", "balcony", "chimney",
    "cellar", "lovely", "quiet", "early", "late", "warm", "yellow", "tiny", "clever", "gentle",
    "brave", "curious", "hungry", "sleepy", "proud", "finally", "almost", "never", "always",
    "maybe", "together", "yesterday", "tomorrow", "tonight", "again", "already", "somewhere",
    "bought", "found", "forgot", "painted", "baked", "carried", "borrowed", "visited",
    "remembered", "planned", "watched", "heard", "the", "a", "our", "my", "your", "this",
    "that", "and", "but", "with", "for", "about", "after", "before", "without", "under", "over",
    "behind",
)  # fmt: skip


def mentions(count: int, *, seed: int = 1, per_minute: float = 600) -> Iterator[dict[str, Any]]:
    """``count`` lines of a file of mentions, in the order of time."""
    chance = random.Random(seed)
    recent: list[dict[str, Any]] = []
    for number in range(count):
        at = START + timedelta(minutes=number / per_minute)
        dice = chance.random()
        if recent and dice < 0.01:
            line = _edit(chance.choice(recent), number)
        elif recent and dice < 0.11:
            line = _again(chance.choice(recent), number, chance)
        else:
            line = _post(number, chance)
        line["said_at"] = line.get("said_at") or at.isoformat()
        if len(recent) < 1_000:
            recent.append(line)
        else:
            recent[chance.randrange(1_000)] = line
        yield line


def working_day(count: int, *, seed: int = 4, per_minute: float = 600) -> Iterator[dict[str, Any]]:
    """The same people and tracks when little is wrong: eleven of twelve tell of other things."""
    chance = random.Random(seed)
    for number, line in enumerate(mentions(count, seed=seed, per_minute=per_minute)):
        if number % 12:
            said = " ".join(chance.choices(FILLERS, k=chance.randrange(8, 20)))
            yield line | {"text": f"{line['tracks'][0]}: {said}", "kind": "post"}
        else:
            yield line


def _post(number: int, chance: random.Random) -> dict[str, Any]:
    track = chance.choice(TRACKS)
    parts = (OPENINGS, SUBJECTS, VERBS, ENDINGS, TAILS)
    opening, subject, verb, ending, tail = (chance.choice(part) for part in parts)
    aside = " ".join(chance.sample(FILLERS, 12))
    text = f"{opening} {subject} {verb} {ending}, {aside}{tail}".format(
        track=track,
        component=chance.choice(COMPONENTS),
        place=chance.choice(PLACES),
        number=number,
    )
    return _line(number, chance, text) | {"tracks": [track]}


def _line(number: int, chance: random.Random, text: str) -> dict[str, Any]:
    author = chance.randrange(200_000)
    return {
        "source": "x",
        "external_id": str(number),
        "kind": "post",
        "author": {"id": f"a{author}", "handle": f"user{author}"},
        "text": text,
        "lang": "en",
        "url": f"https://x.example/{number}",
        "engagement": {"likes": chance.randrange(30)},
    }


def _again(said: dict[str, Any], number: int, chance: random.Random) -> dict[str, Any]:
    """A repost, a copy, or nearly the same."""
    text, told = said["text"], {"tracks": said["tracks"]}
    kind = chance.randrange(3)
    if kind == 0:
        told |= {"kind": "repost", "repost_of": said["external_id"]}
    elif kind == 1:
        text = text.replace(" ", "  ", 1).upper()
    else:
        text = f"{text} Same here"
    return _line(number, chance, text) | told


def _edit(said: dict[str, Any], number: int) -> dict[str, Any]:
    """A later version of an earlier post, which keeps its id and its time."""
    return said | {"text": said["text"] + " (edited)", "version": number + 1}


def incidents(count: int, *, minutes: float, seed: int = 2) -> Iterator[dict[str, Any]]:
    """Two lines for each incident (opened, resolved), evenly over ``minutes``."""
    chance = random.Random(seed)
    for number in range(count):
        opened = START + timedelta(minutes=minutes * number / max(1, count))
        ended = opened + timedelta(minutes=min(60.0, minutes / 4))
        component, track = chance.choice(COMPONENTS), chance.choice(TRACKS)
        known = {
            "id": f"status:{number}",
            "title": f"Trouble with {component} for some people",
            "components": [{"name": component}],
            "regions": [chance.choice(PLACES)],
            "tracks": [track],
            "started_at": opened.isoformat(),
        }
        first = {"status": "investigating", "display_at": opened.isoformat()}
        last = {"status": "resolved", "display_at": ended.isoformat()}
        yield known | {"status": "investigating", "updates": [first], "at": opened.isoformat()}
        known["resolved_at"] = ended.isoformat()
        yield known | {"status": "resolved", "updates": [first, last], "at": ended.isoformat()}


def write(lines: Iterator[dict[str, Any]], path: Path) -> Path:
    """Writes JSON lines."""
    with path.open("wb") as file:
        file.writelines(orjson.dumps(line) + b"\n" for line in lines)
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.synthetic", description="Posts for measuring speed."
    )
    parser.add_argument("count", type=int, metavar="COUNT")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--per-minute", type=float, default=600, metavar="N")
    parser.add_argument("--incidents", type=int, default=0, metavar="N")
    parser.add_argument("--incidents-out", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    write(mentions(options.count, per_minute=options.per_minute), options.out)
    if options.incidents and options.incidents_out:
        minutes = options.count / options.per_minute
        write(incidents(options.incidents, minutes=minutes), options.incidents_out)
    print(f"{options.count:,} posts in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
