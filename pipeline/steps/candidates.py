"""Which incidents a mention may be about at all, by time and track.

A mention and an incident are a pair when (a) they share a track, or the incident names none,
(b) the mention came no more than LOOK_BACK before the incident began, and (c) the incident took
posts at that moment: it was not closed, though it need not have been opened yet.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.incidents import EVER, Book, Standing
from pipeline.model import CLOSED, Incident, Mention, to_ms
from pipeline.steps import likeness
from pipeline.steps.places import fold
from pipeline.steps.text import plain

#: People feel a failure before its owner knows when it began.
LOOK_BACK: Final = timedelta(minutes=60)
#: Characters of the updates that are compared; the first say what it is, the last that it is over.
UPDATES_LOOKED_AT: Final = 2_000
#: Words rarer than this are shown as what a post shares with an incident.
SHOWN_FROM: Final = 2.5
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

    @cached_property
    def profile(self) -> likeness.Profile:
        """Its vectors."""
        return likeness.profile(self.heading, self.whole)

    @cached_property
    def rare_words(self) -> dict[str, float]:
        """The words of the whole that may tell it from others, and how rare each is."""
        words = sorted({word for word in spaced(self.whole).split() if len(word) > 2})
        rare = zip(words, likeness.rarities(words), strict=True)
        return {word: weight for word, weight in rare if weight >= SHOWN_FROM}

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
    """The records of a book that take posts, by time and track. Made anew when the book changes."""

    def __init__(self, standing: Sequence[Standing], known: dict[tuple[str, int], Entry]) -> None:
        """``known`` holds entries made before, by id and version; those in use are added."""
        self.entries: list[Entry] = []
        lows, highs, owners = [], [], []
        for incident, from_ms, until_ms in standing:
            key = incident.id, incident.version
            entry = known.get(key)
            if entry is None or entry.incident is not incident:
                entry = known[key] = Entry(incident)
            for low, high in entry.spans():
                if max(low, from_ms) < min(high, until_ms):
                    lows.append(max(low, from_ms))
                    highs.append(min(high, until_ms))
                    owners.append(len(self.entries))
            self.entries.append(entry)
        self._low = np.array(lows, np.int64)
        self._high = np.array(highs, np.int64)
        self._owner = np.array(owners, np.int64)
        self._by_tracks: dict[tuple[str, ...], NDArray[np.bool_]] = {}

    @classmethod
    def of(cls, book: Book, known: dict[tuple[str, int], Entry]) -> "Candidates":
        """Those of the whole book; entries of records that are gone are dropped from ``known``."""
        standing = book.standing()
        made = cls(standing, known)
        held = {(s.incident.id, s.incident.version) for s in standing}
        for key in [key for key in known if key not in held]:
            del known[key]
        return made

    def pairs(self, mentions: Sequence[Mention]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of mentions and of entries, pair by pair, ordered by mention."""
        at = np.array([to_ms(m.event_at) for m in mentions], np.int64)
        none = np.empty(0, np.int64)
        if not at.size or not self._low.size:
            return none, none
        live = np.flatnonzero((self._low <= at.max()) & (self._high > at.min()))
        if not live.size:
            return none, none
        mask = (at[:, None] >= self._low[live]) & (at[:, None] < self._high[live])
        for row in np.flatnonzero(mask.any(axis=1)).tolist():
            mask[row] &= self._on_track(mentions[row].tracks)[live]
        rows, columns = np.nonzero(mask)
        return rows, self._owner[live[columns]]

    def _on_track(self, tracks: Iterable[str]) -> NDArray[np.bool_]:
        """For each span whether its incident is open to posts of these tracks."""
        key = tuple(tracks)
        known = self._by_tracks.get(key)
        if known is None:
            fits = [not e.tracks or not e.tracks.isdisjoint(key) for e in self.entries]
            known = np.array(fits, np.bool_)[self._owner]
            if len(self._by_tracks) < 10_000:
                self._by_tracks[key] = known
        return known
