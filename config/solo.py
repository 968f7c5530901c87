"""One role in a process of its own, until it is stopped."""

import logging
import secrets
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from config.crew import Crew
from config.hooking import hooks_of
from config.operating.here import Here
from config.operating.meters import Meters
from config.settings import Settings
from pipeline.clock import SystemClock
from pipeline.errors import TryLater
from pipeline.roles import install_stop_signals, pause

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.operating.report import Sight
    from config.scale import Desk
    from pipeline.ports import Clock, Warehouse
    from web.hooks import Hook
    from web.server import Server

log = logging.getLogger(__name__)


def run(known: Settings, name: str) -> None:
    """Runs ``collect``, ``work``, ``store`` or ``watch``. Raises what makes it give up.

    With a port of ``[health]`` it prints the address where it answers operators first.
    """
    from config import scale

    scale.need(known)
    clock = SystemClock()
    crew = Crew(clock)
    meters = Meters(clock, crew.roles)
    install_stop_signals(crew.stop)
    made = threading.Event()

    def load() -> None:
        roles = _patiently(lambda: scale.ROLES[name](known, clock, meters), crew.stop)
        crew.run(roles or {})
        made.set()

    with ExitStack() as parts:
        if known.health.port is not None:
            feeds = hooks_of(lambda: {name: feed for name, (_, feed) in meters.feeds().items()})
            server = _server(known, known.health.port, Here(meters, made.is_set), feeds)
            parts.callback(server.close)
        crew.start("load", load)
        crew.stop.wait()
        crew.join()
    crew.check()


def _server(
    known: Settings, port: int, here: Here, hooks: "Callable[[str], Hook | None]"
) -> "Server":
    """Answers operators on a port of its own; its address goes to standard output."""
    from web.operations import create_app
    from web.server import Server, bind

    server = Server(create_app(here, hooks), bind(port, known.health.host))
    server.start()
    print(server.url, flush=True)
    return server


def serve(known: Settings) -> None:
    """Runs ``web``: the page over the server warehouse; prints its address first."""
    from config import scale

    scale.need(known)
    clock = SystemClock()
    crew = Crew(clock)
    install_stop_signals(crew.stop)
    reception = _Reception(known, clock, Meters(clock, crew.roles))
    server = _page(known, clock, reception)
    crew.start("load", lambda: reception.open(crew.stop))
    crew.stop.wait()
    crew.join()
    server.close()
    crew.check()


class _Reception:
    """Answers for the desk of the page's process, from before it is there."""

    def __init__(self, known: Settings, clock: "Clock", meters: Meters) -> None:
        self._known = known
        self._clock = clock
        self._desk: Desk | None = None
        self._since = clock.now().isoformat()
        self._meters = meters
        self.here = Here(meters, lambda: self._desk is not None, self._sight)

    def open(self, stop: threading.Event) -> None:
        """Makes the desk, however long its servers are away; none when told to stop."""
        from config import scale

        desk = _patiently(lambda: scale.Desk(self._known, self._clock), stop)
        if desk is not None:
            self._meters.watch_broker(desk.broker)
            self._meters.watch_standing(desk.warehouse)
            self._desk = desk

    @property
    def desk(self) -> "Desk":
        """The desk. Raises TryLater until it is there."""
        if self._desk is None:
            raise TryLater("still starting: try again in a few seconds")
        return self._desk

    def warehouse(self) -> "Warehouse | None":
        """The desk's warehouse, None until it is there."""
        return None if self._desk is None else self._desk.warehouse

    def status(self) -> dict[str, str]:
        """How the process stands, and since when."""
        return {"state": "starting" if self._desk is None else "running", "since": self._since}

    def _sight(self) -> "Sight":
        from config.operating.report import Sight

        broker, warehouse = self.desk.broker, self.desk.warehouse
        return Sight(self._known, self._clock, "running", broker=broker, warehouse=warehouse)


def _page(known: Settings, clock: "Clock", reception: _Reception) -> "Server":
    """Serves the page, with a token of its own; its address goes to standard output."""
    from config.names import label_names
    from web.app import create_app
    from web.server import Server, bind

    app = create_app(
        warehouse=reception.warehouse,
        decide=lambda decision: reception.desk.decide(decision),
        forget=lambda removals: reception.desk.forget(removals),
        clock=clock,
        token=secrets.token_urlsafe(24),
        status=reception.status,
        names=label_names(known),
        operations=reception.here,
    )
    server = Server(app, bind(known.web.port, known.web.host))
    server.start()
    print(server.url, flush=True)
    return server


def _patiently(make: Any, stop: threading.Event) -> Any:
    """What ``make`` makes; while servers are away it is tried again, None when told to stop."""
    failures = 0
    while not stop.is_set():
        try:
            return make()
        except TryLater as error:
            failures += 1
            seconds = pause(failures, error.after)
            log.warning("starting: %s; again in %.1f s", error, seconds)
            stop.wait(seconds)
    return None
