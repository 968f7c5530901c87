"""``up`` and ``demo``: everything in one process."""

import argparse
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from config import settings
from config.commands.arguments import port
from pipeline.errors import Misuse

if TYPE_CHECKING:
    from config.demo.playing import Demo
    from config.passed import PassedOn
    from pipeline.ports import Clock, Collector

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

#: The demo plays its failure so many times as fast as it happened, two minutes in all.
DEMO_SPEED = 30.0


def register(commands: Commands) -> None:
    """Adds the commands of this file."""
    up = commands.add_parser(
        "up",
        help="everything in one process; prints the page's address",
        description="Collects, enriches, keeps and shows, all in this process, with a local "
        "broker and a DuckDB warehouse in two files. Stop it with Ctrl-C; it goes on where it was.",
    )
    up.add_argument("--port", type=port, metavar="N", help="the page's port; 0 takes a free one")
    up.add_argument("--warehouse", type=Path, metavar="PATH", help="default: from settings")
    up.add_argument(
        "--watch",
        action="append",
        default=[],
        metavar="NAME",
        help="listen for this name on Bluesky, without an account; may be given again",
    )
    up.add_argument(
        "--status", metavar="URL", help="follow this public status page (Statuspage's shape)"
    )
    up.set_defaults(run=run_up)

    demo = commands.add_parser(
        "demo",
        help="a recorded failure of an invented company, live on a page",
        description="A quiet hour, then two minutes in which a messaging service fails in one "
        "region: reports, guesses, jokes, a proposed incident, the official word nine minutes "
        "later, and a storm of politics beside it that must stay quiet. No network, no accounts.",
    )
    demo.add_argument("--port", type=port, metavar="N", help="the page's port; 0 takes a free one")
    demo.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the demo's files here, to query them later"
    )
    demo.set_defaults(run=run_demo)


def run_up(options: argparse.Namespace) -> int:
    """Runs everything until stopped."""
    from config import listening, sources
    from config.passed import PassedOn
    from pipeline.clock import SystemClock

    known = _with(settings.load(options.config), options.port, options.warehouse)
    known = listening.to(known, options.watch, options.status)
    clock, passed = SystemClock(), PassedOn()
    opened = sources.open_all(
        known, clock, passed
    )  # wrong settings show before anything is started
    if not opened:
        print(
            "groundswell: no source is configured; the page shows what the warehouse holds. "
            "`groundswell up --watch NAME` listens for a name, `groundswell init` writes a "
            "groundswell.toml to begin with.",
            file=sys.stderr,
        )
    return _run(known, lambda: opened, clock, passed)


def run_demo(options: argparse.Namespace) -> int:
    """Plays the scenario so that it ends now, two minutes from the start."""
    with tempfile.TemporaryDirectory(prefix="groundswell-demo-") as scratch:
        demo = _demo(options.keep or Path(scratch))
        known = _with(demo.settings(), options.port, None)
        print(
            f'query it while it runs: groundswell query --warehouse {known.warehouse.path} "…"',
            file=sys.stderr,
        )
        return _run(known, demo.sources, demo.clock)


def _demo(directory: Path) -> "Demo":
    from config.demo.playing import Demo

    try:
        return Demo(directory, DEMO_SPEED)
    except OSError as error:
        told = f"the demo cannot write to {directory}: {error.strerror}"
        raise Misuse(f"{told}; name another folder with --keep") from error


def _with(known: settings.Settings, port: int | None, warehouse: Path | None) -> settings.Settings:
    """The settings with what the command line says instead."""
    changes: dict[str, object] = {}
    if port is not None:
        changes["web"] = settings.WebSettings(host=known.web.host, port=port)
    if warehouse is not None:
        changes["warehouse"] = known.warehouse.model_copy(update={"path": warehouse})
    return known.model_copy(update=changes)


def _run(
    known: settings.Settings,
    opened: "Callable[[], Sequence[Collector]]",
    clock: "Clock",
    passed: "PassedOn | None" = None,
) -> int:
    from config.up import Up
    from pipeline.roles import install_stop_signals

    logging.getLogger().setLevel(logging.INFO)
    running = Up(known, opened, clock, passed)
    install_stop_signals(running.stop)
    print(running.start(), flush=True)
    running.wait()
    return 0
