"""How well and how fast repeats are found. Run: ``python -m bench.repeats``.

Truth: a post is a repeat if an earlier post of its event, at most 72 h older, has a canonical text
with an Indel similarity of .75 or more, or shares .9 or more of the words of the shorter of the two
(of at least 5 words). What lies between that and .65 / .8 is unclear and left out, and so are texts
that are too short to be compared. ``right`` looks at the post that was named as the owner:
precision is the share of named owners that are truly alike.
"""

import csv
import gzip
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist
from scipy import sparse

from pipeline.indexes.memory import WINDOW, MemoryRepeatIndex
from pipeline.model import Author, Mention
from pipeline.ports import Claim
from pipeline.steps import repeats, text

DATA = Path("../shared/data")
BATCH = 1_024
SAMPLED = 4_000
ALIKE, UNLIKE = 0.75, 0.65
CONTAINED, APART = 0.9, 0.8


class Post(NamedTuple):
    """One post of a set."""

    event: str
    mention: Mention


class Score(NamedTuple):
    """What one set says."""

    posts: int
    repeats: int
    recall: float
    precision: float
    microseconds: float


def crisislex(path: Path) -> Iterator[Post]:
    """The posts of CrisisLex (T6 and T26 have the same columns)."""
    for row in _rows(path):
        yield _post(row["event"], row["tweet_id"], row["text"], row["created_at"])


def power_outages(path: Path) -> Iterator[Post]:
    """Posts about power cuts; what one query brought is one event."""
    for number, row in enumerate(_rows(path)):
        identity = row["tweet_id"] or str(number)
        yield _post(row["pull_event"], identity, row["text"], row["created_at"])


SETS: dict[str, tuple[str, Callable[[Path], Iterator[Post]]]] = {
    "CrisisLex T6": ("crisislex_t6.csv.gz", crisislex),
    "CrisisLex T26": ("crisislex_t26.csv.gz", crisislex),
    "power outages": ("power_outage_tweets_2019.csv.gz", power_outages),
}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _post(event: str, identity: str, words: str, at: str) -> Post:
    said = datetime.fromisoformat(at)
    # Who wrote them is not known: every post counts as another author's.
    mention = Mention(
        source="x", external_id=identity, text=words, said_at=said, author=Author(id=identity)
    )
    return Post(event, mention)


def claims_of(posts: Sequence[Post], index: MemoryRepeatIndex) -> tuple[list[Claim], float]:
    """What the index says of each post, and the seconds of CPU that ``find`` takes for it."""
    mentions = [post.mention for post in posts]
    claims: list[Claim] = []
    spent = 0.0
    for first in range(0, len(mentions), BATCH):
        batch = mentions[first : first + BATCH]
        texts = text.prepare(batch)
        start = time.process_time()
        claims += index.claim(repeats.fingerprints(batch, texts))
        spent += time.process_time() - start
    return claims, spent


class Truth:
    """Which posts of one event are alike, by comparing each asked one with all of them."""

    def __init__(self, mentions: Sequence[Mention], asked: Sequence[int]) -> None:
        self.canonical = text.prepare(mentions).canonical
        self.row = {post: row for row, post in enumerate(asked)}
        at = np.array([mention.event_at.timestamp() for mention in mentions])
        order = np.arange(len(mentions))
        before = np.less(order[None, :], np.array(asked)[:, None])
        before &= at[None, :] >= at[np.array(asked)][:, None] - WINDOW.total_seconds()
        queries = [self.canonical[post] for post in asked]
        similar = cdist(
            queries, self.canonical, scorer=Indel.normalized_similarity, dtype=np.float32
        )
        shared = self._containment(asked)
        self.alike = before & ((similar >= ALIKE) | (shared >= CONTAINED))
        self.unlike = (similar < UNLIKE) & (shared < APART)
        self.clear = self.alike.any(axis=1) | (self.unlike | ~before).all(axis=1)

    def _containment(self, asked: Sequence[int]) -> NDArray[np.float32]:
        vocabulary: dict[str, int] = defaultdict(lambda: len(vocabulary))
        words = [{vocabulary[word] for word in c.split()} for c in self.canonical]
        size = np.array([len(some) for some in words], np.float32)
        columns = np.fromiter((w for some in words for w in some), np.int64)
        ends = np.concatenate(([0], np.cumsum(size))).astype(np.int64)
        ones = np.ones(columns.size, np.float32)
        matrix = sparse.csr_matrix((ones, columns, ends), shape=(len(words), len(vocabulary)))
        common = np.asarray((matrix[np.array(asked)] @ matrix.T).todense())
        smaller = np.minimum(size[np.array(asked)][:, None], size[None, :])
        share: NDArray[np.float32] = np.where(smaller >= 5, common / np.maximum(smaller, 1), 0)
        return share


def score(posts: Sequence[Post], claims: Sequence[Claim], seconds: float) -> Score:
    """Recall and precision against the truth, on a sample of the posts."""
    events: dict[str, list[int]] = defaultdict(list)
    for number, post in enumerate(posts):
        events[post.event].append(number)
    sampled = set(random.Random(7).sample(range(len(posts)), min(SAMPLED, len(posts))))
    found = missed = right = wrong = 0
    for members in events.values():
        place = {posts[number].mention.id: row for row, number in enumerate(members)}
        asked = [row for row, number in enumerate(members) if number in sampled]
        mentions = [posts[number].mention for number in members]
        asked = _long(mentions, asked)
        if not asked:
            continue
        truth = Truth(mentions, asked)
        for row in asked:
            answer, line = claims[members[row]], truth.row[row]
            owner = place.get(answer.owner) if answer.owner else None
            if truth.clear[line] and truth.alike[line].any():
                found += answer.owner is not None
                missed += answer.owner is None
            if answer.owner and owner is not None:
                right += bool(truth.alike[line, owner])
                wrong += bool(truth.unlike[line, owner])
    return Score(
        posts=len(posts),
        repeats=found + missed,
        recall=found / max(1, found + missed),
        precision=right / max(1, right + wrong),
        microseconds=seconds / len(posts) * 1e6,
    )


def _long(mentions: Sequence[Mention], asked: Sequence[int]) -> list[int]:
    texts = text.prepare([mentions[row] for row in asked])
    compared = repeats.fingerprints([mentions[row] for row in asked], texts).letters
    return [row for row, letters in zip(asked, compared, strict=True) if letters]


def load(name: str) -> list[Post] | None:
    """A set in the order of time, None where it is missing."""
    file, reader = SETS[name]
    path = DATA / file
    if not path.exists():
        return None
    return sorted(reader(path), key=lambda post: post.mention.event_at)


def main() -> None:
    """Prints a row for each set."""
    print(f"{'set':<16}{'posts':>8}{'repeats':>9}{'recall':>8}{'precision':>11}{'µs/post':>9}")
    for name in SETS:
        posts = load(name)
        if posts is None:
            print(f"{name:<16} skipped: {DATA} is not here")
            continue
        got = score(posts, *claims_of(posts, MemoryRepeatIndex()))
        print(
            f"{name:<16}{got.posts:>8,}{got.repeats:>9,}{got.recall:>8.3f}{got.precision:>11.3f}"
            f"{got.microseconds:>9.1f}"
        )


if __name__ == "__main__":
    main()
