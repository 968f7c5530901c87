"""The cursor of a source that is asked: where each question stands, and what was spent."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from collectors.kit.budget import Budget
from collectors.kit.money import Purse
from collectors.kit.times import to_us

log = logging.getLogger(__name__)

#: So many ids around its newest post a question remembers; the oldest go first.
MOST_IDS = 5_000


@dataclass(frozen=True, slots=True)
class Place:
    """How far one question was answered. All times are µs since 1970.

    ``at``: where the newest delivered entry stands; ``ids``: the entries around it, with where they
    stand; ``since`` and ``read``: from when to when everything was read (None: nothing yet).
    """

    at: int
    ids: Mapping[str, int] = field(default_factory=dict)
    since: int | None = None
    read: int | None = None

    def having(self, number: str, at: int, overlap: int | None) -> "Place":
        """With one more entry delivered. Without an ``overlap`` all ids are kept."""
        newest = max(self.at, at)
        ids = {**self.ids, number: at}
        if overlap is not None:
            ids = {known: stood for known, stood in ids.items() if stood >= newest - overlap}
        if len(ids) > MOST_IDS:
            ids = dict(sorted(ids.items(), key=lambda entry: entry[1])[-MOST_IDS:])
        return replace(self, at=newest, ids=ids)


class Progress:
    """The places of all questions, by their keys; ``own`` is the source's to keep what it likes.

    ``pushed``: what a stream told that looks may find again, with where it stands.
    What the cursor says was spent is told to ``budget`` and ``purse``, and read from them.
    """

    def __init__(self, budget: Budget, purse: Purse | None = None) -> None:
        self.places: dict[str, Place] = {}
        self.own: dict[str, Any] = {}
        self.pushed: dict[str, int] = {}
        self._budget = budget
        self._purse = purse

    @classmethod
    def of(
        cls, source: str, cursor: str | None, budget: Budget, purse: Purse | None = None
    ) -> "Progress":
        """What a cursor stands for; nothing, with a warning, when it is none of ours."""
        made = cls(budget, purse)
        if cursor is None:
            return made
        try:
            told = orjson.loads(cursor)
            places = {str(key): _place(value) for key, value in told["places"].items()}
            own = dict(told["own"])
            pushed = {str(n): int(at) for n, at in told.get("pushed", {}).items()}
            budget.recall(told["spent"])
            if purse is not None:
                purse.recall(told.get("reads", {}))
        except (ValueError, TypeError, KeyError, AttributeError):
            log.warning("%s: the stored cursor is none of this source: it starts anew", source)
            return cls(budget, purse)
        made.places, made.own, made.pushed = places, own, pushed
        return made

    @property
    def cursor(self) -> str:
        """As ``of`` reads it."""
        told: dict[str, Any] = {
            "places": {
                key: {"at": p.at, "ids": p.ids, "since": p.since, "read": p.read}
                for key, p in self.places.items()
            },
            "spent": self._budget.spent,
            "own": self.own,
        }
        if self.pushed:
            told["pushed"] = self.pushed
        if self._purse is not None:
            told["reads"] = self._purse.reads
        return orjson.dumps(told).decode()

    def has_delivered(self, number: str) -> bool:
        """Whether an entry came, by stream or look, as far as that is remembered."""
        return number in self.pushed or any(number in p.ids for p in self.places.values())

    def push(self, number: str, at: int) -> None:
        """That a stream told an entry."""
        self.pushed[number] = at
        if len(self.pushed) > MOST_IDS:
            del self.pushed[next(iter(self.pushed))]

    def forget_pushed(self, overlap: int) -> None:
        """Drops what no look will find again: what stands ``overlap`` µs before all reads."""
        read = min((p.at if p.read is None else p.read for p in self.places.values()), default=0)
        self.pushed = {n: at for n, at in self.pushed.items() if at >= read - overlap}

    def place(self, key: str, now: datetime, look_back: timedelta) -> Place:
        """Where a question stands; without one, ``look_back`` ago. Never in the future."""
        at = to_us(now)
        known = self.places.get(key)
        if known is None:
            return Place(to_us(now - look_back))
        read = None if known.read is None else min(known.read, at)
        since = None if known.since is None else min(known.since, at)
        return replace(known, at=min(known.at, at), read=read, since=since)


def _place(told: Mapping[str, Any]) -> Place:
    since, read = (None if told[name] is None else int(told[name]) for name in ("since", "read"))
    ids = {str(number): int(at) for number, at in told["ids"].items()}
    return Place(int(told["at"]), ids, since, read)
