"""Quality and speed of links, beside a floor of character tf-idf: ``python -m bench.links``.

Posts of crisis events (crisislex t26 and t6, and the hard sets made from t6) and 200 incidents
open at once: the events, told by name, kind and region, and incidents of GitHub's status page.
All posts stand at one moment and no incident has a track, so neither time nor track helps: text
and place must do it alone. Truth is the event where the set calls a post related or on topic, else
none. What is linked falsely is told apart, per 10,000 posts that belong to no incident:

- ``named``: the set calls the post unrelated, but it was collected for the event it is linked to
  (mostly it carries its hashtag or speaks of it);
- ``other``: the same posts, linked to another incident;
- ``closed``: posts, related or not, whose own event is not open, nor one that cannot be told from
  it without time (see ``TOGETHER``): there is no doubt that these belong to none.

"none at all" are posts to shops, airlines and telephone companies. Nothing was tuned on the events
SET_ASIDE, which have rows of their own, and no head of labels saw the event of a post it reads.
``--fit`` makes the weights anew (``bench.link_fit``).
"""

import argparse
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from bench import link_fit
from bench.background import SET_ASIDE
from bench.link_cases import (
    BATCH,
    DATA,
    INCIDENTS,
    Case,
    Labels,
    cases,
    confirmed,
    incident,
    incidents,
    labelled,
    mentions,
    together,
    truth,
)
from pipeline.incidents import Book
from pipeline.model import Incident, Label, Mention, Profile
from pipeline.steps.aliases import Aliases
from pipeline.steps.candidates import Entry
from pipeline.steps.links import Linker
from pipeline.steps.text import prepare
from pipeline.steps.weights import Weights
from pipeline.tracks import Track, TrackComponent

#: Posts that people confirm for each event in the warm rows.
CONFIRMED = 20
#: Speed is told of the quietest of so many passes.
PASSES = 4
#: Shares of relevant posts for which precision is told.
SHARES = (0.02, 0.1, 0.5)


@dataclass(frozen=True)
class Posts:
    """Some posts of a set, as mentions with their labels."""

    cases: list[Case]
    batch: list[Mention]
    labels: Labels

    @classmethod
    def of(cls, some: list[Case]) -> "Posts":
        """These posts, labelled."""
        batch = mentions(some)
        return cls(some, batch, labelled(some, batch))

    def only(self, rows: Sequence[int]) -> "Posts":
        """Some of them."""
        return Posts(
            [self.cases[row] for row in rows],
            [self.batch[row] for row in rows],
            [self.labels[row] for row in rows],
        )


@dataclass(frozen=True)
class Score:
    """What a scorer answered: the best incident of each post (-1: none) and how sure it was."""

    best: NDArray[np.int64]
    sure: NDArray[np.float64]


def ours(
    posts: Posts, known: Sequence[Incident], weights: Weights, taught: Sequence[Profile] = ()
) -> Score:
    """The linker's best answers, however unsure."""
    book = Book()
    for one in known:
        book.put(one)
    for profile in taught:
        book.learn(profile)
    linker = Linker(book, weights)
    number = {one.id: n for n, one in enumerate(known)}
    best, sure = np.full(len(posts.batch), -1), np.zeros(len(posts.batch))
    for first in range(0, len(posts.batch), BATCH):
        part, labels = posts.batch[first : first + BATCH], posts.labels[first : first + BATCH]
        for row, matches in enumerate(linker.score_many(part, prepare(part), labels), first):
            if matches:
                best[row], sure[row] = number[matches[0].entry.incident.id], matches[0].p
    return Score(best, sure)


def closed(posts: Posts, known: Sequence[Incident], weights: Weights) -> float:
    """The share of posts that are linked for certain where their own event is not open."""
    by_events: defaultdict[frozenset[str], list[int]] = defaultdict(list)
    for row, case in enumerate(posts.cases):
        by_events[together(case.event)].append(row)
    linked = 0
    for events, rows in by_events.items():
        others = [one for one in known if one.id.removeprefix("bench:") not in events]
        linked += int((ours(posts.only(rows), others, weights).sure >= weights.link_from).sum())
    return linked / len(posts.cases)


def floor(batch: Sequence[Mention], known: Sequence[Incident]) -> Score:
    """The most alike incident by character 3-5-grams, weighted by their rarity in both."""
    said = [Entry(incident).whole for incident in known]
    texts = [mention.text for mention in batch]
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    vectors.fit(texts + said)
    alike = (vectors.transform(texts) @ vectors.transform(said).T).toarray()
    return Score(alike.argmax(axis=1), alike.max(axis=1))


