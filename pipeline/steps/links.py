"""Links: which open incidents a post is about, how sure that is, and why.

A link depends on the mention, the names of its labels and one record of the incident, on nothing
else: not on what other incidents are open, not on when it is asked. So the worker and the late
links of ``watch`` agree, in whatever order things arrive. That is why there is no margin to the
runner-up and no cap on the number of links among the features; the fixed table of rare words
(``likeness``) does much of the margin's work.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.incidents import EVER, Book, Standing
from pipeline.model import Incident, Label, Link, LinkState, Mention, to_ms
from pipeline.steps.candidates import Candidates, Entry
from pipeline.steps.likeness import Likeness
from pipeline.steps.reasons import reasons
from pipeline.steps.relations import Relations, named_too
from pipeline.steps.text import Texts
from pipeline.steps.weights import Weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Pairs(NamedTuple):
    """The probability of each pair of mention and incident, and the log-odds of each reason."""

    parts: dict[str, Floats]
    p: Floats


class Among(NamedTuple):
    """The candidates, and what is known of how names stand to them."""

    candidates: Candidates
    relations: Relations

    @classmethod
    def of(cls, candidates: Candidates) -> "Among":
        """With nothing known yet."""
        return cls(candidates, Relations(candidates.entries))


class Linker:
    """Links mentions to the incidents of a book. One thread uses it; the book may change."""

    def __init__(self, book: Book, weights: Weights | None = None) -> None:
        self._book = book
        self._weights = weights or Weights()
        self._known: dict[tuple[str, int], Entry] = {}
        self._among: tuple[int, Among] | None = None
        self._likeness: tuple[tuple[Entry, ...], Likeness] | None = None
        self._alone: tuple[Incident, Among] | None = None

    def link(
        self, mentions: Sequence[Mention], texts: Texts, labels: Sequence[Mapping[str, Label]]
    ) -> list[tuple[Link, ...]]:
        """For each mention its links, the likeliest first; mostly none.

        ``labels`` are those of the labeller and of the aliases together; only their names count.
        """
        among = self._current()
        candidates = among.candidates
        rows, columns = candidates.pairs(mentions)
        found: list[list[Link]] = [[] for _ in mentions]
        if rows.size:
            pairs = self._score(mentions, texts, labels, among, rows, columns)
            for number in np.flatnonzero(pairs.p >= self._weights.suggest_from).tolist():
                row = int(rows[number])
                entry = candidates.entries[int(columns[number])]
                found[row].append(
                    self._made(mentions[row], texts.plain[row], labels[row], entry, pairs, number)
                )
        return [tuple(sorted(links, key=lambda link: (-link.p, link.incident))) for links in found]

    def score_one(
        self,
        incident: Incident,
        mentions: Sequence[Mention],
        texts: Texts,
        labels: Sequence[Mapping[str, Label]],
    ) -> list[Link | None]:
        """For each mention its link to this record, None where there is none: ``link``'s answer.

        A dismissed or merged incident has no links. The record need not be in the book.
        """
        found: list[Link | None] = [None] * len(mentions)
        if not self._book.takes_posts(incident.id):
            return found
        among = self._of_one(incident)
        rows, columns = among.candidates.pairs(mentions)
        if not rows.size:
            return found
        pairs = self._score(mentions, texts, labels, among, rows, columns)
        for number in np.flatnonzero(pairs.p >= self._weights.suggest_from).tolist():
            row = int(rows[number])
            entry = among.candidates.entries[0]
            found[row] = self._made(
                mentions[row], texts.plain[row], labels[row], entry, pairs, number
            )
        return found

    def _of_one(self, incident: Incident) -> Among:
        """The candidates that this record alone makes; kept, since mentions come in pages."""
        alone = self._alone
        if alone is None or alone[0] is not incident:
            always = Standing(incident, -EVER, EVER)
            alone = self._alone = incident, Among.of(Candidates([always], {}))
        return alone[1]

    def _current(self) -> Among:
        version, current = self._book.version, self._among
        if current is None or current[0] != version:
            made = Among.of(Candidates.of(self._book, self._known))
            current = self._among = version, made
        return current[1]

    def _score(
        self,
        mentions: Sequence[Mention],
        texts: Texts,
        labels: Sequence[Mapping[str, Label]],
        among: Among,
        rows: Ints,
        columns: Ints,
    ) -> Pairs:
        """The probability of each pair and what it is made of."""
        w, (candidates, relations) = self._weights, among
        entries = candidates.entries
        scoped = np.array([bool(entry.tracks) for entry in entries])[columns]
        text = self._likeness_odds(texts, entries, rows, columns)
        fresh = _freshness(mentions, entries, rows, columns, w)
        component = relations.of("component", labels, rows, columns)
        component = named_too(component, texts.plain, entries, rows, columns)
        parts = {
            "track": np.where(scoped, w.on_track, 0.0),
            "text": np.where(
                scoped,
                np.minimum(text * w.text_on_track, w.text_on_track_at_most),
                np.minimum(text, w.text_at_most),
            ),
            "component": _looked_up(w.of_component, component),
            "place": _looked_up(w.of_place, relations.of("place", labels, rows, columns)),
            "time": np.where(scoped, w.fresh * fresh, 0.0),
            "intent": _intents(labels, w, scoped, rows),
        }
        odds = w.bias + sum(parts.values())
        # Rounded, so that the last bits of a processor's arithmetic decide nothing.
        return Pairs(parts, np.round(1 / (1 + np.exp(-odds)), 4))

    def _likeness_odds(
        self, texts: Texts, entries: Sequence[Entry], rows: Ints, columns: Ints
    ) -> Floats:
        """What the likeness to the whole incident and to its heading adds, per pair."""
        posts, row_of = np.unique(rows, return_inverse=True)
        used, column_of = np.unique(columns, return_inverse=True)
        key = tuple(entries[i] for i in used.tolist())
        kept = self._likeness
        if kept is None or kept[0] != key:
            kept = self._likeness = key, Likeness([entry.profile for entry in key])
        whole, heading = kept[1].compare([texts.plain[i] for i in posts.tolist()])
        odds = self._weights.whole * whole.astype(np.float64) + self._weights.heading * heading
        found: Floats = odds[row_of, column_of]
        return found

    def _made(
        self,
        mention: Mention,
        text: str,
        labels: Mapping[str, Label],
        entry: Entry,
        pairs: Pairs,
        number: int,
    ) -> Link:
        p = float(pairs.p[number])
        state: LinkState = "linked" if p >= self._weights.link_from else "suggested"
        parts = {kind: float(values[number]) for kind, values in pairs.parts.items()}
        return Link(
            incident=entry.incident.id,
            p=p,
            state=state,
            by="late" if mention.event_at < entry.incident.opened_at else "auto",
            evidence=reasons(mention, text, labels, entry, parts),
            incident_version=entry.incident.version,
        )


def _freshness(
    mentions: Sequence[Mention], entries: Sequence[Entry], rows: Ints, columns: Ints, w: Weights
) -> Floats:
    """1 between start and opening, less the longer before the one or after the other."""
    at = np.array([to_ms(m.event_at) for m in mentions], np.float64)[rows]
    started = np.array([e.started_ms for e in entries], np.float64)[columns]
    opened = np.array([e.opened_ms for e in entries], np.float64)[columns]
    after = np.maximum(at - np.maximum(opened, started), 0) / (w.hours_fresh * 3_600_000)
    before = np.maximum(started - at, 0) / (w.minutes_before * 60_000)
    return np.exp(-(after + before))


def _looked_up(weigh: Callable[[int], float], relations: NDArray[np.int8]) -> Floats:
    """The weight of each relation."""
    weights = np.array([weigh(relation) for relation in range(-1, 3)])
    found: Floats = weights[relations + 1]
    return found


def _intents(
    labels: Sequence[Mapping[str, Label]], w: Weights, scoped: NDArray[np.bool_], rows: Ints
) -> Floats:
    """What intent and noise of the post add, per pair."""
    intent = np.zeros(len(labels))
    noise = np.zeros(len(labels))
    for number, own in enumerate(labels):
        if (label := own.get("intent")) is not None:
            intent[number] = w.intent.get(label.name, 0.0)
        if (label := own.get("noise")) is not None and label.name == "yes":
            noise[number] = w.noise
    return intent[rows] * np.where(scoped, 1.0, w.intent_off_track) + noise[rows]
