"""Links: which open incidents a post is about, how sure that is, and why.

A link depends on the mention, the names of its labels, and what the book knows: the newest record
of each incident that took posts then, and what people taught about it. The incidents compete: the
probabilities of one post's links add up to no more than 1, so that what fits many is certain of
none and a post never has more than a handful. It depends on nothing else, not on the batch and not
on when it is asked; so worker and watch agree once they know the same, whatever the order.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.incidents import Book
from pipeline.model import Label, Link, Mention
from pipeline.steps.candidates import Candidates, Known
from pipeline.steps.features import KIND, TAUGHT, TEXT, features, weighed
from pipeline.steps.kinds import kinds as kinds_of
from pipeline.steps.likeness import Alike, Lesson
from pipeline.steps.matches import Match
from pipeline.steps.reasons import KINDS
from pipeline.steps.relations import Relations, named_too
from pipeline.steps.text import Texts
from pipeline.steps.weights import Weights
from pipeline.values import to_ms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Log-odds by which an incident must lag behind another to be no rival to it.
FAR_BEHIND: Final = 3.0
#: So many words of a post must be shared for a link that is certain.
ENOUGH_WORDS: Final = 2
#: More than any log-odds, so that mentions can be told apart by adding it.
_ROW: Final = 1_000.0
_NOTHING: Final = 1e-6


class Among(NamedTuple):
    """The candidates, and what is known of how names stand to them."""

    candidates: Candidates
    relations: Relations


class Batch(NamedTuple):
    """Mentions, aligned with their texts, labels, times (ms) and tones."""

    mentions: Sequence[Mention]
    texts: Texts
    labels: Sequence[Mapping[str, Label]]
    at: Ints
    tones: "Tones"


class Scored(NamedTuple):
    """Pairs in the order of their mentions: the odds, and the log-odds that each reason adds.

    ``kinds``: of event that the mention names, where text was compared.
    """

    rows: Ints
    columns: Ints
    odds: Floats
    kinds: Ints
    parts: dict[str, Floats]


class Linker:
    """Links mentions to the incidents of a book. One thread uses it; the book may change."""

    def __init__(self, book: Book, weights: Weights | None = None) -> None:
        self._book = book
        self._weights = weights or Weights()
        self._known: dict[tuple[str, int], Known] = {}
        self._among: tuple[int, Among] | None = None

    def link(
        self, mentions: Sequence[Mention], texts: Texts, labels: Sequence[Mapping[str, Label]]
    ) -> list[tuple[Link, ...]]:
        """For each mention its links, the likeliest first; mostly none.

        ``labels`` are those of the labeller and of the aliases together; only their names count.
        """
        matches = self.score_many(mentions, texts, labels)
        return [tuple(match.link() for match in own) if own else () for own in matches]

    def score_many(
        self, mentions: Sequence[Mention], texts: Texts, labels: Sequence[Mapping[str, Label]]
    ) -> list[list[Match]]:
        """For each mention its matches, the likeliest first: the links without their reasons."""
        found: list[list[Match]] = [[] for _ in mentions]
        among = self._current()
        if not mentions or not among.candidates.entries:
            return found
        at = np.array([to_ms(m.event_at) for m in mentions], np.int64)
        batch = Batch(mentions, texts, labels, at, Tones.of(labels, self._weights))
        scored = self._score(batch, among)
        for row, match in self._matches(batch, among.candidates, scored):
            found[row].append(match)
        for own in found:
            if len(own) > 1:
                own.sort(key=lambda match: (-match.p, -match.odds, match.entry.incident.id))
                del own[int(self._weights.links_at_most) :]
        return found

    def _current(self) -> Among:
        """What the book holds now, made ready; kept until the book changes."""
        version, current = self._book.version, self._among
        if current is None or current[0] != version:
            standing = self._book.standing()
            lessons = {}
            for one in standing:
                if (profile := self._book.profile(one.incident.id)) is not None:
                    columns = np.array(profile.columns, np.int32)
                    lessons[profile.incident] = Lesson(columns, np.array(profile.weights))
            candidates = Candidates(standing, self._known, lessons)
            made = Among(candidates, Relations(candidates.entries))
            current = self._among = version, made
        return current[1]

    def _score(self, batch: Batch, among: Among) -> Scored:
        """The pairs that anything speaks for and that are not out at once, with their odds."""
        w, candidates = self._weights, among.candidates
        takes = partial(candidates.takes, batch.mentions, batch.at)
        alike = candidates.likeness.compare(batch.texts.canonical, takes)
        fresh, named = candidates.fresh(batch.mentions, batch.at), candidates.named(batch.labels)
        rows = np.concatenate((alike.rows, fresh[0], named[0]))
        columns = np.concatenate((alike.columns, fresh[1], named[1]))
        kinds = _kinds(batch.texts.canonical, alike.rows)
        said = self._said(candidates, alike, kinds)
        more = rows.size - alike.rows.size
        said = {kind: np.concatenate((part, np.zeros(more))) for kind, part in said.items()}
        kinds = np.concatenate((kinds, np.zeros(more, np.int64)))
        most = _most(batch, rows, candidates.scoped[columns], w)
        most += np.sum(list(said.values()), axis=0)
        kept = np.flatnonzero(most >= w.least_odds)
        kept = kept[takes(rows[kept], columns[kept])]
        # A pair may have come up in several ways; the first is the one with what they share.
        width = len(candidates.entries)
        pairs, first = np.unique(rows[kept] * width + columns[kept], return_index=True)
        rows, columns = np.divmod(pairs, width)
        parts = {kind: part[kept[first]] for kind, part in said.items()}
        parts |= self._parts(batch, among, rows, columns)
        odds = np.where(candidates.scoped[columns], w.bias_on_track, w.bias)
        odds += np.sum(list(parts.values()), axis=0)
        likely = odds >= w.least_odds
        parts = {kind: part[likely] for kind, part in parts.items()}
        return Scored(
            rows[likely], columns[likely], odds[likely], kinds[kept[first]][likely], parts
        )

    def _said(self, candidates: Candidates, alike: Alike, kinds: Ints) -> dict[str, Floats]:
        """The log-odds that the texts add, per pair that is alike."""
        w, scoped = self._weights, candidates.scoped[alike.columns]
        found = features(alike, kinds, candidates.kinds[alike.columns], w)
        text, kind = weighed(found, TEXT, w), weighed(found, KIND, w)
        on_track = np.minimum(text * w.text_on_track, w.text_on_track_at_most)
        alone = np.minimum(text, w.one_word_at_most - kind)
        return {
            "text": np.where(scoped, on_track, np.where(alike.words < ENOUGH_WORDS, alone, text)),
            "kind": kind * np.where(scoped, w.text_on_track, 1.0),
            "taught": weighed(found, TAUGHT, w),
        }

    def _parts(self, batch: Batch, among: Among, rows: Ints, columns: Ints) -> dict[str, Floats]:
        """The log-odds that each reason but the texts adds, per pair."""
        w, (candidates, relations) = self._weights, among
        scoped, labels = candidates.scoped[columns], batch.labels
        component = relations.of("component", labels, rows, columns)
        component = named_too(component, batch.texts.plain, candidates.entries, rows, columns)
        place = relations.of("place", labels, rows, columns)
        soon = _time_odds(
            batch.at[rows], candidates.started[columns], candidates.opened[columns], w
        )
        return {
            "track": np.where(scoped, w.on_track, 0.0),
            "component": np.array(w.of_component)[component + 1],
            "place": np.where(
                scoped, np.array(w.of_place)[place + 1], np.array(w.of_place_off_track)[place + 1]
            ),
            "time": np.where(scoped, soon, 0.0),
            "intent": batch.tones.per_pair(rows, scoped),
        }

    def _matches(
        self, batch: Batch, candidates: Candidates, scored: Scored
    ) -> Iterator[tuple[int, Match]]:
        """The pairs that are likely among all those of their mention, with its number."""
        w, (rows, columns, odds, kinds, parts) = self._weights, scored
        bounded = np.minimum(odds, w.odds_at_most)
        others = _rivals(rows, candidates.family[columns], bounded)
        # Rounded, so that the last bits of a processor's arithmetic decide nothing.
        p = np.round(1 / (1 + np.exp(-bounded) * (1 + others)), 4)
        likely = np.flatnonzero(p >= w.suggest_from)
        values = {**parts, "rivals": -np.log1p(others)}
        told = np.stack([values[kind][likely] for kind in KINDS], axis=1).round(2)
        rivals = _strongest(scored, candidates.family)[likely]
        stamp = None if self._book.as_of else self._book.stamp
        cells = rows[likely], columns[likely], p[likely], odds[likely], kinds[likely], rivals, told
        for row, column, sure, odd, some, rival, own in zip(
            *(cell.tolist() for cell in cells), strict=True
        ):
            entry = candidates.entries[column]
            yield (
                row,
                Match(
                    entry,
                    sure,
                    odd,
                    "linked" if sure >= w.link_from else "suggested",
                    batch.mentions[row],
                    int(batch.at[row]),
                    batch.texts.canonical[row],
                    some,
                    batch.labels[row],
                    own,
                    None if rival < 0 else candidates.entries[rival],
                    entry.incident.version if stamp is None else stamp,
                ),
            )


def _kinds(canonicals: Sequence[str], rows: Ints) -> Ints:
    """For each pair the kinds of event that its mention names. ``rows`` rise."""
    used = _firsts(rows)
    own = kinds_of([canonicals[row] for row in rows[used].tolist()])
    found: Ints = own[np.cumsum(used) - 1]
    return found


def _firsts(rising: Ints) -> NDArray[np.bool_]:
    """Which of rising numbers are not the same as the one before."""
    first = np.ones(rising.size, np.bool_)
    first[1:] = rising[1:] != rising[:-1]
    return first


def _most(batch: Batch, rows: Ints, scoped: NDArray[np.bool_], w: Weights) -> Floats:
    """The most that a pair can reach beside its text, as far as the mention's labels allow."""
    most = batch.tones.per_pair(rows, scoped)
    most += w.most_component * _has("component", batch.labels, rows)
    most += w.most_place * _has("place", batch.labels, rows)
    most += np.where(scoped, w.bias_on_track + w.most_on_track, w.bias)
    return most