def recall_at(score: Score, right: NDArray[np.int64], precision: float) -> float:
    """The share of related posts found at the lowest threshold that has this precision."""
    order = np.argsort(-score.sure, kind="stable")
    hit = (score.best == right)[order] & (score.best[order] >= 0)
    enough = np.flatnonzero(np.cumsum(hit) / np.arange(1, hit.size + 1) >= precision)
    found = int(hit[: enough[-1] + 1].sum()) if enough.size else 0
    return found / max(1, int((right >= 0).sum()))


def line(name: str, score: Score, posts: Posts, known: Sequence[Incident]) -> str:
    """The first cells of a row: how often the best incident is right."""
    right = truth(posts.cases, known)
    related = right >= 0
    if not related.any():
        return f"{name:<50} {'-':>6} {'-':>6}"
    hit = (score.best == right)[related].mean()
    return f"{name:<50} {hit:6.3f} {recall_at(score, right, 0.9):6.3f}"


def certain(
    score: Score, posts: Posts, known: Sequence[Incident], none: float, threshold: float
) -> str:
    """The other cells: what automatic links are worth. ``none`` is what ``closed`` tells."""
    right, own = truth(posts.cases, known), _own(posts.cases, known)
    related, linked = right >= 0, score.sure >= threshold
    hit = linked & (score.best == right) & related
    cells = ["     -"] * 2
    if related.any():
        cells = [f"{hit[linked].mean() if linked.any() else 0:6.3f}"]
        cells.append(f"{hit[related].sum() / related.sum():6.3f}")
    about_it, unrelated = linked & ~related & (score.best == own), max(1, int((~related).sum()))
    named, other = about_it.sum() / unrelated, (linked & ~related & ~about_it).sum() / unrelated
    cells += [f"{10_000 * share:6.0f}" for share in (named, other, none)]
    for false in (named + other, none):
        cells += [_precision(hit, linked, related, share, false) for share in SHARES]
    return " ".join(cells)


def _own(posts: Sequence[Case], known: Sequence[Incident]) -> NDArray[np.int64]:
    """The number of the incident that each post was collected for."""
    return truth([Case(case.text, case.event, related=True) for case in posts], known)


def _precision(
    hit: NDArray[np.bool_],
    linked: NDArray[np.bool_],
    related: NDArray[np.bool_],
    share: float,
    false: float,
) -> str:
    """How many automatic links were right, were this share of the posts relevant."""
    if not hit.any():
        return "     -"
    good = share * hit[related].mean()
    bad = share * (linked & ~hit)[related].mean() + (1 - share) * false
    return f"{good / (good + bad):6.3f}"


def table(sets: dict[str, list[Case]], sample: int) -> None:
    """Prints the quality on every set, on the events that were tuned on and those set aside."""
    print(f"{INCIDENTS} incidents open at once. P to closed: automatic links. P.02 to P.50: were")
    print("so many posts relevant, first by the labels of the set, then by closed events")
    head = ["hit@1", "R@P.90", "P", "R", "named", "other", "closed"]
    head += [f"P{share:.2f}"[:1] + f"{share:.2f}"[1:] for share in SHARES] * 2
    print(f"{'set, what incidents say, scorer':<50} " + " ".join(f"{h:>6}" for h in head))
    # Hit@1 asks for the likeliest, however unlikely it is.
    eager = Weights(suggest_from=0.002)
    for name, everything in sets.items():
        for aside, part in _parts(everything, sample):
            posts = Posts.of(part)
            for with_keywords in (True, False):
                known = incidents(with_keywords)
                told = "keywords" if with_keywords else "title and kind"
                what, crisis = f"{name}{aside}, {told}", name in {"t26", "t6"}
                if crisis and not aside:
                    print(line(f"{what}, tf-idf", floor(posts.batch, known), posts, known))
                none = closed(posts, known, eager)
                _row(what, ours(posts, known, eager), posts, known, none)
                if crisis:
                    taught, used = confirmed(everything, known, CONFIRMED)
                    rest = posts.only([n for n, c in enumerate(part) if c.text not in used])
                    score = ours(rest, known, eager, taught)
                    _row(f"{what}, {CONFIRMED} confirmed", score, rest, known, none)


