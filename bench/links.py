"""Quality and speed of links, beside a floor of character tf-idf: ``python -m bench.links``.

Posts of crisis events (crisislex t26 and t6, and the hard sets made from t6) and 200 incidents
open at once: the events, told by name, kind and region, and incidents of GitHub's status page.
All posts stand at one moment and no incident has a track, so neither time nor track helps: text
and place must do it alone. Truth is the event where the set calls a post related or on topic, else
none; it is noisy, since posts about two events at once count as one and related posts without any
word of the event cannot be told. "none at all" are posts to shops, airlines and telephone
companies, about which there is no doubt. Nothing was tuned on the events SET_ASIDE, which have rows
of their own.
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

from bench.background import SET_ASIDE
from pipeline.incidents import Book
from pipeline.model import Component, Incident, Label, Mention, Profile, Update
from pipeline.profiles import lesson
from pipeline.steps.aliases import Aliases
from pipeline.steps.candidates import Entry
from pipeline.steps.links import Linker
from pipeline.steps.text import prepare
from pipeline.steps.weights import Weights
from pipeline.tracks import Track, TrackComponent

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NOW = datetime(2020, 1, 1, tzinfo=UTC)
INCIDENTS = 200
BATCH = 1_024
FLOORS = (0.9, 0.95)
#: Posts that people confirm for each event in the warm rows.
CONFIRMED = 20
#: Shares of relevant posts for which precision is told.
SHARES = (0.02, 0.1, 0.5)
#: Sets of posts that are about no incident here.
NONE_AT_ALL = (
    "uk_telecom_2019/stream_to_2019-11-27.csv.gz",
    "airline_sentiment_2015.csv.gz",
    "complaints_acl2019.csv.gz",
)


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
    sets["none at all"] = [
        Case(row["text"], "", related=False) for file in NONE_AT_ALL for row in _rows(file)
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


def ours(
    batch: Sequence[Mention],
    known: Sequence[Incident],
    weights: Weights,
    taught: Sequence[Profile] = (),
) -> Score:
    """The linker's best answers, however unsure."""
    book, aliases = Book(), Aliases()
    for incident in known:
        book.put(incident)
    for profile in taught:
        book.learn(profile)
    linker = Linker(book, weights)
    number = {incident.id: n for n, incident in enumerate(known)}
    best, sure = np.full(len(batch), -1), np.zeros(len(batch))
    for first in range(0, len(batch), BATCH):
        part = batch[first : first + BATCH]
        texts = prepare(part)
        found = linker.score_many(part, texts, aliases.find(part, texts))
        for row, matches in enumerate(found, first):
            if matches:
                best[row], sure[row] = number[matches[0].entry.incident.id], matches[0].p
    return Score(best, sure)


def confirmed(
    posts: Sequence[Case], known: Sequence[Incident], count: int
) -> tuple[list[Profile], set[str]]:
    """What people teach who confirm so many posts of each event, and those posts' texts."""
    made, used = [], set()
    for incident in known:
        event = incident.id.removeprefix("bench:")
        about = sorted({case.text for case in posts if case.event == event and case.related})
        if about:
            chosen = random.Random(event).sample(about, min(count, len(about)))
            columns, weights = (part.tolist() for part in lesson(chosen))
            made.append(
                Profile(
                    incident=incident.id,
                    version=1,
                    columns=tuple(columns),
                    weights=tuple(weights),
                )
            )
            used.update(chosen)
    return made, used


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
    found = [number[f"bench:{case.event}"] if case.related else -1 for case in posts]
    return np.array(found, np.int64)


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
    hit = (score.best == right) & related
    found = ["     -"] * 3
    if related.any():
        found = [f"{hit[related].mean():6.3f}"]
        found += [f"{recall_at(score, right, p):6.3f}" for p in FLOORS]
    if threshold is None:
        return f"{name:<52} {' '.join(found)}"
    linked = score.sure >= threshold
    false = linked[~related].mean() if (~related).any() else 0.0
    right_share, wrong_share = 0.0, 0.0
    if related.any():
        found.append(f"{hit[linked].mean() if linked.any() else 0:6.3f}")
        found.append(f"{hit[related & linked].sum() / related.sum():6.3f}")
        right_share = float((hit & linked)[related].mean())
        wrong_share = float((~hit & linked)[related].mean())
    else:
        found += ["     -"] * 2
    found.append(f"{10_000 * false:6.0f}")
    # The same links, were so many of the posts relevant.
    for share in SHARES:
        good, bad = share * right_share, share * wrong_share + (1 - share) * false
        found.append(f"{good / (good + bad):6.3f}" if right_share else "     -")
    return f"{name:<52} {' '.join(found)}"


