"""Which incidents a mention may be about at all, by time and track, and by what it says.

A mention and an incident are a pair when (a) they share a track, or the incident names none,
(b) the mention came no more than LOOK_BACK before the incident began, (c) the incident took posts
at that moment: it was not closed, though it need not have been opened yet, and (d) something speaks
for it: they share a rare stem, the mention names a component of the incident, or the incident is
one of the few that are fresh on the mention's track.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.incidents import EVER, Standing
from pipeline.model import CLOSED, Incident, Label, Mention
from pipeline.steps.kinds import kinds
from pipeline.steps.likeness import NO_LESSON, Lesson, Likeness, rarities
from pipeline.steps.outlines import Outline, Said, outlines
from pipeline.steps.places import fold
from pipeline.steps.stems import LETTERS
from pipeline.steps.text import plain, prepare_texts
from pipeline.values import to_ms

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: People feel a failure before its owner knows when it began.
LOOK_BACK: Final = timedelta(minutes=60)
#: Characters of the updates that are compared; the first say what it is, the last that it is over.
UPDATES_LOOKED_AT: Final = 2_000
#: Words rarer than this are shown as what a post shares with an incident.
SHOWN_FROM: Final = 2.5
#: For so long after its opening an incident is looked at for a post that says nothing but "it is
#: broken", and only if no more than so many are that fresh: what fits all points at none.
FRESH_FOR: Final = timedelta(hours=4)
FEW: Final = 8
#: Names and sets of tracks for which answers are kept; posts bring ever new places.
_KEPT: Final = 5_000
_WORDS: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, eq=False)
class Entry:
    """An incident's record, made ready to be compared. Its derived parts are made when needed.

    Two entries are equal only if they are the same object.
    """

    incident: Incident

    @cached_property
    def tracks(self) -> frozenset[str]:
        """The tracks it names; empty: it may be about any."""
        return frozenset(self.incident.tracks)

    @cached_property
    def components(self) -> tuple[str, ...]:
        """The folded names of its components."""
        return tuple(fold(c.name) for c in self.incident.components if spaced(c.name).strip())

    @cached_property
    def heading(self) -> str:
        """Title and components, without the names of its tracks, which every post of them has."""
        said = [self.incident.title, *(c.name for c in self.incident.components)]
        return self._without_tracks(" . ".join(said))

    @cached_property
    def words(self) -> str:
        """The heading's words in lower case with a space on either side of each."""
        return spaced(self.heading)

    @cached_property
    def whole(self) -> str:
        """Heading, regions and the beginning of what its updates say."""
        regions = " ".join(self.incident.regions)
        return f"{self.heading} {regions} {self._without_tracks(_bodies(self.incident))}"

    @property
    def said(self) -> Said:
        """What its outline is made of."""
        return Said(self.heading, self.whole, self.incident.regions)

    @cached_property
    def rare_words(self) -> dict[str, float]:
        """The stems of words that may tell it from others, and how rare each is."""
        words = self._canonical.split()
        told = sorted({word[:LETTERS] for word in words if len(word) > 2 and not word.isdigit()})
        rare = zip(told, rarities(told), strict=True)
        return {word: weight for word, weight in rare if weight >= SHOWN_FROM}

    @cached_property
    def kinds(self) -> int:
        """The kinds of event it names, as a set of ``kinds``."""
        return int(kinds([self._canonical])[0])

    @cached_property
    def started_ms(self) -> int:
        """When it began, in ms."""
        return to_ms(self.incident.started_at)

    @cached_property
    def opened_ms(self) -> int:
        """When its owner spoke first, in ms."""
        return to_ms(self.incident.opened_at)

    def spans(self) -> list[tuple[int, int]]:
        """From when until when (ms, end excluded) it takes posts, looking back included."""
        start = self.started_ms - int(LOOK_BACK / timedelta(milliseconds=1))
        ended = self.incident.resolved_at
        last = EVER if ended is None else to_ms(ended)
        spans: list[tuple[int, int]] = []
        opened: int | None = start
        for step in self.incident.history:
            at = to_ms(step.at)
            if step.status in CLOSED:
                if opened is not None:
                    spans.append((opened, at))
                opened = None
            elif opened is None:
                opened = at
        if opened is not None:
            spans.append((opened, EVER))
        return [
            (max(lo, start), min(hi, last)) for lo, hi in spans if max(lo, start) < min(hi, last)
        ]

    @cached_property
    def _canonical(self) -> str:
        return prepare_texts([self.whole]).canonical[0]

    def _without_tracks(self, text: str) -> str:
        cleaned = plain(text)
        for track in self.tracks:
            cleaned = _without(cleaned, track)
        return cleaned


