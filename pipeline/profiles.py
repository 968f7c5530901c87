"""What people teach: their links and unlinks become a profile of each incident.

A profile is the mean of what confirmed posts say, less that of rejected ones, as hashed weights
without text. ``watch`` makes it, since it can read the texts back from the warehouse, and publishes
it on a compacted topic; worker and watch score with what stands there. Only people teach: links
that the machine made itself would only make it surer of its mistakes.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from pipeline.incidents import Book
from pipeline.model import Decision, Profile
from pipeline.ports import Warehouse
from pipeline.steps.likeness import NO_LESSON, Lesson, vectors
from pipeline.steps.text import prepare_texts

#: The verbs that teach.
TEACHING: Final = frozenset({"link", "unlink"})
#: The newest posts of each kind that count, and the columns that are kept, the weightiest.
POSTS: Final = 200
COLUMNS: Final = 256
#: What a rejected post takes away, where a confirmed one gives 1.
REJECTED: Final = 0.5
#: So many posts are trusted by half.
DOUBT: Final = 2


def lesson(
    confirmed: Sequence[str], rejected: Sequence[str] = (), without: Iterable[str] = ()
) -> Lesson:
    """What these texts teach about the incident that they are about, or are not.

    A few teach less than many. ``without``: names that every post has, which tell nothing.
    """
    names = prepare_texts(list(without)).canonical
    left_out = {column for one in vectors(names) for column in one.columns.tolist()}
    weights: dict[int, float] = {}
    for texts, share in ((confirmed, 1.0), (rejected, -REJECTED)):
        for one in vectors(prepare_texts(texts).canonical):
            for column, weight in zip(one.columns.tolist(), one.weights.tolist(), strict=True):
                if column not in left_out:
                    weights[column] = weights.get(column, 0.0) + share * weight / len(texts)
    kept = sorted(sorted(weights, key=lambda c: (-abs(weights[c]), c))[:COLUMNS])
    if not kept:
        return NO_LESSON
    found = np.array([weights[column] for column in kept])
    length = max(float(np.sqrt(found @ found)), 1e-9)
    count = len(confirmed) + len(rejected)
    trust = count / (count + DOUBT)
    return Lesson(np.array(kept, np.int32), np.round(trust * found / length, 4))


class Lessons:
    """People's links and unlinks, and the incidents whose profiles are to be made anew.

    ``settle``: after so long (of the clock that gives ``now``) an incident is looked at once more,
    for texts that were still on their way to or from the warehouse. 0 in a replay, where nothing
    is under way when it is asked.
    """

    def __init__(self, warehouse: Warehouse, book: Book, settle: timedelta) -> None:
        self._warehouse = warehouse
        self._book = book
        self._settle = settle
        self._words: dict[str, dict[str, Decision]] = {}  # by incident, then mention
        self._incidents: dict[str, set[str]] = {}  # by mention
        self._asked: dict[str, None] = {}
        self._again: dict[str, datetime] = {}

    def take(self, decision: Decision) -> None:
        """Takes a person's word on a mention and an incident; the highest (at, id) counts."""
        if decision.verb not in TEACHING:
            return
        words = self._words.setdefault(decision.value, {})
        held = words.get(decision.subject)
        if held is None or (held.at, held.id) < (decision.at, decision.id):
            words[decision.subject] = decision
            self._incidents.setdefault(decision.subject, set()).add(decision.value)

    def ask(self, incident_id: str, now: datetime) -> None:
        """Asks for the profile of an incident, or of what it was merged into, to be made anew."""
        self._asked[self._book.resolve(incident_id)] = None
        if self._settle:
            self._again[self._book.resolve(incident_id)] = now + self._settle

    def ask_of(self, mention_id: str, now: datetime) -> None:
        """The same for all that a mention teaches about: it arrived, changed, or was removed."""
        for incident_id in self._incidents.get(mention_id, ()):
            self.ask(incident_id, now)

    def ask_all(self, now: datetime) -> None:
        """The same for every incident that anybody taught about: an author was removed."""
        for incident_id in self._words:
            self.ask(incident_id, now)

    def is_known(self, mention_id: str) -> bool:
        """Whether a mention teaches anything."""
        return mention_id in self._incidents

    def learn(self, now: datetime) -> list[Profile]:
        """The profiles that changed, with the version after the one in the book. Raises TryLater.

        The book has them already.
        """
        due = [one for one, at in self._again.items() if at <= now]
        asked = [one for one in {**self._asked, **dict.fromkeys(due)} if self._taught(one)]
        changed = [made for one in asked if (made := self._made(one)) is not None]
        for incident_id in due:
            del self._again[incident_id]
        self._asked.clear()
        for profile in changed:
            self._book.learn(profile)
        return changed

    def _taught(self, incident_id: str) -> list[Decision]:
        """The words that count for an incident: its own and those of what was merged into it."""
        words: dict[str, Decision] = {}
        for own, some in self._words.items():
            if self._book.resolve(own) == incident_id:
                for mention_id, word in some.items():
                    held = words.get(mention_id)
                    if held is None or (held.at, held.id) < (word.at, word.id):
                        words[mention_id] = word
        return sorted(words.values(), key=lambda word: (word.at, word.id))

    def _made(self, incident_id: str) -> Profile | None:
        """The profile of an incident, None if it is what the book has."""
        words = self._taught(incident_id)
        linked = [word.subject for word in words if word.verb == "link"][-POSTS:]
        unlinked = [word.subject for word in words if word.verb == "unlink"][-POSTS:]
        texts = self._texts([*linked, *unlinked])
        incident = self._book.get(incident_id)
        names = () if incident is None else incident.tracks
        made = lesson(_those(texts, linked), _those(texts, unlinked), names)
        columns, weights = tuple(made.columns.tolist()), tuple(made.weights.tolist())
        held = self._book.profile(incident_id)
        if held is None and not columns:
            return None
        if held is not None and (held.columns, held.weights) == (columns, weights):
            return None
        version = 1 if held is None else held.version + 1
        return Profile(incident=incident_id, version=version, columns=columns, weights=weights)

    def _texts(self, mention_ids: Sequence[str]) -> dict[str, str]:
        """The texts of these mentions, without those that are removed or not there yet."""
        rows = self._warehouse.rows("texts_of", ids=list(mention_ids))
        return {row["id"]: row["text"] for row in rows}


def _those(texts: dict[str, str], mention_ids: Iterable[str]) -> list[str]:
    return [texts[one] for one in mention_ids if one in texts]