def _row(name: str, score: Score, posts: Posts, known: Sequence[Incident], none: float) -> None:
    first = line(name, score, posts, known)
    print(first, certain(score, posts, known, none, Weights().link_from), flush=True)


def _parts(everything: Sequence[Case], sample: int) -> Iterator[tuple[str, list[Case]]]:
    """Samples of the posts of events that were tuned on, and of those set aside."""
    for aside in (False, True):
        some = [case for case in everything if (case.event in SET_ASIDE) == aside]
        if some:
            name = " (set aside)" if aside else ""
            yield name, random.Random(7).sample(some, min(sample, len(some)))


def speed(sets: dict[str, list[Case]]) -> None:
    """Prints what a post costs where one in twelve belongs to an incident, and where all do."""
    draw = random.Random(7)
    other = draw.sample(sets["none at all"], 7 * BATCH)
    about = draw.sample([case for case in sets["t6"] if case.related], 8 * BATCH)
    mixed = other + about[:BATCH]
    draw.shuffle(mixed)
    few, many = incidents(with_keywords=True), _many()
    for name, posts, known in (
        ("1 in 8 belongs to one of 200", mixed, few),
        ("the same, 5,000 incidents open", mixed, many),
        ("all belong to one of 200", about, few),
    ):
        print(f"{_cost(mentions(posts), known):6.1f} µs a post, {name}")


def _many() -> list[Incident]:
    """The events and 5,000 incidents of words drawn from those of the status page."""
    known, draw = incidents(with_keywords=True), random.Random(7)
    told = [one for one in known if one.id.startswith("bench:gh")]
    words = sorted({word for one in told for word in one.updates[0].body.split()})
    made = [
        incident(f"drawn{n}", " ".join(draw.sample(words, 5)), " ".join(draw.sample(words, 30)), [])
        for n in range(5_000 - len(known))
    ]
    return known + made


def _cost(batch: Sequence[Mention], known: Sequence[Incident]) -> float:
    """CPU of the linker with its reasons, in µs a post: the quietest of PASSES.

    What is made ready of an incident once, when it is first linked to, is made before.
    """
    book = Book()
    for one in known:
        book.put(one)
    linker, nothing = Linker(book), dict[str, Label]()
    cuts = [batch[first : first + BATCH] for first in range(0, len(batch), BATCH)]
    parts = [(part, prepare(part), [nothing] * len(part)) for part in cuts]
    passes = []
    for _ in range(1 + PASSES):
        began = time.process_time()
        for part in parts:
            linker.link(*part)
        passes.append(time.process_time() - began)
    return 1e6 * min(passes[1:]) / len(batch)


def aliases_speed(posts: Sequence[Case], count: int) -> None:
    """Prints what a post costs with so many aliases made of two words of the posts each."""
    batch = [m.model_copy(update={"tracks": ("acme",)}) for m in mentions(posts)[: 8 * BATCH]]
    words = sorted({w for case in posts for w in case.text.lower().split() if w.isalpha()})
    draw = random.Random(7)
    made = [" ".join(draw.sample(words, 2)) for _ in range(count)]
    components = [
        TrackComponent(name=f"part {n}", aliases=tuple(made[50 * n : 50 * n + 50]))
        for n in range(count // 50)
    ]
    finder = Aliases([Track(name="acme", regions=("US",), component=tuple(components))])
    texts = prepare(batch)
    finder.find(batch[:1], prepare(batch[:1]))
    passes = []
    for _ in range(PASSES):
        began = time.process_time()
        found = finder.find(batch, texts)
        passes.append(time.process_time() - began)
    cost = 1e6 * min(passes) / len(batch)
    share = sum(bool(labels) for labels in found) / len(found)
    print(
        f"{cost:6.1f} µs a post, {count:,} aliases and the places of a country "
        f"({share:.0%} name any)"
    )


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.links", description="Quality of links.")
    parser.add_argument("--sample", type=int, default=3_000, help="posts of each set at most")
    parser.add_argument("--fit", action="store_true", help="make the weights anew, and stop")
    options = parser.parse_args()
    if not DATA.is_dir():
        print("skipped: ../shared/data is not here")
        return 0
    if options.fit:
        link_fit.write()
        return 0
    sets = cases()
    table(sets, options.sample)
    speed(sets)
    for count in (5_000, 25_000):
        aliases_speed(sets["t26"], count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