def looked_at(incident: Incident) -> tuple[object, ...]:
    """All of a record that a link depends on, but for the spans in which it takes posts."""
    return (
        incident.title,
        tuple(component.name for component in incident.components),
        incident.regions,
        _bodies(incident),
        frozenset(incident.tracks),
        incident.started_at,
        incident.opened_at,
        incident.official_id,
    )


def _bodies(incident: Incident) -> str:
    """The beginning of what its updates say."""
    return " ".join(update.body for update in incident.updates)[:UPDATES_LOOKED_AT]


def spaced(text: str) -> str:
    """The words of a text in lower case, each with a space on either side."""
    return f" {' '.join(_WORDS.findall(text.lower()))} "


def _without(text: str, name: str) -> str:
    """The text without the words of that name, in any case."""
    return " ".join(
        word for word in text.split() if word.strip(".,:;!?()'\"").lower() != name.lower()
    )


class Candidates:
    """The records that take posts, by time, track and what they say. Made anew when they change."""

    def __init__(
        self,
        standing: Sequence[Standing],
        known: "dict[tuple[str, int], Known]",
        lessons: Mapping[str, Lesson],
    ) -> None:
        """``known`` holds what was made of records before, by id and version; it is kept level."""
        made = _known(standing, known)
        self.entries = [one.entry for one in made]
        taught = [lessons.get(entry.incident.id, NO_LESSON) for entry in self.entries]
        self.likeness = Likeness([one.outline for one in made], taught)
        #: The kinds of event that each names.
        self.kinds = np.array([one.outline.kinds for one in made], np.int64)
        self.scoped = np.array([bool(entry.tracks) for entry in self.entries], np.bool_)
        self.started = np.array([entry.started_ms for entry in self.entries], np.int64)
        self.opened = np.array([entry.opened_ms for entry in self.entries], np.int64)
        families = [entry.incident.official_id or entry.incident.id for entry in self.entries]
        #: A proposal and the official incident that took it over are one matter.
        self.family = np.unique(families, return_inverse=True)[1].astype(np.int64)
        spans = [
            [
                (max(low, one.from_ms), min(high, one.until_ms))
                for low, high in entry.spans()
                if max(low, one.from_ms) < min(high, one.until_ms)
            ]
            for entry, one in zip(self.entries, standing, strict=True)
        ]
        layers = max((len(own) for own in spans), default=0)
        padded = [own + [(EVER, -EVER)] * (layers - len(own)) for own in spans]
        self._spans = np.array(padded, np.int64).reshape(len(spans), layers, 2)
        self._tracks: dict[tuple[str, ...], Bools] = {}
        self._fresh: dict[tuple[str, ...], _Fresh] = {}
        self._named: dict[str, Ints] = {}

    def takes(self, mentions: Sequence[Mention], at: Ints, rows: Ints, columns: Ints) -> Bools:
        """For each pair whether the incident takes posts of that time and those tracks."""
        if not rows.size:
            return np.zeros(0, np.bool_)
        surely, never = self._throughout(int(at.min()), int(at.max()))
        found = surely[columns]
        asked = np.flatnonzero(~(found | never[columns]))
        rows, columns = rows[asked], columns[asked]
        fits = self._on_tracks(mentions, rows, columns)
        moment = at[rows]
        open_then = np.zeros(rows.size, np.bool_)
        for layer in range(self._spans.shape[1]):
            low, high = self._spans[columns, layer].T
            open_then |= (low <= moment) & (moment < high)
        found[asked] = fits & open_then
        return found

    def _throughout(self, first: int, last: int) -> tuple[Bools, Bools]:
        """Which incidents take all posts of these times whatever their track, and which none."""
        low, high = self._spans[:, :, 0], self._spans[:, :, 1]
        surely: Bools = np.any((low <= first) & (last < high), axis=1) & ~self.scoped
        ever: Bools = np.any((low <= last) & (first < high), axis=1)
        return surely, ~ever

    def _on_tracks(self, mentions: Sequence[Mention], rows: Ints, columns: Ints) -> Bools:
        """For each pair whether the incident is open to posts of the mention's tracks."""
        used, place = np.unique(rows, return_inverse=True)
        if not used.size:
            return np.zeros(0, np.bool_)
        numbers: dict[tuple[str, ...], int] = {}
        own = np.array(
            [numbers.setdefault(mentions[row].tracks, len(numbers)) for row in used.tolist()],
            np.int64,
        )
        fits = np.stack([self._on_track(tracks) for tracks in numbers])
        found: Bools = fits[own[place], columns]
        return found

    def fresh(self, mentions: Sequence[Mention], at: Ints) -> tuple[Ints, Ints]:
        """The pairs of mentions and the few incidents that are fresh on their tracks."""
        by_tracks: dict[tuple[str, ...], list[int]] = {}
        for row, mention in enumerate(mentions):
            if mention.tracks:
                by_tracks.setdefault(mention.tracks, []).append(row)
        rows, columns = [_NONE], [_NONE]
        for tracks, some in by_tracks.items():
            found, which = self._fresh_on(tracks).at(at[some])
            rows.append(np.array(some, np.int64)[found])
            columns.append(which)
        return np.concatenate(rows), np.concatenate(columns)

    def named(self, labels: Sequence[Mapping[str, Label]]) -> tuple[Ints, Ints]:
        """The pairs of mentions and incidents whose component they name, by any of its names."""
        rows, columns = [_NONE], [_NONE]
        for row, own in enumerate(labels):
            if (label := own.get("component")) is not None:
                which = self._of_component(label.name)
                rows.append(np.full(which.size, row, np.int64))
                columns.append(which)
        return np.concatenate(rows), np.concatenate(columns)

    def _of_component(self, name: str) -> Ints:
        known = self._named.get(name)
        if known is None:
            form, words = fold(name), spaced(name)
            fits = [form in e.components or words in e.words for e in self.entries]
            known = np.flatnonzero(fits)
            if len(self._named) < _KEPT:
                self._named[name] = known
        return known

    def _on_track(self, tracks: tuple[str, ...]) -> Bools:
        """For each incident whether it is open to posts of these tracks."""
        known = self._tracks.get(tracks)
        if known is None:
            fits = [not e.tracks or not e.tracks.isdisjoint(tracks) for e in self.entries]
            known = np.array(fits, np.bool_)
            if len(self._tracks) < _KEPT:
                self._tracks[tracks] = known
        return known

    def _fresh_on(self, tracks: tuple[str, ...]) -> "_Fresh":
        known = self._fresh.get(tracks)
        if known is None:
            which = np.flatnonzero(self._on_track(tracks) & self.scoped)
            spans = self._spans[which]
            until = self.opened[which] + int(FRESH_FOR / timedelta(milliseconds=1))
            high = np.minimum(spans[:, :, 1], until[:, None])
            layers = spans.shape[1]
            known = _Fresh.of(np.repeat(which, layers), spans[:, :, 0].ravel(), high.ravel())
            if len(self._fresh) < _KEPT:
                self._fresh[tracks] = known
        return known