def _has(head: str, labels: Sequence[Mapping[str, Label]], rows: Ints) -> NDArray[np.bool_]:
    """For each pair whether its mention has a label under ``head``."""
    found: NDArray[np.bool_] = np.array([head in own for own in labels], np.bool_)[rows]
    return found


class Tones(NamedTuple):
    """What intent, noise and what there is to learn from it add to a post's links."""

    on_track: Floats
    off_track: Floats

    @classmethod
    def of(cls, labels: Sequence[Mapping[str, Label]], w: Weights) -> "Tones":
        """Those of each post."""
        intents = np.array([w.intent.get(_name(own, "intent"), 0.0) for own in labels])
        noise = np.array([_name(own, "noise") == "yes" for own in labels]) * w.noise
        told = np.array([_name(own, "informative") == "yes" for own in labels]) * w.informative
        return cls(intents + noise, intents * w.intent_off_track + noise + told)

    def per_pair(self, rows: Ints, scoped: NDArray[np.bool_]) -> Floats:
        """Those of the post of each pair."""
        return np.where(scoped, self.on_track[rows], self.off_track[rows])


def _name(labels: Mapping[str, Label], head: str) -> str:
    label = labels.get(head)
    return "" if label is None else label.name


def _time_odds(at: Ints, started: Ints, opened: Ints, w: Weights) -> Floats:
    """Most between start and opening, less the longer before the one or after the other."""
    after = np.maximum(at - np.maximum(opened, started), 0) / (w.hours_fresh * 3_600_000)
    before = np.maximum(started - at, 0) / (w.minutes_before * 60_000)
    odds: Floats = w.fresh * np.exp(-(after + before)) + w.early * (1 - np.exp(-before))
    return odds


