"""Links: which open incidents a post is about, how sure that is, and why.

A link depends on the mention, the names of its labels, and what the book knows: the newest record
of each incident that took posts then, and what people taught about it. The incidents compete: the
probabilities of one post's links add up to no more than 1, so that what fits many is certain of
none and a post never has more than a handful. It depends on nothing else, not on the batch and not
on when it is asked; so worker and watch agree once they know the same, whatever the order.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.incidents import Book
from pipeline.model import Label, Link, LinkState, Mention
from pipeline.steps.candidates import Candidates, Entry, Known
from pipeline.steps.likeness import Alike, Lesson
from pipeline.steps.reasons import reasons
from pipeline.steps.relations import Relations, named_too
from pipeline.steps.text import Texts
from pipeline.steps.weights import Weights
from pipeline.values import to_ms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Log-odds by which an incident must lag behind another to be no rival to it.
FAR_BEHIND: Final = 3.0
#: More than any log-odds, so that mentions can be told apart by adding it.
_ROW: Final = 1_000.0
_NOTHING: Final = 1e-6


class Match(NamedTuple):
    """A mention and an incident that are likely enough to be linked.

    The link itself is made only when asked for: its reasons cost more than the score.
    """

    entry: Entry
    p: float
    state: LinkState
    mention: Mention
    text: str  # canonical
    labels: Mapping[str, Label]
    parts: Mapping[str, float]  # the log-odds that each reason adds
    rival: Entry | None  # the likeliest other incident
    known: int  # how much was known when it was made

    def link(self) -> Link:
        """The link with its reasons."""
        incident, mention = self.entry.incident, self.mention
        told = reasons(mention, self.text, self.labels, self.entry, self.parts, self.rival)
        # All of it was made here; checking it again would cost as much as the reasons.
        return Link.model_construct(
            incident=incident.id,
            p=self.p,
            state=self.state,
            by="late" if mention.event_at < incident.opened_at else "auto",
            evidence=told,
            incident_version=self.known,
        )


class Among(NamedTuple):
    """The candidates, and what is known of how names stand to them."""

    candidates: Candidates
    relations: Relations


class Batch(NamedTuple):
    """Mentions, aligned with their texts, labels and times (ms)."""

    mentions: Sequence[Mention]
    texts: Texts
    labels: Sequence[Mapping[str, Label]]
    at: Ints


class Scored(NamedTuple):
    """Pairs in the order of their mentions: the odds, and the log-odds that each reason adds."""

    rows: Ints
    columns: Ints
    odds: Floats
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
        batch = Batch(mentions, texts, labels, at)
        scored = self._score(batch, among)
        for row, match in self._matches(batch, among.candidates, scored):
            found[row].append(match)
        for own in found:
            if len(own) > 1:
                own.sort(key=lambda match: (-match.p, match.entry.incident.id))
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
        text, taught = _text_odds(alike, candidates.scoped[alike.columns], w)
        nothing = np.zeros(rows.size - text.size)
        text, taught = np.concatenate((text, nothing)), np.concatenate((taught, nothing))
        most = _most(batch.labels, rows, candidates.scoped[columns], w)
        kept = np.flatnonzero(text + taught + most >= w.least_odds)
        kept = kept[takes(rows[kept], columns[kept])]
        # A pair may have come up in several ways; the first is the one with what they share.
        width = len(candidates.entries)
        pairs, first = np.unique(rows[kept] * width + columns[kept], return_index=True)
        rows, columns = np.divmod(pairs, width)
        parts = {"text": text[kept[first]], "taught": taught[kept[first]]}
        parts |= self._parts(batch, among, rows, columns)
        odds = w.bias + np.sum(list(parts.values()), axis=0)
        likely = odds >= w.least_odds
        parts = {kind: part[likely] for kind, part in parts.items()}
        return Scored(rows[likely], columns[likely], odds[likely], parts)

    def _parts(self, batch: Batch, among: Among, rows: Ints, columns: Ints) -> dict[str, Floats]:
        """The log-odds that each reason but the text adds, per pair."""
        w, (candidates, relations) = self._weights, among
        scoped, labels = candidates.scoped[columns], batch.labels
        component = relations.of("component", labels, rows, columns)
        component = named_too(component, batch.texts.plain, candidates.entries, rows, columns)
        place = _looked_up(w.of_place, relations.of("place", labels, rows, columns))
        soon = _time_odds(
            batch.at[rows], candidates.started[columns], candidates.opened[columns], w
        )
        intent, noise = _tones(labels, rows, w)
        return {
            "track": np.where(scoped, w.on_track, 0.0),
            "component": _looked_up(w.of_component, component),
            "place": place * np.where(scoped, 1.0, w.place_off_track),
            "time": np.where(scoped, soon, 0.0),
            "intent": intent * np.where(scoped, 1.0, w.intent_off_track) + noise,
        }

    def _matches(
        self, batch: Batch, candidates: Candidates, scored: Scored
    ) -> Iterator[tuple[int, Match]]:
        """The pairs that are likely among all those of their mention, with its number."""
        w, (rows, columns, odds, parts) = self._weights, scored
        others = _rivals(rows, candidates.family[columns], odds)
        # Rounded, so that the last bits of a processor's arithmetic decide nothing.
        p = np.round(1 / (1 + np.exp(-odds) * (1 + others)), 4)
        values = {**parts, "rivals": -np.log1p(others)}
        stamp = None if self._book.as_of else self._book.stamp
        for pair in np.flatnonzero(p >= w.suggest_from).tolist():
            row, sure = int(rows[pair]), float(p[pair])
            entry = candidates.entries[int(columns[pair])]
            rival = _strongest(pair, candidates.family, scored)
            yield (
                row,
                Match(
                    entry,
                    sure,
                    "linked" if sure >= w.link_from else "suggested",
                    batch.mentions[row],
                    batch.texts.canonical[row],
                    batch.labels[row],
                    {kind: float(part[pair]) for kind, part in values.items()},
                    None if rival is None else candidates.entries[rival],
                    entry.incident.version if stamp is None else stamp,
                ),
            )


def _text_odds(alike: Alike, scoped: NDArray[np.bool_], w: Weights) -> tuple[Floats, Floats]:
    """What the words shared with the incident add, and what people taught, per pair."""
    what = np.minimum(alike.what, w.what_at_most)
    where = np.minimum(alike.where, w.where_at_most)
    odds = w.whole * alike.whole + w.heading * alike.heading + w.phrase * alike.phrase
    odds += w.what * what + w.where * where + w.both * np.minimum(what, where)
    on_track = np.minimum(odds * w.text_on_track, w.text_on_track_at_most)
    text = np.where(scoped, on_track, np.minimum(odds, w.text_at_most))
    return text, w.taught * np.clip(alike.taught, -w.rejected_at_most, w.taught_at_most)


def _most(
    labels: Sequence[Mapping[str, Label]], rows: Ints, scoped: NDArray[np.bool_], w: Weights
) -> Floats:
    """The most that a pair can reach beside its text, as far as the mention's labels allow."""
    intent, noise = _tones(labels, rows, w)
    most = w.bias + noise + intent * np.where(scoped, 1.0, w.intent_off_track)
    most += w.most_component * _has("component", labels, rows)
    most += w.most_place * _has("place", labels, rows)
    found: Floats = most + np.where(scoped, w.most_on_track, 0.0)
    return found