_NONE: Final = np.empty(0, np.int64)


class _Fresh(NamedTuple):
    """Spans (ms) of incidents, and all their beginnings and ends in order."""

    which: Ints
    low: Ints
    high: Ints
    lows: Ints
    highs: Ints

    @classmethod
    def of(cls, which: Ints, low: Ints, high: Ints) -> "_Fresh":
        """These spans, without those that are empty."""
        kept = low < high
        which, low, high = which[kept], low[kept], high[kept]
        return cls(which, low, high, np.sort(low), np.sort(high))

    def at(self, moments: Ints) -> tuple[Ints, Ints]:
        """Numbers of moments and incidents, for moments at which there are a few."""
        count = np.searchsorted(self.lows, moments, "right")
        count -= np.searchsorted(self.highs, moments, "right")
        some = np.flatnonzero((count > 0) & (count <= FEW))
        moment = moments[some][:, None]
        rows, spans = np.nonzero((self.low <= moment) & (moment < self.high))
        return some[rows], self.which[spans]


class Known(NamedTuple):
    """A record's entry and outline."""

    entry: Entry
    outline: Outline


def _known(standing: Sequence[Standing], known: dict[tuple[str, int], Known]) -> list[Known]:
    """What is made of each record; ``known`` is brought level with them."""
    held = {(one.incident.id, one.incident.version): one.incident for one in standing}
    for key in [k for k, one in known.items() if held.get(k) is not one.entry.incident]:
        del known[key]
    missing = [key for key in held if key not in known]
    entries = [Entry(held[key]) for key in missing]
    made = outlines([entry.said for entry in entries])
    known |= dict(zip(missing, map(Known, entries, made), strict=True))
    return [known[one.incident.id, one.incident.version] for one in standing]