def table(sets: dict[str, list[Case]], sample: int) -> None:
    """Prints the quality on every set, on the events that were tuned on and those set aside."""
    print(f"{INCIDENTS} incidents open at once; P to P.50 are those of automatic links")
    head = ("hit@1", "R@P.90", "R@P.95", "P", "R", "f/10k", "P.02", "P.10", "P.50")
    print(f"{'set, what incidents say, scorer':<52} " + " ".join(f"{h:>6}" for h in head))
    # Hit@1 asks for the likeliest, however unlikely it is.
    eager = Weights(suggest_from=0.002)
    for with_keywords in (True, False):
        known = incidents(with_keywords)
        told = "keywords" if with_keywords else "title and kind"
        for name, everything in sets.items():
            for aside, part in _parts(everything, sample):
                what = f"{name}{aside}, {told}"
                batch, right = mentions(part), truth(part, known)
                if name in {"t26", "t6"} and not aside:
                    print(line(f"{what}, tf-idf", floor(batch, known), right, None))
                print(line(what, ours(batch, known, eager), right, eager.link_from))
                if name in {"t26", "t6"}:
                    taught, used = confirmed(everything, known, CONFIRMED)
                    rest = [case for case in part if case.text not in used]
                    score = ours(mentions(rest), known, eager, taught)
                    what += f", {CONFIRMED} confirmed"
                    print(line(what, score, truth(rest, known), eager.link_from))


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
    told = [incident for incident in known if incident.id.startswith("bench:gh")]
    words = sorted({word for one in told for word in one.updates[0].body.split()})
    made = [
        _incident(
            f"drawn{n}", " ".join(draw.sample(words, 5)), " ".join(draw.sample(words, 30)), []
        )
        for n in range(5_000 - len(known))
    ]
    return known + made


def _cost(batch: Sequence[Mention], known: Sequence[Incident]) -> float:
    """CPU of the linker with its reasons, in µs a post."""
    book = Book()
    for incident in known:
        book.put(incident)
    linker, nothing = Linker(book), dict[str, Label]()
    cuts = [batch[first : first + BATCH] for first in range(0, len(batch), BATCH)]
    parts = [(part, prepare(part), [nothing] * len(part)) for part in cuts]
    linker.link(*parts[0])
    began = time.process_time()
    for part in parts:
        linker.link(*part)
    return 1e6 * (time.process_time() - began) / len(batch)


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
    began = time.process_time()
    found = finder.find(batch, texts)
    cost = 1e6 * (time.process_time() - began) / len(batch)
    share = sum(bool(labels) for labels in found) / len(found)
    print(
        f"{cost:6.1f} µs a post, {count:,} aliases and the places of a country "
        f"({share:.0%} name any)"
    )


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.links", description="Quality of links.")
    parser.add_argument("--sample", type=int, default=3_000, help="posts of each set at most")
    options = parser.parse_args()
    if not DATA.is_dir():
        print("skipped: ../shared/data is not here")
        return 0
    sets = cases()
    table(sets, options.sample)
    speed(sets)
    for count in (5_000, 25_000):
        aliases_speed(sets["t26"], count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
