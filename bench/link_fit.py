"""Fits the weights of links off track: ``python -m bench.links --fit`` writes them.

A choice among all incidents that share anything rare with a post, and none, by maximum likelihood.
What is learnt from: samples of posts of the events that are not set aside, with and without
keywords, before and after 20 confirmations; the same posts where their own event is not open; and
posts about none at all, of the sets that may teach. All events weigh the same; posts that a set
calls unrelated though they were collected for the event weigh UNRELATED of others, since many of
them do speak of it. No weight has the wrong sign. Then the bias is set so that automatic links are
false for FALSE_ALLOWED of all posts whose event is not open or that are about none at all.
"""

import json
import random
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from bench.background import SET_ASIDE
from bench.link_cases import (
    BATCH,
    MAY_TEACH,
    NONE_AT_ALL,
    NOW,
    Case,
    Labels,
    about_none,
    cases,
    confirmed,
    incidents,
    labelled,
    mentions,
    together,
    truth,
)
from pipeline.incidents import Book
from pipeline.model import Incident, Profile
from pipeline.steps.candidates import Candidates
from pipeline.steps.features import KIND, TAUGHT, TEXT, features
from pipeline.steps.kinds import kinds
from pipeline.steps.likeness import Lesson
from pipeline.steps.relations import Relations
from pipeline.steps.text import prepare
from pipeline.steps.weights import FITTED, Weights
from pipeline.values import to_ms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Posts of each set that are learnt from.
SAMPLE = 6_000
CONFIRMED = 20
#: What all posts of one event weigh together, and what one of those weighs whose event is closed.
EVENT = 300.0
UNRELATED = 0.5
#: Share of posts about no open incident that may be linked for certain.
FALSE_ALLOWED = 0.002
#: Weights that speak against a link; all others speak for one.
AGAINST = frozenset({"other_kind", "other_place_off_track"})
_PLACES = ("same_place_off_track", "within_place_off_track", "other_place_off_track")
NAMES = (*TEXT, *KIND, *TAUGHT, *_PLACES, "informative")


class Learnt(NamedTuple):
    """Pairs of posts and incidents, by post; a weight for each post, 0 if it says nothing."""

    table: Floats  # pairs × NAMES
    rows: Ints
    right: NDArray[np.bool_]  # of each pair
    weights: Floats  # of each post


def fit() -> dict[str, float]:
    """The weights by name, rounded."""
    told = list(_all())
    guess = np.r_[-5.0, np.full(len(NAMES), 0.2)]
    sign = np.array([-1.0 if name in AGAINST else 1.0 for name in NAMES])
    told = [part._replace(table=part.table * sign) for part in told]
    solve: Any = minimize  # its stubs know no function that returns its gradient, too
    found = solve(
        _loss,
        guess,
        args=(told,),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None)] + [(0.0, None)] * len(NAMES),
        options={"maxiter": 400},
    ).x
    made = dict(zip(NAMES, (found[1:] * sign).round(2).tolist(), strict=True))
    best = np.concatenate([_best(part, found[1:]) for part in told if not part.right.any()])
    cut = np.sort(best)[-int(FALSE_ALLOWED * best.size) - 1]
    certain = Weights().link_from
    made["bias"] = round(float(np.log(certain / (1 - certain)) - cut), 2)
    return made


def write() -> None:
    """Fits and writes the file that ships."""
    made = fit()
    FITTED.write_text(json.dumps(dict(sorted(made.items())), indent=1) + "\n")
    print(f"{FITTED.name}: {made}")


def _all() -> Iterator[Learnt]:
    """All that is learnt from."""
    sets = cases()
    may_teach = about_none(NONE_AT_ALL[:MAY_TEACH])
    for name, everything in (("t26", sets["t26"]), ("t6", sets["t6"]), ("none", may_teach)):
        tuned = [case for case in everything if case.event not in SET_ASIDE]
        posts = random.Random(3).sample(tuned, min(SAMPLE, len(tuned)))
        labels = labelled(posts, mentions(posts))
        for with_keywords in (True, False):
            known = incidents(with_keywords)
            if name != "none":
                taught, used = confirmed(everything, known, CONFIRMED)
                new = [row for row, case in enumerate(posts) if case.text not in used]
                yield _open(posts, known, labels)
                rest = [posts[row] for row in new]
                yield _open(rest, known, [labels[row] for row in new], taught)
            yield _closed(posts, known, labels)


