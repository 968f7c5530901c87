"""What ``bench.links`` measures and fits on: posts of crises, incidents open at once, and labels.

Labels come from the shipped heads, but for ``informative``, which was taught the very posts: three
heads in its place each left out a third of the events, and each post is read by one that never saw
its event.
"""

import csv
import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bench.models import shipped
from bench.training_data import training_rows
from pipeline.examples import Example
from pipeline.model import Component, Incident, Label, Mention, Profile, Update
from pipeline.profiles import lesson
from pipeline.steps.aliases import Aliases
from pipeline.steps.labels import Labeller
from pipeline.steps.text import prepare, prepare_texts
from pipeline.train import train

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MODELS = Path(__file__).resolve().parents[1] / "config" / "models"
NOW = datetime(2020, 1, 1, tzinfo=UTC)
INCIDENTS = 200
BATCH = 1_024
#: Heads of which each leaves out the events that are its part of so many.
FOLDS = 3
#: Sets of posts that are about no incident here; the first ones may teach what ships.
NONE_AT_ALL = (
    "uk_telecom_2019/stream_to_2019-11-27.csv.gz",
    "complaints_acl2019.csv.gz",
    "airline_sentiment_2015.csv.gz",
)
MAY_TEACH = 2
#: Events that cannot be told apart without time: the same kind of thing in the same country, or in
#: one week in the same posts.
TOGETHER = (
    frozenset({"2012_philipinnes_floods", "2013_manila_floods"}),
    frozenset({"2012_typhoon_pablo", "2013_typhoon_yolanda"}),
    frozenset({"2013_boston_bombings", "2013_west_texas_explosion"}),
)
Labels = list[Mapping[str, Label]]


@dataclass(frozen=True)
class Case:
    """A post, the event whose collection it comes from, and whether it is about it."""

    text: str
    event: str
    related: bool


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
    sets["none at all"] = about_none(NONE_AT_ALL)
    return sets


def about_none(files: Sequence[str]) -> list[Case]:
    """Posts that are about no incident."""
    return [Case(row["text"], "", related=False) for file in files for row in _rows(file)]


def together(event: str) -> frozenset[str]:
    """The events that are closed where that one is."""
    return next((some for some in TOGETHER if event in some), frozenset({event}))


# ---- incidents --------------------------------------------------------------------------------


def incidents(with_keywords: bool) -> list[Incident]:
    """The events as incidents, then incidents of a status page up to INCIDENTS."""
    events = json.loads((DATA / "crisislex_t26_events.json").read_text())
    made = [_event(key.lower(), event, with_keywords) for key, event in events.items()]
    # The one event of t6 that t26 has not.
    made.append(incident("2013_oklahoma_tornado", "Oklahoma tornado", "Tornado.", ["Oklahoma"]))
    with gzip.open(DATA / "status_github" / "incidents.jsonl.gz") as lines:
        for line in lines:
            if len(made) == INCIDENTS:
                break
            raw = json.loads(line)
            body = " ".join(update["message"] for update in raw["updates"])
            names = raw.get("components") or []
            made.append(incident(f"gh{raw['id']}", raw["title"], body, [], names))
    return made


def _event(key: str, event: dict[str, Any], with_keywords: bool) -> Incident:
    kind, where = event["categorization"], event["location"]["location_description"]
    body = f"{kind['type']} in {where}. {kind['sub_category']}."
    if with_keywords:
        body += " " + ", ".join(event["keywords"])
    return incident(key, event["name"], body, [where])


def incident(
    key: str, title: str, body: str, regions: Sequence[str], components: Sequence[str] = ()
) -> Incident:
    """An open incident without tracks that says this."""
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


def confirmed(
    posts: Sequence[Case], known: Sequence[Incident], count: int
) -> tuple[list[Profile], set[str]]:
    """What people teach who confirm so many posts of each event, and those posts' texts."""
    made, used = [], set()
    for one in known:
        event = one.id.removeprefix("bench:")
        about = sorted({case.text for case in posts if case.event == event and case.related})
        if about:
            chosen = random.Random(event).sample(about, min(count, len(about)))
            columns, weights = (part.tolist() for part in lesson(chosen))
            made.append(
                Profile(incident=one.id, version=1, columns=tuple(columns), weights=tuple(weights))
            )
            used.update(chosen)
    return made, used


# ---- posts ------------------------------------------------------------------------------------


def mentions(posts: Sequence[Case]) -> list[Mention]:
    """The posts as mentions of one moment, without tracks."""
    return [
        Mention(source="bench", external_id=str(number), text=case.text, said_at=NOW)
        for number, case in enumerate(posts)
    ]


def truth(posts: Sequence[Case], known: Sequence[Incident]) -> NDArray[np.int64]:
    """The number of the incident that each post is about, -1 for none."""
    number = {one.id: n for n, one in enumerate(known)}
    found = [number.get(f"bench:{case.event}", -1) if case.related else -1 for case in posts]
    return np.array(found, np.int64)


def labelled(posts: Sequence[Case], batch: Sequence[Mention]) -> Labels:
    """The labels of these posts, by heads that never saw their events."""
    found: Labels = [{}] * len(batch)
    folds = np.array([_fold(case.event) for case in posts])
    placed = Aliases().find(batch, prepare(batch))
    for fold, labeller in enumerate(_labellers()):
        some = np.flatnonzero(folds == fold).tolist()
        own = [batch[row] for row in some]
        for row, names in zip(some, labeller.label(own, prepare(own)), strict=True):
            found[row] = names | placed[row]
    return found


def _fold(event: str) -> int:
    return crc32(event.encode()) % FOLDS


@cache
def _labellers() -> list[Labeller]:
    """One for each fold; to train their heads takes a minute."""
    rows = training_rows("informative")
    made = []
    for fold in range(FOLDS):
        examples = [
            Example(r.text, r.labels[0], r.group or None, r.lang, r.weight, r.labels[1:])
            for r in rows
            if not r.group or _fold(r.group.lower()) != fold or not r.group.startswith("20")
        ]
        with TemporaryDirectory() as scratch:
            # The figures of its own cross-validation are not needed here: two folds are quicker.
            how = replace(shipped("informative"), folds=2)
            train(examples, "informative", Path(scratch), settings=how)
            made.append(Labeller.load([MODELS, Path(scratch)]))
    return made


def canonicals(posts: Sequence[Case]) -> list[str]:
    """The canonical texts of these posts."""
    return prepare_texts([case.text for case in posts]).canonical
