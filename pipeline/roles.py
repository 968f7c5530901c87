"""Roles: parts of the program that take turns until they are told to stop."""

import logging
import random
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from pipeline.errors import TryLater
from pipeline.ports import Clock

log = logging.getLogger(__name__)

#: Seconds a turn may wait for work; a stop takes effect after it, well within 5 s.
TURN_SECONDS = 1.0
#: The first pause after TryLater, in seconds; it doubles up to the longest.
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0


class Role(Protocol):
    """One part of the flow: intake, worker, store or watch."""

    def turn(self, timeout: float) -> int:
        """One round, waiting up to ``timeout`` seconds for work; the number of records handled.

        Raises TryLater, after which the same turn may be taken again, or GiveUp.
        """
        ...

    def close(self) -> None:
        """Lets go of everything; what was not committed is done again by the next."""
        ...


def run(
    role: Role,
    stop: threading.Event,
    clock: Clock,
    tell: Callable[[str | None], None] = lambda _trouble: None,
) -> None:
    """Takes turns until ``stop`` is set or the role is ``done``, then closes it.

    TryLater: a pause, longer each time in a row, and again; ``tell`` hears of the trouble, and None
    when a turn went well again. GiveUp and bugs propagate.
    """
    failures = 0
    try:
        while not stop.is_set() and not getattr(role, "done", False):
            try:
                role.turn(TURN_SECONDS)
            except TryLater as error:
                failures += 1
                seconds = pause(failures, error.after)
                name = getattr(role, "name", type(role).__name__.lower())
                log.warning("%s: %s; again in %.1f s", name, error, seconds)
                tell(str(error))
                clock.wait(seconds, stop)
            else:
                if failures:
                    tell(None)
                failures = 0
    finally:
        role.close()


def pause(failures: int, after: float | None = None) -> float:
    """Seconds to wait after so many failures in a row, at least ``after``.

    Jittered by up to a half, so that many processes do not come back at the same moment.
    """
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 30))
    return max(longest * random.uniform(0.5, 1.0), after or 0.0)


def install_stop_signals(stop: threading.Event) -> None:
    """Lets SIGTERM and SIGINT set ``stop``; a second one ends the process the usual way.

    To be called from the main thread.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, previous[each])
        # Not here: the interrupted main thread may hold the event's own lock.
        threading.Thread(target=stop.set, name="stop", daemon=True).start()

    previous = {each: signal.signal(each, on_signal) for each in (signal.SIGTERM, signal.SIGINT)}
