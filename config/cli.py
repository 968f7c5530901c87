"""The console script: reads the command line, runs one command, turns errors into one clear line.

Exit codes: 0 done, 1 failed, 2 wrong usage. Standard output is data, standard error is talk.
"""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from config import memory
from pipeline.errors import GroundswellError, Misuse

DESCRIPTION = """\
Listens to what people say in public when something breaks, finds repeats, classifies every post,
links it to the open incident it is about, and shows it on a page and in SQL."""

EPILOG = """\
start here:
  groundswell demo                 a recorded failure, live on a page; no network, no accounts
  groundswell init                 writes a commented groundswell.toml to begin with
  groundswell replay posts.jsonl   files of posts through the whole pipeline, into a warehouse
  groundswell query "SELECT * FROM incidents"

Every command explains itself: groundswell COMMAND --help"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="groundswell",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"groundswell {version('groundswell')}")
    top.add_argument(
        "--config", type=Path, metavar="F", help="settings; default: ./groundswell.toml if there"
    )
    top.add_argument("--verbose", "-v", action="store_true", help="say more on standard error")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for family in (
        "running",
        "roles",
        "recording",
        "status",
        "replaying",
        "asking",
        "migrating",
        "exporting",
        "deciding",
        "models",
        "relabelling",
        "setup",
    ):
        importlib.import_module(f"config.commands.{family}").register(commands)
    for command in set(commands.choices.values()):
        # Accepted behind the command as well; not given there, it must not undo what stood before.
        command.add_argument(
            "--config", type=Path, metavar="F", default=argparse.SUPPRESS, help="settings file"
        )
        command.add_argument(
            "--verbose",
            "-v",
            action="store_true",
            default=argparse.SUPPRESS,
            help="say more on standard error",
        )
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line; returns the exit code."""
    options = parser().parse_args(arguments)
    # What is written is people's words: for the eyes of who runs this, unless they say otherwise.
    os.umask(0o077)
    memory.calm()
    _log(options.verbose)
    try:
        code: int = options.run(options)
    except Misuse as error:
        print(f"groundswell: {error}", file=sys.stderr)
        return 2
    except GroundswellError as error:
        print(f"groundswell: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("groundswell: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output left (`| head`): no error, but Python would complain on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _log(verbose: bool) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # It tells every address it asks for, and some addresses carry a key.
    logging.getLogger("httpx").setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
