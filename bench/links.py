"""Quality and speed of links, beside a floor of character tf-idf: ``python -m bench.links``.

Posts of crisis events (crisislex t26 and t6, and the hard sets made from t6) and 200 incidents
open at once: the events, told by name, kind and region, and incidents of GitHub's status page.
All posts stand at one moment and no incident has a track, so neither time nor track helps: text
and place must do it alone. Truth is the event where the set calls a post related or on topic, else
none; it is noisy, since posts about two events at once count as one and related posts without any
word of the event cannot be told. ``--fit`` prints the weights of the text, events held out.
"""

import argparse
import csv
import gzip
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from pipeline.incidents import Book
from pipeline.model import Component, Incident, Label, Mention, Update
from pipeline.steps.aliases import Aliases
from pipeline.steps.candidates import Entry
from pipeline.steps.likeness import Likeness
from pipeline.steps.links import Linker
from pipeline.steps.text import prepare
from pipeline.steps.weights import Weights
from pipeline.tracks import Track, TrackComponent

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NOW = datetime(2020, 1, 1, tzinfo=UTC)
INCIDENTS = 200
BATCH = 1_024
FLOORS = (0.9, 0.95)


@dataclass(frozen=True)
class Case:
    """A post, the event whose collection it comes from, and whether it is about it."""

    text: str
    event: str
    related: bool


@dataclass(frozen=True)
class Score:
    """What a scorer answered: the best incident of each post (-1: none) and how sure it was."""

    best: NDArray[np.int64]
    sure: NDArray[np.float64]


def _rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def cases() -> dict[str, list[Case]]:
    """The sets, by name."""
    t26 = [
        Case(r["text"], r["event"].lower(), r["informativeness"].startswith("Related"))
        for r in _rows("crisislex_t26.csv.gz")
    ]
    sets = {"t26": t26}
    for name, file in (
        ("t6", "crisislex_t6"),
        ("t6 without keywords", "linking_hard/t6_without_keywords"),
        ("t6 keyword traps", "linking_hard/t6_keyword_traps"),
    ):
        sets[name] = [
            Case(r["text"], r["event"].lower(), r["label"] == "on-topic")
            for r in _rows(f"{file}.csv.gz")
        ]
    return sets


def incidents(with_keywords: bool) -> list[Incident]:
    """The events as incidents, then incidents of a status page up to INCIDENTS."""
    events = json.loads((DATA / "crisislex_t26_events.json").read_text())
    made = [_event(key.lower(), event, with_keywords) for key, event in events.items()]
    # The one event of t6 that t26 has not.
    made.append(_incident("2013_oklahoma_tornado", "Oklahoma tornado", "Tornado.", ["Oklahoma"]))
    with gzip.open(DATA / "status_github" / "incidents.jsonl.gz") as lines:
        for line in lines:
            if len(made) == INCIDENTS:
                break
            raw = json.loads(line)
            body = " ".join(update["message"] for update in raw["updates"])
            names = raw.get("components") or []
            made.append(_incident(f"gh{raw['id']}", raw["title"], body, [], names))
    return made


def _event(key: str, event: dict[str, Any], with_keywords: bool) -> Incident:
    kind, where = event["categorization"], event["location"]["location_description"]
    body = f"{kind['type']} in {where}. {kind['sub_category']}."
    if with_keywords:
        body += " " + ", ".join(event["keywords"])
    return _incident(key, event["name"], body, [where])


def _incident(
    key: str, title: str, body: str, regions: Sequence[str], components: Sequence[str] = ()
) -> Incident:
    return Incident(
        id=f"bench:{key}",
        title=title,
        status="investigating",
        started_at=NOW,
        at=NOW,
        regions=tuple(regions),
        components=tuple(Component(name=name) for name in components),
        updates=(Update(body=body, display_at=NOW),),
    )


