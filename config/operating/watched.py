"""A role seen from outside: how often it turns, how long, with how much, and what it waits for."""

import time
from collections import Counter
from datetime import datetime
from typing import Any

from config.operating.spread import RECORDS, Spread
from pipeline.errors import TryLater
from pipeline.ports import Clock
from pipeline.roles import Role


class Watched:
    """Stands before a role and is one; the role knows nothing of it.

    ``turns`` are those that went well, ``records`` what they handled. ``retries`` counts by kind
    of error why a turn was put off; ``trouble`` is the last reason, None when the last turn went
    well, ``trouble_since`` the clock's time of the first one in a row. ``has_given_up``: there
    will be no other turn.
    """

    def __init__(self, role: Role, clock: Clock) -> None:
        self.role = role
        self.turns = 0
        self.records = 0
        self.batches = Spread(RECORDS)
        self.retries: Counter[str] = Counter()
        self.trouble: str | None = None
        self.trouble_since: datetime | None = None
        self.has_given_up = False
        self._clock = clock
        self._began: float | None = None

    @property
    def done(self) -> bool:
        """Whether the role has come to its end."""
        return bool(getattr(self.role, "done", False))

    @property
    def state(self) -> str:
        """What a source does, in a word: stopped (for good), ended, waiting or listening."""
        if self.has_given_up:
            return "stopped"
        return "ended" if self.done else "waiting" if self.trouble else "listening"

    @property
    def name(self) -> str:
        """What the role is called in the log."""
        return type(self.role).__name__.lower()

    @property
    def turn_seconds(self) -> float:
        """How long the present turn has been going on, in seconds; 0 between turns."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    @property
    def totals(self) -> Counter[str]:
        """What the role counts itself; nothing for one that does not count."""
        found: Any = getattr(self.role, "totals", None)
        return found if isinstance(found, Counter) else Counter()

    def turn(self, timeout: float) -> int:
        """The role's turn, measured. Raises what it raises."""
        self._began = time.monotonic()
        try:
            handled = self.role.turn(timeout)
        except TryLater as error:
            self.retries[type(error).__name__] += 1
            self.trouble = str(error)
            self.trouble_since = self.trouble_since or self._clock.now()
            raise
        finally:
            self._began = None
        self.trouble = self.trouble_since = None
        self.turns += 1
        if handled:
            self.records += handled
            self.batches.add([handled])
        return handled

    def give_up(self, trouble: str) -> None:
        """The role takes no more turns in this process, for this reason."""
        self.trouble, self.has_given_up = trouble, True
        self.trouble_since = self.trouble_since or self._clock.now()

    def close(self) -> None:
        """Closes the role."""
        self.role.close()
