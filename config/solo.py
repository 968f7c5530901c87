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
    from config.names import label_names
    from config.operating.report import Sight
    from web.app import create_app
    from web.server import Server, bind

    scale.need(known)
    clock = SystemClock()
    crew = Crew(clock)
    install_stop_signals(crew.stop)
    meters = Meters(clock, crew.roles)
    desks: list[Any] = []

    def sight() -> Sight:
        desk = _desk(desks)
        return Sight(known, clock, "running", broker=desk.broker, warehouse=desk.warehouse)

    app = create_app(
        warehouse=lambda: desks[0].warehouse if desks else None,
        decide=lambda decision: _desk(desks).decide(decision),
        forget=lambda removals: _desk(desks).forget(removals),
        clock=clock,
        token=secrets.token_urlsafe(24),
        status=lambda: {"state": "running" if desks else "starting", "since": since},
        names=label_names(known),
        operations=Here(meters, lambda: bool(desks), sight),
    )
    since = clock.now().isoformat()
    server = Server(app, bind(known.web.port, known.web.host))
    server.start()
    print(server.url, flush=True)

    def load() -> None:
        desk = _patiently(lambda: scale.Desk(known, clock), crew.stop)
        if desk is not None:
            meters.watch_broker(desk.broker)
            meters.watch_standing(desk.warehouse)
            desks.append(desk)

    crew.start("load", load)
    crew.stop.wait()
    crew.join()
    server.close()
    crew.check()


def _desk(desks: list[Any]) -> Any:
    if not desks:
        raise TryLater("still starting: try again in a few seconds")
    return desks[0]


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