def _rivals(rows: Ints, families: Ints, odds: Floats) -> Floats:
    """For each pair the sum of the odds of its rivals.

    Rivals are its mention's pairs with other matters, but for those that are far behind: however
    many incidents are open that a post has hardly anything to do with, they make none less certain.
    """
    if not rows.size:
        return odds
    keys = rows * _ROW - odds
    order = np.argsort(keys, kind="stable")
    chances = np.exp(odds)
    sums = np.concatenate(([0.0], np.cumsum(chances[order])))
    last = np.searchsorted(keys[order], keys + FAR_BEHIND, "right")
    first = np.searchsorted(rows, rows)
    _, matter = np.unique(rows * (int(families.max()) + 1) + families, return_inverse=True)
    own = np.bincount(matter, chances)[matter]
    # What is next to nothing is the rest of a subtraction.
    others = sums[last] - sums[first] - own
    found: Floats = np.where(others > _NOTHING, others, 0.0)
    return found


def _strongest(scored: Scored, family: Ints) -> Ints:
    """For each pair the incident with the best odds among its mention's other matters, or -1."""
    rows, columns = scored.rows, scored.columns
    order = np.lexsort((-scored.odds, rows))
    best = order[_firsts(rows[order])]  # of each mention
    own = np.cumsum(_firsts(rows)) - 1
    is_best = family[columns] == family[columns[best]][own]
    second = np.full(best.size, -1)
    rest = order[~is_best[order]]
    if rest.size:
        rest = rest[_firsts(rows[rest])]
        second[own[rest]] = columns[rest]
    found: Ints = np.where(is_best, second[own], columns[best][own])
    return found