def _has(head: str, labels: Sequence[Mapping[str, Label]], rows: Ints) -> NDArray[np.bool_]:
    """For each pair whether its mention has a label under ``head``."""
    found: NDArray[np.bool_] = np.array([head in own for own in labels], np.bool_)[rows]
    return found


def _tones(labels: Sequence[Mapping[str, Label]], rows: Ints, w: Weights) -> tuple[Floats, Floats]:
    """What intent and noise of the post add, per pair."""
    intents = [w.intent.get(own["intent"].name, 0.0) if "intent" in own else 0.0 for own in labels]
    noises = [w.noise if "noise" in own and own["noise"].name == "yes" else 0.0 for own in labels]
    return np.array(intents)[rows], np.array(noises)[rows]


def _time_odds(at: Ints, started: Ints, opened: Ints, w: Weights) -> Floats:
    """Most between start and opening, less the longer before the one or after the other."""
    after = np.maximum(at - np.maximum(opened, started), 0) / (w.hours_fresh * 3_600_000)
    before = np.maximum(started - at, 0) / (w.minutes_before * 60_000)
    odds: Floats = w.fresh * np.exp(-(after + before)) + w.early * (1 - np.exp(-before))
    return odds


def _looked_up(weigh: Callable[[int], float], relations: NDArray[np.int8]) -> Floats:
    """The weight of each relation."""
    weights = np.array([weigh(relation) for relation in range(-1, 3)])
    found: Floats = weights[relations + 1]
    return found


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


def _strongest(pair: int, families: Ints, scored: Scored) -> int | None:
    """The number of the incident with the best odds among the rivals of a pair."""
    first, last = np.searchsorted(scored.rows, [scored.rows[pair], scored.rows[pair] + 1])
    if last - first < 2:
        return None
    columns, odds = scored.columns[first:last], scored.odds[first:last]
    other = np.flatnonzero(families[columns] != families[scored.columns[pair]])
    return int(columns[other[np.argmax(odds[other])]]) if other.size else None
