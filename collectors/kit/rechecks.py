"""Looking again at what we hold: edits and deletes of platforms that do not tell of them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from collectors.times import to_us
from pipeline.errors import TryLater

log = logging.getLogger(__name__)

#: External ids of what we hold of a platform, said at or after a moment, in their order as text,
#: after one of them ("" for the first), so many at most. Raises TryLater.
Held: TypeAlias = Callable[[str, datetime, str, int], Sequence[str]]

_KEY = "checks"


@dataclass(frozen=True, slots=True)
class Rechecks:
    """Goes through all that is held, round after round; where it stands is in the cursor.

    ``every`` is how often each post is looked at, ``back`` how old posts may be (the platform's
    policy), ``at_once`` how many are asked for in one go.
    """

    platform: str
    held: Held
    every: timedelta
    back: timedelta
    at_once: int = 20

    def due(self, own: dict[str, Any], now: datetime) -> Sequence[str]:
        """The next ids to look at; none when this round is over. ``own`` is ``Progress.own``."""
        stands = own.get(_KEY) or {"began": to_us(now), "after": "", "over": False}
        if stands["over"]:
            if to_us(now) < stands["began"] + self.every // timedelta(microseconds=1):
                return ()
            stands = {"began": to_us(now), "after": "", "over": False}
        try:
            found = self.held(self.platform, now - self.back, stands["after"], self.at_once)
        except TryLater as trouble:  # reading goes on; the round, too, once it can be asked
            log.info("%s: no looking again: %s", self.platform, trouble)
            return ()
        own[_KEY] = stands | {"over": not found}
        return found

    def done(self, own: dict[str, Any], number: str) -> None:
        """That one was looked at, and what came of it was handed over."""
        own[_KEY] = {**own[_KEY], "after": number}
