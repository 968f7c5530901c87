"""How well and how fast repeats are found. Run: ``python -m bench.repeats [--libraries]``.

Truth: a post is a repeat if an earlier post of its event, at most 72 h older, has a canonical text
with an Indel similarity of .75 or more, or shares .9 or more of the words of the shorter of the two
(of at least 5 words). What lies between that and .65 / .8 is unclear and left out, and so are texts
that are too short to be compared. ``right`` looks at the post that was named as the owner:
precision is the share of named owners that are truly alike.

Keys and bounds were chosen on the events that ``is_tuned`` names; the others were set aside by
their names' hashes before that. ``--libraries`` runs those that are installed beside ours, as they
are usually run: MinHash of 4 characters, 128 values, bands for a likeness of .5, the first of what
a query brings; µs are CPU for index and fingerprints on this machine.
"""

import argparse
import csv
import gzip
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist
from scipy import sparse

from bench.repeat_libraries import installed
from pipeline.brigades import Brigades
from pipeline.indexes.memory import WINDOW, MemoryRepeatIndex
from pipeline.model import Author, Feedback, Mention
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
    """Counts on a sample of posts: repeats found and missed, named owners alike and unlike."""

    found: int = 0
    missed: int = 0
    right: int = 0
    wrong: int = 0

    def __str__(self) -> str:
        recall = self.found / max(1, self.found + self.missed)
        precision = self.right / max(1, self.right + self.wrong)
        return f"{self.found + self.missed:>9,}{recall:>8.3f}{precision:>11.3f}"

    def plus(self, other: "Score") -> "Score":
        """Both together."""
        return Score(*(a + b for a, b in zip(self, other, strict=True)))


#: Whose matter each post belongs to (an earlier post's id, None: its own), and µs of CPU a post.
Answers = tuple[list[str | None], float]


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


def ours(posts: Sequence[Post]) -> Answers:
    """What our index says of each post; the µs are those of texts and repeats together."""
    mentions, index = [post.mention for post in posts], MemoryRepeatIndex()
    answers: list[str | None] = []
    start = time.process_time()
    for first in range(0, len(mentions), BATCH):
        batch = mentions[first : first + BATCH]
        found = repeats.find(batch, text.prepare(batch), index)
        answers += [repeat.of for repeat in found]
    return answers, (time.process_time() - start) / len(posts) * 1e6


def of_library(
    posts: Sequence[Post], find: Callable[[Sequence[str]], Iterator[int | None]]
) -> Answers:
    """The same of a library; what it costs to make our canonical texts is not counted."""
    names = [post.mention.id for post in posts]
    texts = text.prepare([post.mention for post in posts]).canonical
    start = time.process_time()
    answers = [None if other is None else names[other] for other in find(texts)]
    return answers, (time.process_time() - start) / len(posts) * 1e6


def is_tuned(event: str) -> bool:
    """Whether keys and bounds were chosen on this event; the others were set aside."""
    return xxhash.xxh32_intdigest(event.encode()) % 2 == 0


class Truth:
    """Which posts of one event are alike, by comparing each asked one with all of them."""

    def __init__(self, mentions: Sequence[Mention], asked: Sequence[int]) -> None:
        self.canonical = text.prepare(mentions).canonical
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


def score(posts: Sequence[Post], answers: Sequence[str | None]) -> tuple[Score, Score]:
    """The events the bounds were chosen on, and those set aside; on a sample of the posts."""
    events: dict[str, list[int]] = defaultdict(list)
    for number, post in enumerate(posts):
        events[post.event].append(number)
    sampled = set(random.Random(7).sample(range(len(posts)), min(SAMPLED, len(posts))))
    tuned, apart = Score(), Score()
    for event, members in events.items():
        asked = [row for row, number in enumerate(members) if number in sampled]
        got = _score_of(
            [posts[number].mention for number in members], [answers[n] for n in members], asked
        )
        if is_tuned(event):
            tuned = tuned.plus(got)
        else:
            apart = apart.plus(got)
    return tuned, apart


def _score_of(
    mentions: Sequence[Mention], answers: Sequence[str | None], asked: Sequence[int]
) -> Score:
    """One event."""
    asked = _long(mentions, asked)
    if not asked:
        return Score()
    truth, place = Truth(mentions, asked), {m.id: row for row, m in enumerate(mentions)}
    found = missed = right = wrong = 0
    for line, row in enumerate(asked):
        answer = answers[row]
        if truth.clear[line] and truth.alike[line].any():
            found += answer is not None
            missed += answer is None
        if answer is not None and (owner := place.get(answer)) is not None:
            right += bool(truth.alike[line, owner])
            wrong += bool(truth.unlike[line, owner])
    return Score(found, missed, right, wrong)


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


def weighed_out(posts: Sequence[Post]) -> float:
    """The share of witnesses that ``Brigades`` takes for a brigade's, were all posts reports."""
    mentions = [post.mention for post in posts]
    found = repeats.find(mentions, text.prepare(mentions), MemoryRepeatIndex())
    brigades, events = Brigades(), [post.event for post in posts]
    told = [
        brigades.weigh([event], Feedback(mention=mention, repeat=repeat, labels={}, model=""))
        is not None
        for event, mention, repeat in zip(events, mentions, found, strict=True)
        if repeat.kind in {"original", "near"}
    ]
    return sum(told) / len(told)


def main() -> None:
    """Prints a row for each set and part of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--libraries", action="store_true")
    libraries = installed() if parser.parse_args().libraries else {}
    ways = {"ours": ours} | {name: partial(of_library, find=f) for name, f in libraries.items()}
    print(
        f"{'set':<15}{'by':<11}{'µs/post':>8}{'events':>8}{'repeats':>9}{'recall':>8}{'precision':>11}"
    )
    pooled: dict[tuple[str, str], Score] = defaultdict(Score)
    for name in SETS:
        posts = load(name)
        if posts is None:
            print(f"{name:<15}skipped: {DATA} is not here")
            continue
        for by, way in ways.items():
            answers, spent = way(posts)
            for part, got in zip(("tuned", "apart"), score(posts, answers), strict=True):
                pooled[by, part] = pooled[by, part].plus(got)
                print(f"{name:<15}{by:<11}{spent:>8.1f}{part:>8}{got}")
        print(f"{name:<15}witnesses weighed out as brigades: {weighed_out(posts):.1%}")
    for by in ways:
        both = [pooled[by, "tuned"], pooled[by, "apart"]]
        for part, got in (("tuned", both[0]), ("apart", both[1]), ("both", both[0].plus(both[1]))):
            print(f"{'all sets':<15}{by:<11}{'':>8}{part:>8}{got}")


if __name__ == "__main__":
    main()