def mentions(posts: Sequence[Case]) -> list[Mention]:
    """The posts as mentions of one moment, without tracks."""
    return [
        Mention(source="bench", external_id=str(number), text=case.text, said_at=NOW)
        for number, case in enumerate(posts)
    ]


def ours(batch: Sequence[Mention], known: Sequence[Incident], weights: Weights) -> Score:
    """The linker's best answers, however unsure."""
    book, aliases = Book(), Aliases()
    for incident in known:
        book.put(incident)
    linker = Linker(book, weights)
    number = {incident.id: n for n, incident in enumerate(known)}
    best, sure = np.full(len(batch), -1), np.zeros(len(batch))
    for first in range(0, len(batch), BATCH):
        part = batch[first : first + BATCH]
        texts = prepare(part)
        for row, links in enumerate(linker.link(part, texts, aliases.find(part, texts)), first):
            if links:
                best[row], sure[row] = number[links[0].incident], links[0].p
    return Score(best, sure)


def floor(batch: Sequence[Mention], known: Sequence[Incident]) -> Score:
    """The most alike incident by character 3-5-grams, weighted by their rarity in both."""
    said = [Entry(incident).whole for incident in known]
    texts = [mention.text for mention in batch]
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    vectors.fit(texts + said)
    alike = (vectors.transform(texts) @ vectors.transform(said).T).toarray()
    return Score(alike.argmax(axis=1), alike.max(axis=1))


def truth(posts: Sequence[Case], known: Sequence[Incident]) -> NDArray[np.int64]:
    """The number of the incident that each post is about, -1 for none."""
    number = {incident.id: n for n, incident in enumerate(known)}
    return np.array([number[f"bench:{c.event}"] if c.related else -1 for c in posts])


def recall_at(score: Score, right: NDArray[np.int64], precision: float) -> float:
    """The share of related posts found at the lowest threshold that has this precision."""
    order = np.argsort(-score.sure, kind="stable")
    hit = (score.best == right)[order] & (score.best[order] >= 0)
    enough = np.flatnonzero(np.cumsum(hit) / np.arange(1, hit.size + 1) >= precision)
    found = int(hit[: enough[-1] + 1].sum()) if enough.size else 0
    return found / max(1, int((right >= 0).sum()))


def line(name: str, score: Score, right: NDArray[np.int64], threshold: float | None) -> str:
    """One row of the table; without a threshold there are no automatic links."""
    related = right >= 0
    hit = score.best == right
    at_one = f"{hit[related].mean():6.3f}" if related.any() else "     -"
    recalls = [f"{recall_at(score, right, p):6.3f}" if related.any() else "     -" for p in FLOORS]
    made = "     -      -      -"
    if threshold is not None:
        linked = score.sure >= threshold
        precision = f"{hit[linked].mean():6.3f}" if related.any() and linked.any() else "     -"
        recall = f"{(hit & linked)[related].mean():6.3f}" if related.any() else "     -"
        false = 10_000 * linked[~related].sum() / max(1, int((~related).sum()))
        made = f"{precision} {recall} {false:6.0f}"
    return f"{name:<44} {at_one} {recalls[0]} {recalls[1]} {made}"


def table(sets: dict[str, list[Case]], sample: int) -> None:
    """Prints the quality on every set."""
    print(f"{INCIDENTS} incidents open at once; P, R and false links are those of automatic links")
    head = ("hit@1", "R@P.90", "R@P.95", "P", "R", "false/10k")
    print(f"{'set, what incidents say, scorer':<44} " + " ".join(f"{h:>6}" for h in head))
    # What is less likely is left out, since each answer is built with its reasons.
    eager = Weights(suggest_from=0.0015)
    for name, everything in sets.items():
        posts = random.Random(7).sample(everything, min(sample, len(everything)))
        batch = mentions(posts)
        for with_keywords in (False, True):
            known = incidents(with_keywords)
            right = truth(posts, known)
            what = f"{name}, {'keywords' if with_keywords else 'title and kind'}"
            print(line(f"{what}, tf-idf", floor(batch, known), right, None))
            print(line(f"{what}, linker", ours(batch, known, eager), right, eager.link_from))


