"""What and where, on posts that a person has read: ``python -m bench.what_and_where``.

The posts of what_and_where.tsv are of our own making. A name counts as found if it is the one that
the person gave; ``--wrong`` prints the posts where they differ.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pipeline.model import WHAT_AND_WHERE, Mention
from pipeline.steps import places
from pipeline.steps.aliases import Aliases
from pipeline.steps.text import prepare
from pipeline.tracks import Track, TrackComponent

POSTS = Path(__file__).with_name("what_and_where.tsv")
TRACKS = (
    Track(
        name="acme",
        regions=("UK",),
        component=(
            TrackComponent(name="Checkout", aliases=("basket", "check-out")),
            TrackComponent(name="Card payments", aliases=("card", "contactless")),
            TrackComponent(name="App login", aliases=("login", "log in", "log-in", "sign-in")),
            TrackComponent(name="Home delivery", aliases=("delivery",)),
            TrackComponent(name="Loyalty points", aliases=("points",)),
            TrackComponent(name="Click & collect", aliases=("click and collect",)),
        ),
    ),
    Track(
        name="nordwind",
        regions=("Germany",),
        component=(
            TrackComponent(
                name="Paketverfolgung", aliases=("Sendungsverfolgung", "Paket-Verfolgung")
            ),
            TrackComponent(name="Überweisung"),
            TrackComponent(name="Anmeldung", aliases=("login", "einloggen")),
        ),
    ),
)


class Sample(NamedTuple):
    """A post and the names that a person found in it, by head; heads without one are left out."""

    track: str
    names: dict[str, str]
    text: str


def samples() -> list[Sample]:
    """The posts of the file."""
    lines = POSTS.read_text(encoding="utf-8").splitlines()
    found = []
    for track, *names, text in (line.split("\t") for line in lines if not line.startswith("#")):
        told = zip(WHAT_AND_WHERE, names, strict=True)
        found.append(Sample(track, {head: name for head, name in told if name != "-"}, text))
    return found


def answers(posts: Sequence[Sample]) -> list[dict[str, str]]:
    """What the finder says of each, by head."""
    batch = [
        Mention(
            source="bench",
            external_id=str(number),
            text=post.text,
            said_at=datetime(2026, 3, 1, tzinfo=UTC),
            tracks=(post.track,),
        )
        for number, post in enumerate(posts)
    ]
    found = Aliases(TRACKS).find(batch, prepare(batch))
    return [{head: label.name for head, label in labels.items()} for labels in found]


def is_same(head: str, one: str | None, other: str | None) -> bool:
    """Whether two names mean the same; a place may be named in several languages."""
    if one is None or other is None or one == other or head != "place":
        return one == other
    return bool(set(places.locate(one)[:1]) & set(places.locate(other)[:1]))


class Tally(NamedTuple):
    """How many names are there, were told, and are right."""

    there: int
    told: int
    right: int


def tally(head: str, posts: Sequence[Sample], told: Sequence[dict[str, str]]) -> Tally:
    """The tally of one head."""
    pairs = [(post.names.get(head), own.get(head)) for post, own in zip(posts, told, strict=True)]
    return Tally(
        sum(one is not None for one, _ in pairs),
        sum(other is not None for _, other in pairs),
        sum(one is not None and is_same(head, one, other) for one, other in pairs),
    )


def main() -> int:
    """Prints precision and recall of each head."""
    parser = argparse.ArgumentParser(prog="python -m bench.what_and_where")
    parser.add_argument("--wrong", action="store_true", help="print the posts that went wrong")
    options = parser.parse_args()
    posts = samples()
    told = answers(posts)
    print(f"{len(posts)} posts")
    for head in WHAT_AND_WHERE:
        there, named, right = tally(head, posts, told)
        print(f"{head:<10} precision {right / named:.3f}, recall {right / there:.3f} of {there}")
        for post, own in zip(posts, told, strict=True) if options.wrong else ():
            one, other = post.names.get(head), own.get(head)
            if not is_same(head, one, other):
                print(f"    {other or '-'} for {one or '-'}: {post.text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
