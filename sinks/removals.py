"""What removals mean for a mention. The rules, apart from any database.

A subject (a mention, or an author up to a time) has one newest request of each kind, so the state
does not depend on the order in which requests and mentions came. Erased is for good; between hidden
and shown the newer has the last word, and hidden has it when both are equally old.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from pipeline.model import Removal
from sinks.keys import Keys


class Request(NamedTuple):
    """A request as it is kept: the subject is a keyed hash, never the platform's id."""

    subject: str
    scope: str
    kind: str
    at: datetime


class State(NamedTuple):
    """What became of a mention, and under whose key it now stands."""

    is_hidden: bool
    is_erased: bool
    author_key: str | None


def requests(removals: Iterable[Removal], keys: Keys) -> list[Request]:
    """The requests in removals; one without a scope is about a mention and about an author."""
    made: dict[tuple[str, str, str], Request] = {}
    for removal in removals:
        subjects = {
            "mention": keys.mention(removal.removal),
            "author": keys.author(removal.removal),
        }
        for scope in subjects if removal.scope is None else (removal.scope,):
            key = (subjects[scope], scope, removal.kind)
            if key not in made or removal.at > made[key].at:
                made[key] = Request(*key, removal.at)
    return list(made.values())


class Requests:
    """All requests about a batch of mentions and their authors."""

    def __init__(self, known: Iterable[Request], keys: Keys) -> None:
        self._at = {(r.subject, r.scope, r.kind): r.at for r in known}
        self._keys = keys

    def __bool__(self) -> bool:
        return bool(self._at)

    def state(self, mention_id: str, author_key: str | None, event_at: datetime) -> State:
        """What they make of a mention. ``author_key`` may already be the token of an erased one."""
        if not self._at:
            return State(False, False, author_key)
        subject = self._keys.mention(mention_id)
        hidden = self._hides(subject, "mention", None)
        erased = (subject, "mention", "erased") in self._at
        if author_key is not None:
            hidden = hidden or self._hides(author_key, "author", event_at)
            until = self._at.get((author_key, "author", "erased"))
            if until is not None and event_at <= until:
                return State(hidden, True, self._keys.token(author_key))
        return State(hidden, erased, author_key)

    def _hides(self, subject: str, scope: str, event_at: datetime | None) -> bool:
        hidden = self._at.get((subject, scope, "hidden"))
        if hidden is None or (event_at is not None and event_at > hidden):
            return False
        shown = self._at.get((subject, scope, "shown"))
        return shown is None or shown <= hidden
