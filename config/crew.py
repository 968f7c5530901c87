"""Roles at work: a thread each, until they are told to stop or one of them gives up."""

import logging
import threading
from collections.abc import Callable
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

    ``troubles`` says by name what cannot be reached for now, ``roles`` has every role as it is seen
    from outside.
    """

    def __init__(self, clock: Clock) -> None:
        self.stop = threading.Event()
        self.troubles: dict[str, str] = {}
        self.roles: dict[str, Watched] = {}
        self._clock = clock
        self._failed: GroundswellError | None = None
        self._threads: list[threading.Thread] = []

    def run(self, name: str, role: Role) -> None:
        """Runs a role in a thread until stop; closes it then."""
        from config.operating.watched import Watched
        from pipeline.roles import run

        watched = self.roles[name] = Watched(role, self._clock)

        def tell(trouble: str | None) -> None:
            if trouble is None:
                self.troubles.pop(name, None)
            else:
                self.troubles[name] = trouble

        def work() -> None:
            try:
                run(watched, self.stop, self._clock, tell)
            finally:
                role.close()

        self.start(name, work)

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Runs ``work`` in a thread; an error of it stops the whole crew."""

        def guarded() -> None:
            try:
                work()
            except GroundswellError as error:
                self._fail(error)
            except Exception as error:
                log.exception("%s ended by a fault of its own", name)
                self._fail(GiveUp(f"{name} ended by a fault of its own: {type(error).__name__}"))

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Stops all and waits for them, ``STOP_SECONDS`` each at most."""
        self.stop.set()
        for thread in list(self._threads):
            thread.join(timeout=STOP_SECONDS)

    def check(self) -> None:
        """Raises what made one of them give up, if any did."""
        if self._failed is not None:
            raise self._failed

    def _fail(self, error: GroundswellError) -> None:
        self._failed = self._failed or error
        self.stop.set()