def speed(posts: Sequence[Case]) -> None:
    """Prints what a post costs with all incidents open, and with one track each."""
    batch = mentions(posts)[: 8 * BATCH]
    nothing: list[dict[str, Label]] = [{} for _ in batch]
    for name, tracks in (("no tracks", 0), ("a track each", INCIDENTS)):
        book = Book()
        for number, incident in enumerate(incidents(with_keywords=True)):
            own = (f"track-{number}",) if tracks else ()
            book.put(incident.model_copy(update={"tracks": own}))
        tracked = [
            m.model_copy(update={"tracks": (f"track-{n % tracks}",)}) if tracks else m
            for n, m in enumerate(batch)
        ]
        linker = Linker(book)
        linker.link(tracked[:1], prepare(tracked[:1]), nothing[:1])
        cuts = [tracked[first : first + BATCH] for first in range(0, len(tracked), BATCH)]
        parts = [(part, prepare(part), nothing[: len(part)]) for part in cuts]
        began = time.process_time()
        for part in parts:
            linker.link(*part)
        print(f"{1e6 * (time.process_time() - began) / len(batch):6.1f} µs a post, {name}")


def aliases_speed(posts: Sequence[Case]) -> None:
    """Prints what a post costs with 5,000 aliases made of two words of the posts each."""
    batch = [m.model_copy(update={"tracks": ("acme",)}) for m in mentions(posts)[: 8 * BATCH]]
    words = sorted({w for case in posts for w in case.text.lower().split() if w.isalpha()})
    draw = random.Random(7)
    made = [" ".join(draw.sample(words, 2)) for _ in range(5_000)]
    components = [
        TrackComponent(name=f"part {n}", aliases=tuple(made[50 * n : 50 * n + 50]))
        for n in range(100)
    ]
    finder = Aliases([Track(name="acme", regions=("US",), component=tuple(components))])
    texts = prepare(batch)
    finder.find(batch[:1], prepare(batch[:1]))
    began = time.process_time()
    found = finder.find(batch, texts)
    cost = 1e6 * (time.process_time() - began) / len(batch)
    share = sum(bool(labels) for labels in found) / len(found)
    print(
        f"{cost:6.1f} µs a post, 5,000 aliases and the places of a country ({share:.0%} name any)"
    )


def fit(posts: Sequence[Case]) -> None:
    """Prints bias, whole and heading fitted on all events but a third, three times."""
    known = incidents(with_keywords=True)
    right = truth(posts, known)
    likeness = Likeness([Entry(incident).profile for incident in known])
    whole, heading = likeness.compare(prepare(mentions(posts)).plain)
    rows, columns = np.nonzero((whole > 0.02) | (heading > 0.1))
    pairs = np.stack([whole[rows, columns], heading[rows, columns]], axis=1)
    about = right[rows] == columns
    groups = sorted({case.event for case in posts})
    event = np.array([groups.index(case.event) for case in posts])[rows]
    for third in range(3):
        kept = event % 3 != third
        model = LogisticRegression(C=100, max_iter=1_000).fit(pairs[kept], about[kept])
        (a, b), bias = model.coef_[0], model.intercept_[0]
        print(f"without third {third + 1}: bias {bias:.1f}, whole {a:.1f}, heading {b:.1f}")


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.links", description="Quality of links.")
    parser.add_argument("--sample", type=int, default=3_000, help="posts of each set at most")
    parser.add_argument("--fit", action="store_true", help="print fitted weights of the text")
    options = parser.parse_args()
    if not DATA.is_dir():
        print("skipped: ../shared/data is not here")
        return 0
    sets = cases()
    if options.fit:
        both = sets["t26"] + sets["t6"]
        fit(random.Random(7).sample(both, min(2 * options.sample, len(both))))
        return 0
    table(sets, options.sample)
    speed(sets["t26"])
    aliases_speed(sets["t26"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
