"""Looking again at what we hold: edits and deletes of platforms that do not tell of them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from collectors.times import from_us, to_us
from pipeline.errors import TryLater

log = logging.getLogger(__name__)

#: External ids of what we hold of a platform, said at or after a moment, in their order as text,
#: after one of them ("" for the first), so many at most. Raises TryLater. One that has an attribute
#: ``first``, a ``Held`` itself, lists by it what is to be looked at before the rest of a round.
Held: TypeAlias = Callable[[str, datetime, str, int], Sequence[str]]

#: When posts were looked at is remembered for so many stretches of ids.
STRETCHES: Final = 64
_KEY: Final = "checks"
_FIRST: Final = "first"


@dataclass(frozen=True, slots=True)
class Rechecks:
    """Goes through all that is held, round after round; where it stands is in the cursor.

    A round begins with what is linked or shown, where ``held`` tells what that is. ``every`` is how
    often each post is looked at, ``back`` how old posts may be (the platform's policy), ``at_once``
    how many are asked for in one go.
    """

    platform: str
    held: Held
    every: timedelta
    back: timedelta
    at_once: int = 20

    def due(self, own: dict[str, Any], now: datetime) -> Sequence[str]:
        """The next ids to look at; none when this round is over. ``own`` is ``Progress.own``."""
        stands = own.get(_KEY) or self._round(now, [])
        if stands["over"]:
            if to_us(now) < stands["began"] + self.every // timedelta(microseconds=1):
                return ()
            stands = self._round(now, stands.get("marks", []))
        try:
            found = self._held(stands, now)
            if not found and stands.get(_FIRST):
                stands = stands | {_FIRST: False, "after": ""}
                found = self._held(stands, now)
        except TryLater as trouble:  # reading goes on; the round, too, once it can be asked
            log.info("%s: no looking again: %s", self.platform, trouble)
            return ()
        own[_KEY] = stands | {"over": not found, "at": to_us(now)}
        return found

    def done(self, own: dict[str, Any], number: str) -> None:
        """That one was looked at, and what came of it was handed over."""
        stands = own[_KEY]
        marks = stands.get("marks", [])
        if not stands.get(_FIRST):
            marks = _thinned([*marks, [number, stands.get("at", stands["began"])]])
        own[_KEY] = {**stands, "after": number, "marks": marks}

    def checked_at(self, own: dict[str, Any], number: str) -> datetime | None:
        """Since when at the latest a post has been as we hold it; None if it was never looked at.

        The time is that of the oldest look among the ids around it: posts are looked at no later.
        """
        stands = own.get(_KEY) or {}
        for marks in (stands.get("marks", []), stands.get("was", [])):
            for last, at in marks:
                if number <= last:
                    return from_us(at)
        return None

    def trouble(self, own: dict[str, Any], now: datetime) -> str | None:
        """One line when a round takes twice as long as it should, else None."""
        stands = own.get(_KEY)
        if not stands or stands["over"]:
            return None
        age = now - from_us(stands["began"])
        if age < 2 * self.every:
            return None
        hours = age / timedelta(hours=1)
        return f"some of what is kept was not looked at again for {hours:.0f} h"

    def _round(self, now: datetime, marks: list[list[Any]]) -> dict[str, Any]:
        """A round that begins; what the one before it knows of looks is kept."""
        is_first = getattr(self.held, _FIRST, None) is not None
        told = {"began": to_us(now), "after": "", "over": False, "marks": [], "was": marks}
        return told | ({_FIRST: True} if is_first else {})

    def _held(self, stands: dict[str, Any], now: datetime) -> Sequence[str]:
        ask: Held = getattr(self.held, _FIRST) if stands.get(_FIRST) else self.held
        return ask(self.platform, now - self.back, stands["after"], self.at_once)


def _thinned(marks: list[list[Any]]) -> list[list[Any]]:
    """The marks, two made one where there are too many: up to the later id, at the older time."""
    if len(marks) <= STRETCHES:
        return marks
    kept = [
        [later[0], min(earlier[1], later[1])]
        for earlier, later in zip(marks[::2], marks[1::2], strict=False)
    ]
    return kept + marks[len(kept) * 2 :]
