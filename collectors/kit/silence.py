"""Silence is unhealthy only where something was to be expected."""

import math
from datetime import datetime, timedelta

from collectors.kit.times import from_us, to_us

#: What was long ago says little of the rate today: its weight halves in this time.
HALF_LIFE = timedelta(days=1)
#: Less is known of the rate than it takes to call a silence strange.
LEAST = 10.0
#: A silence less likely than this is told: one false alarm in a year of a source that brings
#: something every minute would be 2e-6; sources are clumpy, so an order of magnitude on top.
STRANGE = 1e-7


def strange(per_hour: float, silent: timedelta) -> str | None:
    """One line where so long a silence is no chance at so many an hour, else None."""
    hours = silent / timedelta(hours=1)
    if math.exp(-per_hour * hours) >= STRANGE:
        return None
    return f"nothing came for {hours:.1f} h, where {per_hour:.1f} an hour are usual"


class Silence:
    """Learns how often a source brings something, and says when it has been silent too long.

    Several things within a minute are one: posts come in clumps. With ``per_hour`` nothing is
    learned.
    """

    def __init__(self, per_hour: float | None = None) -> None:
        self._per_hour = per_hour
        self._count = 0.0
        self._hours = 0.0
        self._at: datetime | None = None
        self._heard: datetime | None = None

    @property
    def state(self) -> list[float | int | None]:
        """What was learned, for the cursor."""
        times = [None if at is None else to_us(at) for at in (self._at, self._heard)]
        return [round(self._count, 3), round(self._hours, 3), *times]

    def recall(self, state: object) -> None:
        """Takes over what a cursor remembers, unless something was heard already."""
        if self._at is not None or not isinstance(state, list) or len(state) != 4:
            return
        numbers = [value for value in state if isinstance(value, int | float)]
        if len(numbers) == 4 and all(value >= 0 for value in numbers):
            self._count, self._hours = float(state[0]), float(state[1])
            # The time in which nobody listened is no silence: it is not counted.
            self._heard = from_us(int(state[3]))

    def looked(self, now: datetime, *, has_come: bool) -> None:
        """The source was read up to now, and something came or not."""
        passed = timedelta() if self._at is None else max(timedelta(), now - self._at)
        fade = 0.5 ** (passed / HALF_LIFE)
        self._count *= fade
        self._hours = self._hours * fade + passed / timedelta(hours=1)
        if self._at is None:
            self._heard = now
        if has_come and (self._heard is None or now - self._heard >= timedelta(minutes=1)):
            self._count += 1
        if has_come:
            self._heard = now
        self._at = now

    @property
    def rate(self) -> float | None:
        """Things an hour, None while too little is known."""
        if self._per_hour is not None:
            return self._per_hour
        return self._count / self._hours if self._count >= LEAST and self._hours > 0 else None

    def trouble(self, now: datetime) -> str | None:
        """One line when it has been silent for longer than it ever should be, else None."""
        if self._heard is None or self.rate is None:
            return None
        return strange(self.rate, now - self._heard)