def _open(
    posts: Sequence[Case], known: Sequence[Incident], labels: Labels, taught: Sequence[Profile] = ()
) -> Learnt:
    """Posts whose event is open. One that shares nothing with it says nothing."""
    table, rows, columns = pairs(posts, known, labels, taught)
    right = truth(posts, known)
    hit = columns == right[rows]
    names = sorted({case.event for case in posts})
    event = np.array([names.index(case.event) for case in posts])
    weights = EVENT / np.bincount(event)[event]
    reached = np.isin(np.arange(len(posts)), rows[hit])
    weights *= np.where(right < 0, UNRELATED, reached)
    return Learnt(table, rows, hit, weights)


def _closed(posts: Sequence[Case], known: Sequence[Incident], labels: Labels) -> Learnt:
    """The same posts where their event is not open: they are about none."""
    table, rows, columns = pairs(posts, known, labels)
    ids = [one.id.removeprefix("bench:") for one in known]
    closed = [together(case.event) for case in posts]
    kept = np.array(
        [
            ids[column] not in closed[row]
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
    )
    right = np.zeros(int(kept.sum()), np.bool_)
    return Learnt(table[kept], rows[kept], right, np.ones(len(posts)))


def pairs(
    posts: Sequence[Case],
    known: Sequence[Incident],
    labels: Labels,
    taught: Sequence[Profile] = (),
) -> tuple[Floats, Ints, Ints]:
    """What speaks for each pair (pairs × NAMES), and the numbers of its post and its incident."""
    book = Book()
    for one in known:
        book.put(one)
    lessons = {p.incident: Lesson(np.array(p.columns), np.array(p.weights)) for p in taught}
    candidates = Candidates(book.standing(), {}, lessons)
    number = {one.id: n for n, one in enumerate(known)}
    order = np.array([number[entry.incident.id] for entry in candidates.entries])
    relations, batch = Relations(candidates.entries), mentions(posts)
    found: list[tuple[Floats, Ints, Ints]] = []
    for first in range(0, len(batch), BATCH):
        part, own = batch[first : first + BATCH], labels[first : first + BATCH]
        at = np.full(len(part), to_ms(NOW))
        canonical = prepare(part).canonical
        alike = candidates.likeness.compare(canonical, partial(candidates.takes, part, at))
        said = features(
            alike, kinds(canonical)[alike.rows], candidates.kinds[alike.columns], Weights()
        )
        place = relations.of("place", own, alike.rows, alike.columns)
        told = np.array(["informative" in o and o["informative"].name == "yes" for o in own])
        table = np.stack(
            [
                *(said[name] for name in (*TEXT, *KIND, *TAUGHT)),
                *(place == relation for relation in (2, 1, -1)),
                told[alike.rows],
            ],
            axis=1,
        )
        found.append((table.astype(np.float64), alike.rows + first, order[alike.columns]))
    tables, rows, columns = zip(*found, strict=True)
    return np.concatenate(tables), np.concatenate(rows), np.concatenate(columns)


def _loss(at: Floats, told: Sequence[Learnt]) -> tuple[float, Floats]:
    """Minus the log-likelihood of all posts, and its gradient."""
    total, slope = float(at[1:] @ at[1:]), np.r_[0.0, 2 * at[1:]]
    for table, rows, right, weights in told:
        odds = np.clip(at[0] + table @ at[1:], -30, 30)
        chance = np.exp(odds)
        whole = 1 + np.bincount(rows, chance, weights.size)
        of_pair = weights[rows]
        total += float(weights @ np.log(whole) - of_pair[right] @ odds[right])
        off = of_pair * (chance / whole[rows] - right)
        slope[0] += off.sum()
        slope[1:] += table.T @ off
    return total, slope


def _best(told: Learnt, weights: Floats) -> Floats:
    """The best odds of each post without the bias, very low where it has no pair."""
    best = np.full(told.weights.size, -1e3)
    np.maximum.at(best, told.rows, told.table @ weights)
    return best
