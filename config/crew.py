"""Roles at work: a thread each, until they are told to stop or one of them gives up.

A source that gives up, or has a fault, stops alone, and so does the recorder: the others go on,
and it is said what to mend.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import GiveUp, GroundswellError
from pipeline.ports import Clock

if TYPE_CHECKING:
    from config.operating.watched import Watched

log = logging.getLogger("groundswell")

#: How long roles may take to end their round before the process leaves without them.
STOP_SECONDS = 5.0


class Role(Protocol):
    """One part of a running process."""

    def turn(self, timeout: float) -> int:
        """One round."""
        ...

    def close(self) -> None:
        """Lets go."""
        ...


class Crew:
    """Threads that run roles.

    ``troubles`` says by name what cannot be reached for now, or why a source gave up; ``roles`` has
    every role as it is seen from outside.
    """

    def __init__(self, clock: Clock) -> None:
        self.stop = threading.Event()
        self.troubles: dict[str, str] = {}
        self.roles: dict[str, Watched] = {}
        self._clock = clock
        self._failed: GroundswellError | None = None
        self._threads: list[threading.Thread] = []

    def run(self, roles: Mapping[str, Role]) -> None:
        """Runs roles in a thread each until stop; closes them then.

        All are known before the first one turns: one that gives up at once is not the last.
        """
        from config.operating.watched import Watched

        watched = {name: Watched(role, self._clock) for name, role in roles.items()}
        self.roles |= watched
        for name, one in watched.items():
            self._run(name, one)

    def _run(self, name: str, watched: "Watched") -> None:
        from config.recorder import Recorder
        from pipeline.intake import Intake
        from pipeline.roles import run

        def tell(trouble: str | None) -> None:
            if trouble is None:
                self.troubles.pop(name, None)
            else:
                self.troubles[name] = trouble

        def work() -> None:
            try:
                run(watched, self.stop, self._clock, tell)
            finally:
                watched.role.close()

        def alone() -> None:
            if (error := _outcome(name, work)) is not None:
                self._stop_alone(name, watched, error)

        self.start(name, alone if isinstance(watched.role, Intake | Recorder) else work)

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Runs ``work`` in a thread; an error of it stops the whole crew."""

        def guarded() -> None:
            if (error := _outcome(name, work)) is not None:
                self._fail(error)

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Stops all and waits for them, ``STOP_SECONDS`` each at most."""
        self.stop.set()
        for thread in list(self._threads):
            thread.join(timeout=STOP_SECONDS)

    def notice(self) -> str:
        """All troubles in one line, those that are not tried again apart; empty without any."""
        troubles, roles = dict(self.troubles), dict(self.roles)
        over = {name for name in troubles if name in roles and roles[name].has_given_up}
        waiting = [told for name, told in troubles.items() if name not in over]
        parts = [f"{'; '.join(waiting)}. Trying again."] if waiting else []
        parts += [f"{name} has stopped: {troubles[name]}." for name in sorted(over)]
        return " ".join(parts)

    def check(self) -> None:
        """Raises what made one of them give up, if any did."""
        if self._failed is not None:
            raise self._failed

    def _stop_alone(self, name: str, source: "Watched", error: GroundswellError) -> None:
        """One is over; with the last of a process that has nothing else, all is."""
        log.error("%s stopped, the rest goes on: %s", name, error)
        source.give_up(str(error))
        self.troubles[name] = str(error)
        if all(role.has_given_up for role in dict(self.roles).values()):
            self._fail(error)

    def _fail(self, error: GroundswellError) -> None:
        self._failed = self._failed or error
        self.stop.set()


def _outcome(name: str, work: Callable[[], None]) -> GroundswellError | None:
    """Does the work; why it ended, None if it simply did. A fault goes to the log in full."""
    try:
        work()
    except GroundswellError as error:
        return error
    except Exception as error:
        log.exception("%s ended by a fault of its own", name)
        return GiveUp(f"{name} ended by a fault of its own: {type(error).__name__}")
    return None
