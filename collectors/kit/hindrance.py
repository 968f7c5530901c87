"""What kept a source from reading: the cause of a gap, should there be one."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from collectors.kit.causes import DISCONNECTED, RATE_LIMITED, STOPPED
from collectors.kit.limits import Limited
from collectors.kit.progress import Place
from collectors.kit.times import from_us
from pipeline.errors import TryLater


class Hindrance:
    """The first thing that kept a source from reading since it last read everything.

    Most hindrances leave no gap: what was said meanwhile is read later. Only where it is gone does
    ``cause`` stand on the gap. ``patience`` is how long a source may rest without having stopped.
    """

    def __init__(self, patience: timedelta) -> None:
        self._patience = patience
        self._has_begun = False
        self.cause: str | None = None

    def begin(self, places: Iterable[Place], now: datetime) -> None:
        """Reading begins where the cursor says. A new process may have been away for long."""
        if self._has_begun:
            return
        self._has_begun = True
        read = [from_us(place.read) for place in places if place.read is not None]
        if read and now - min(read) > self._patience:
            self.cause = STOPPED

    def met(self, error: TryLater) -> None:
        """A look did not succeed."""
        self.cause = self.cause or (RATE_LIMITED if isinstance(error, Limited) else DISCONNECTED)

    def limited(self) -> None:
        """The platform's limits, which we know, make us wait for longer than usual."""
        self.cause = self.cause or RATE_LIMITED

    def over(self) -> None:
        """Everything was read."""
        self.cause = None
