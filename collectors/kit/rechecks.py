"""Looking again at what we hold: edits and deletes of platforms that do not tell of them."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Self, TypeAlias

import orjson

from collectors.kit.policy import policy
from collectors.kit.times import from_us, to_us
from collectors.kit.web import Stopped
from pipeline.errors import TryLater

log = logging.getLogger(__name__)

#: External ids of what we hold of a platform, said at or after a moment, in their order as text,
#: after one of them ("" for the first), so many at most. Raises TryLater. One that has an attribute
#: ``first``, a ``Held`` itself, lists by it what is to be looked at before the rest of a round.
Held: TypeAlias = Callable[[str, datetime, str, int], Sequence[str]]

#: A post whose look fails so often in a row is put behind the others.
MOST_FAILURES: Final = 3
#: So many are put behind in one round; of more, the first are left to the next round.
MOST_BEHIND: Final = 1_000
_KEY: Final = "checks"
_FIRST: Final = "first"


@dataclass(frozen=True, slots=True)
class Rechecks:
    """Goes through all that is held, round after round; where it stands is in the cursor.

    A round begins with what is linked or shown, where ``held`` tells what that is. ``every`` is how
    often each post is looked at, ``back`` how old posts may be (the platform's policy), ``at_once``
    how many are asked for in one go. A post whose look fails again and again is put behind the
    others, and once more at the end of the round; those asked for with it are asked without it.
    """

    platform: str
    held: Held
    every: timedelta
    back: timedelta
    at_once: int = 20
    _failures: dict[str, int] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, platform: str, held: Held, at_once: int = 20) -> Self:
        """As often, and as far back, as the policy of the platform says."""
        terms = policy(platform)
        every, back = timedelta(hours=terms.recheck_hours), timedelta(days=terms.recheck_days)
        return cls(platform, held, every, back, at_once)

    def due(self, own: dict[str, Any], now: datetime) -> Sequence[str]:
        """The next ids to look at; none when this round is over. ``own`` is ``Progress.own``."""
        stands = own.get(_KEY) or self._round(now)
        if stands["over"]:
            if to_us(now) < stands["began"] + self.every // timedelta(microseconds=1):
                return ()
            stands = self._round(now)
        try:
            found = self._held(stands, now)
            if not found and stands.get(_FIRST):
                stands = stands | {_FIRST: False, "after": ""}
                found = self._held(stands, now)
            if not found:
                found = stands.get("behind", [])[:1]
        except TryLater as trouble:  # reading goes on; the round, too, once it can be asked
            log.info("%s: no looking again: %s", self.platform, trouble)
            return ()
        own[_KEY] = stands | {"over": not found, "at": to_us(now)}
        # One of these fails again and again: the first of them is asked for alone.
        return found[:1] if found and self._failures.get(found[0], 0) >= MOST_FAILURES else found

    @contextmanager
    def looking(self, own: dict[str, Any], numbers: Sequence[str]) -> Iterator[None]:
        """Around a look at some, their ``done`` included. Lets TryLater pass, but not for ever."""
        try:
            yield
        except Stopped:
            raise
        except TryLater as trouble:
            first = numbers[0]
            count = self._failures.get(first, 0) + 1
            is_behind = first in own[_KEY].get("behind", ())
            if not is_behind and (count < MOST_FAILURES or len(numbers) > 1):
                self._failures.clear()
                self._failures[first] = count
                raise
            log.info("%s: put behind the others: %s", self.platform, trouble)
            self._put_behind(own, first)
        else:
            self._failures.clear()

    def _put_behind(self, own: dict[str, Any], number: str) -> None:
        stands = own[_KEY]
        behind = list(stands.get("behind", []))
        if number in behind:  # it had its second chance: the next round has another
            behind.remove(number)
            own[_KEY] = {**stands, "behind": behind}
        else:
            own[_KEY] = {**stands, "after": number, "behind": [*behind, number][-MOST_BEHIND:]}

    def done(self, own: dict[str, Any], number: str) -> None:
        """That one was looked at, and what came of it was handed over."""
        stands = own[_KEY]
        behind = stands.get("behind", [])
        if number in behind and number <= stands["after"]:
            own[_KEY] = {**stands, "behind": [other for other in behind if other != number]}
        else:
            own[_KEY] = {**stands, "after": number}

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

    def _round(self, now: datetime) -> dict[str, Any]:
        """A round that begins."""
        is_first = getattr(self.held, _FIRST, None) is not None
        told = {"began": to_us(now), "after": "", "over": False}
        self._failures.clear()
        return told | ({_FIRST: True} if is_first else {})

    def _held(self, stands: dict[str, Any], now: datetime) -> Sequence[str]:
        ask: Held = getattr(self.held, _FIRST) if stands.get(_FIRST) else self.held
        return ask(self.platform, now - self.back, stands["after"], self.at_once)


class Checked(NamedTuple):
    """How looking again stands: when this round began, when it last went on, whether it is over."""

    began_at: datetime
    looked_at: datetime
    is_over: bool


def checked(cursor: str) -> Checked | None:
    """What a source's cursor tells of it; None where nothing is looked at again, or not yet."""
    try:
        stands = orjson.loads(cursor)["own"][_KEY]
        began = from_us(int(stands["began"]))
        return Checked(began, from_us(int(stands.get("at", stands["began"]))), bool(stands["over"]))
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def looked_at(cursor: str | None) -> datetime | None:
    """When a source last looked again, as its cursor tells."""
    told = None if cursor is None else checked(cursor)
    return None if told is None else told.looked_at
