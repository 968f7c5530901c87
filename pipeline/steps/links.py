"""Links: which open incidents a post is about, how sure that is, and why.

A link depends on the mention, the names of its labels and one record of the incident, on nothing
else: not on what other incidents are open, not on when it is asked. So the worker and the late
links of ``watch`` agree, in whatever order things arrive. That is why there is no margin to the
runner-up and no cap on the number of links among the features; the fixed table of rare words
(``likeness``) does much of the margin's work.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.incidents import Book, Standing
from pipeline.model import Label, Link, LinkState, Mention, to_ms
from pipeline.steps.candidates import Candidates, Entry, spaced
from pipeline.steps.likeness import Likeness
from pipeline.steps.reasons import reasons
from pipeline.steps.relations import Relations, named_too
from pipeline.steps.text import Texts
from pipeline.steps.weights import Weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Match(NamedTuple):
    """A mention and an incident that are likely enough to be linked.

    The link itself is made only when asked for: its reasons cost more than the score.
    """

    entry: Entry
    p: float
    state: LinkState
    mention: Mention
    text: str
    labels: Mapping[str, Label]
    parts: Mapping[str, float]  # the log-odds that each reason adds

    def link(self) -> Link:
        """The link with its reasons."""
        incident, mention = self.entry.incident, self.mention
        return Link(
            incident=incident.id,
            p=self.p,
            state=self.state,
            by="late" if mention.event_at < incident.opened_at else "auto",
            evidence=reasons(mention, _words(self.text), self.labels, self.entry, self.parts),
            incident_version=incident.version,
        )


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
        self._asked: tuple[Sequence[Standing], int, Among] | None = None

    def link(
        self, mentions: Sequence[Mention], texts: Texts, labels: Sequence[Mapping[str, Label]]
    ) -> list[tuple[Link, ...]]:
        """For each mention its links, the likeliest first; mostly none.

        ``labels`` are those of the labeller and of the aliases together; only their names count.
        """
        matches = self._score(mentions, texts, labels, self._current())
        found = [[match.link() for match in own] for own in matches]
        return [tuple(sorted(links, key=lambda link: (-link.p, link.incident))) for links in found]

    def score_many(
        self,
        asked: Sequence[Standing],
        mentions: Sequence[Mention],
        texts: Texts,
        labels: Sequence[Mapping[str, Label]],
    ) -> list[list[Match]]:
        """For each mention its matches with these records, in their order: ``link``'s answers.

        Dismissed and merged incidents have none. The records need not be in the book; what is
        derived from them is kept for as long as the same sequence is asked for, page by page.
        """
        version, kept = self._book.version, self._asked
        if kept is None or kept[0] is not asked or kept[1] != version:
            open_ = [one for one in asked if self._book.takes_posts(one.incident.id)]
            kept = self._asked = asked, version, Among.of(Candidates(open_, {}))
        return self._score(mentions, texts, labels, kept[2])

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
    ) -> list[list[Match]]:
        """For each mention the pairs that are likely enough, and what each is made of."""
        w, entries = self._weights, among.candidates.entries
        rows, columns = among.candidates.pairs(mentions)
        if not rows.size:
            return [[] for _ in mentions]
        scoped = np.array([bool(entry.tracks) for entry in entries])[columns]
        text = self._likeness_odds(texts, entries, rows, columns, scoped)
        # Most pairs are out already: nothing that is left could lift them over the threshold.
        kept = np.flatnonzero(text + np.where(scoped, w.most_on_track, w.most) >= w.least_odds)
        rows, columns = rows[kept], columns[kept]
        parts = self._parts(mentions, texts, labels, among, rows, columns)
        parts["text"] = text[kept]
        odds = w.bias + sum(parts.values())
        # Rounded, so that the last bits of a processor's arithmetic decide nothing.
        p = np.round(1 / (1 + np.exp(-odds)), 4)
        likely = np.flatnonzero(p >= w.suggest_from)
        values = np.column_stack([parts[kind][likely] for kind in parts]).tolist()
        pairs = rows[likely].tolist(), columns[likely].tolist(), p[likely].tolist(), values
        found: list[list[Match]] = [[] for _ in mentions]
        for row, column, sure, adds in zip(*pairs, strict=True):
            state: LinkState = "linked" if sure >= w.link_from else "suggested"
            said = mentions[row], texts.plain[row], labels[row], dict(zip(parts, adds, strict=True))
            found[row].append(Match(entries[column], sure, state, *said))
        return found

    def _parts(
        self,
        mentions: Sequence[Mention],
        texts: Texts,
        labels: Sequence[Mapping[str, Label]],
        among: Among,
        rows: Ints,
        columns: Ints,
    ) -> dict[str, Floats]:
        """The log-odds that each reason but the likeness adds, per pair."""
        w, (candidates, relations) = self._weights, among
        entries = candidates.entries
        scoped = np.array([bool(entry.tracks) for entry in entries])[columns]
        component = relations.of("component", labels, rows, columns)
        component = named_too(component, texts.plain, entries, rows, columns)
        soon = _time_odds(mentions, entries, rows, columns, w)
        place = _looked_up(w.of_place, relations.of("place", labels, rows, columns))
        return {
            "track": np.where(scoped, w.on_track, 0.0),
            "component": _looked_up(w.of_component, component),
            "place": place * np.where(scoped, 1.0, w.place_off_track),
            "time": np.where(scoped, soon, 0.0),
            "intent": _intents(labels, w, scoped, rows),
        }

    def _likeness_odds(
        self,
        texts: Texts,
        entries: Sequence[Entry],
        rows: Ints,
        columns: Ints,
        scoped: NDArray[np.bool_],
    ) -> Floats:
        """What the likeness to the whole incident and to its heading adds, per pair."""
        w = self._weights
        posts, row_of = _renumbered(rows, len(texts.plain))
        used, column_of = _renumbered(columns, len(entries))
        key = tuple(entries[i] for i in used.tolist())
        kept = self._likeness
        if kept is None or kept[0] != key:
            kept = self._likeness = key, Likeness([entry.profile for entry in key])
        whole, heading = kept[1].compare([texts.plain[i] for i in posts.tolist()])
        odds = (w.whole * whole.astype(np.float64) + w.heading * heading)[row_of, column_of]
        on_track = np.minimum(odds * w.text_on_track, w.text_on_track_at_most)
        found: Floats = np.where(scoped, on_track, np.minimum(odds, w.text_at_most))
        return found


@lru_cache(maxsize=4)
def _words(text: str) -> frozenset[str]:
    """The words of a post: its links are made one after the other."""
    return frozenset(spaced(text).split())


def _renumbered(numbers: Ints, count: int) -> tuple[Ints, Ints]:
    """The distinct ones of ``numbers`` (below ``count``), and for each its place among them."""
    used = np.flatnonzero(np.bincount(numbers, minlength=count))
    place = np.zeros(count, np.int64)
    place[used] = np.arange(used.size)
    return used, place[numbers]


def _time_odds(
    mentions: Sequence[Mention], entries: Sequence[Entry], rows: Ints, columns: Ints, w: Weights
) -> Floats:
    """Most between start and opening, less the longer before the one or after the other."""
    at = np.array([to_ms(m.event_at) for m in mentions], np.float64)[rows]
    started = np.array([e.started_ms for e in entries], np.float64)[columns]
    opened = np.array([e.opened_ms for e in entries], np.float64)[columns]
    after = np.maximum(at - np.maximum(opened, started), 0) / (w.hours_fresh * 3_600_000)
    before = np.maximum(started - at, 0) / (w.minutes_before * 60_000)
    odds: Floats = w.fresh * np.exp(-(after + before)) + w.early * (1 - np.exp(-before))
    return odds


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
