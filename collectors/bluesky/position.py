"""How far Bluesky's stream was read: the cursor, and what the ledger of coverage is told.

All times are Jetstream's own ``time_us``, microseconds since 1970.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from collectors.kit.budget import Budget, Window
from collectors.kit.times import from_us
from pipeline.model import Coverage

log = logging.getLogger(__name__)

#: Cursors below mean a sequence number to Jetstream, not a time.
FIRST_TIME_US = 10**15
#: The event that a cursor names comes again unless it was missed; instances differ by seconds.
TOLERANCE_US = 10_000_000
#: Jetstream names no limit; a storm of closes must not make us one of those who are locked out.
CONNECTS = Window(60, timedelta(minutes=10))
#: How much newly read time is worth a word of coverage; the first word comes at once.
COVERAGE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where everything was read, and since when without a gap (None: no event came yet).

    ``connects`` is what the budget of connections remembers, as ``Connects`` has it.
    """

    read: int
    since: int | None = None
    connects: str = ""

    @classmethod
    def of(cls, cursor: str | None, now: int) -> "Position | None":
        """The position a cursor stands for; None, with a warning, when it is none of ours.

        Not later than ``now``: a clock that was wrong must not skip all until then.
        """
        if cursor is None:
            return None
        read, _, rest = cursor.partition(":")
        since, _, connects = rest.partition(":")
        if _is_time(read) and (not since or _is_time(since)):
            latest = now if int(read) > now + TOLERANCE_US else int(read)
            begun = min(int(since), latest) if since else None
            return cls(latest, begun, connects)
        log.warning("bluesky: the stored cursor is none of this source: it starts from now on")
        return None

    @property
    def cursor(self) -> str:
        """As ``of`` reads it."""
        told = f"{self.read}:{'' if self.since is None else self.since}"
        return f"{told}:{self.connects}" if self.connects else told


def _is_time(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) >= FIRST_TIME_US


class Connects:
    """How often a connection may be made, whatever the server does and how often we start anew."""

    def __init__(self) -> None:
        self._budget = Budget(CONNECTS)

    @property
    def spent(self) -> str:
        """What was made lately, for the cursor."""
        return ",".join(f"{end}.{made}" for end, made in self._budget.spent[0])

    def recall(self, spent: str) -> None:
        """Takes over what a cursor remembers; what is no such memory is left out."""
        parts = [part.split(".") for part in spent.split(",") if part]
        with suppress(ValueError):
            self._budget.recall([[(int(end), int(made)) for end, made in parts]])

    def wait(self, now: datetime) -> float:
        """Seconds until the next one is allowed; 0: now."""
        return self._budget.wait(now)

    def take(self, now: datetime) -> None:
        """Counts one."""
        self._budget.take(now)


class Ledger:
    """The position of one connection, and what its coverage says of it.

    An interval that goes on keeps its beginning, so that the warehouse has one row for it.
    ``cause`` is why nobody read before this connection, should the stream have forgotten that.
    """

    def __init__(self, source: str, start: Position, cause: str) -> None:
        self.position = start
        self._cause = cause
        self._source = source
        self._told: int | None = None  # what earlier connections told is not known here
        self._is_resumed = start.since is not None

    def advance(self, time_us: int) -> Iterator[Coverage]:
        """Moves on to an event (never back), after what is to be said of coverage before it."""
        before = self.position
        if self._is_resumed and time_us > before.read + TOLERANCE_US:
            # What was read up to the gap, then the gap; a new interval begins with the event.
            yield from self.close()
            gap = Coverage(
                source=self._source,
                from_at=from_us(before.read),
                to_at=from_us(time_us),
                is_gap=True,
                cause=self._cause,
            )
            # Moved on first: whoever resumes after this word is not told of the gap again.
            before = self.position = replace(before, read=time_us, since=time_us)
            self._told = None
            yield gap
        self._is_resumed = False
        if before.since is None:
            before = replace(before, read=time_us, since=time_us)
        self.position = replace(before, read=max(before.read, time_us))
        if self._told is None or self.position.read - self._told >= COVERAGE_US:
            yield from self.close()

    def close(self) -> Iterator[Coverage]:
        """What was read so far, as far as events tell; nothing if that was said already."""
        since, read = self.position.since, self.position.read
        if since is not None and read > since and read != self._told:
            self._told = read
            yield Coverage(source=self._source, from_at=from_us(since), to_at=from_us(read))
