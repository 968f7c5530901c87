"""``init``, ``check`` and ``sources``: the settings, and whether they work."""

import argparse
import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from config import settings
from config.commands.asking import show
from pipeline.errors import GroundswellError, Misuse
from pipeline.ports import Table

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Look: TypeAlias = Callable[[settings.Settings], str]


def register(commands: Commands) -> None:
    """Adds the commands of this file."""
    init = commands.add_parser(
        "init",
        help="write a commented groundswell.toml to begin with",
        description="Writes ./groundswell.toml (or the file given by --config) with every "
        "setting explained. Never overwrites a file.",
    )
    init.set_defaults(run=run_init)

    check = commands.add_parser(
        "check",
        help="validate the settings and say what to mend",
        description="Reads the settings, opens every configured source, looks at the warehouse "
        "and at the page's port. Prints one line each; exit code 1 if something is wrong.",
    )
    check.set_defaults(run=run_check)

    sources = commands.add_parser(
        "sources",
        help="which sources there are, and what each needs",
        description="Lists every type of source of posts (social) and of incidents.",
    )
    sources.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="default: %(default)s"
    )
    sources.set_defaults(run=run_sources)


class Faults(GroundswellError):
    """Several things are wrong in one place, a line for each."""

    def __init__(self, told: Sequence[str]) -> None:
        super().__init__("; ".join(told))
        self.told = told


def run_init(options: argparse.Namespace) -> int:
    """Writes the starter file."""
    path = options.config or settings.DEFAULT_FILE
    starter = files("config").joinpath("starter.toml").read_text(encoding="utf-8")
    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(starter)
    except FileExistsError as error:
        raise Misuse(
            f"{path} is there already: remove it, or name another with --config"
        ) from error
    except OSError as error:
        raise Misuse(f"cannot write {path}: {error.strerror}") from error
    print(path)
    return 0


def run_sources(options: argparse.Namespace) -> int:
    """Prints the catalogue."""
    from config import note, sources

    known = settings.load(options.config)
    running = note.read(note.beside(known.warehouse.path))
    rows = sources.listing(known, note.call(running, "/api/status") if running else None)
    if options.format != "json":
        rows = [row | {"needs": ", ".join(row["needs"])} for row in rows]
    show(Table(list(rows[0]), [tuple(row.values()) for row in rows]), options.format)
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Prints what is fine and what to mend."""
    known = settings.load(options.config)
    print(f"settings: fine, {len(known.track)} tracks")
    wrong = 0
    for name, look in _looks(known):
        try:
            print(f"{name}: {look(known)}")
        except Faults as faults:
            wrong += len(faults.told)
            for told in faults.told:
                print(f"{name}: {told}", file=sys.stderr)
        except GroundswellError as error:
            wrong += 1
            print(f"{name}: {error}", file=sys.stderr)
    return 1 if wrong else 0


def _looks(known: settings.Settings) -> Sequence[tuple[str, Look]]:
    """What is looked at, by its name: a look says what is fine, or raises what is to be mended."""
    looks = [("sources", _sources), ("warehouse", _warehouse), ("page", _page)]
    if known.track:
        looks.insert(0, ("tracks", _tracks))
    if known.models.dir is not None:
        looks.append(("models", _models))
    if known.models.labels is not None:
        looks.append(("labels", _labels))
    if known.recording.dir is not None:
        looks.append(("recording", _recording))
    if known.kafka is not None:
        looks.append(("kafka", _kafka))
    if known.repeats.url is not None:
        looks.append(("repeats", _repeats))
    return looks


def _sources(known: settings.Settings) -> str:
    from config import sources
    from config.operating.reach import connect
    from pipeline.clock import SystemClock

    names, wrong = sources.open_each(known, SystemClock())
    for name, address in sources.addresses(known):
        try:
            connect(address, name)
        except GroundswellError as error:
            wrong.append(str(error))
    if wrong:
        raise Faults(wrong)
    if not names:
        return "none configured: nothing will be heard (see `groundswell sources`)"
    return "fine, " + ", ".join(names)


def _tracks(known: settings.Settings) -> str:
    names = [track.name for track in known.track]
    wrong = []
    if twice := sorted({name for name in names if names.count(name) > 1}):
        wrong.append(f"two are named {', '.join(twice)}: give each a name of its own")
    deaf = [t.name for t in known.track if not (t.terms or t.handles or t.hashtags)]
    if deaf:
        wrong.append(f"nothing matches {', '.join(deaf)}: give terms, handles or hashtags")
    if wrong:
        raise Faults(wrong)
    return "fine, " + ", ".join(names)


def _models(known: settings.Settings) -> str:
    folder = known.models.dir
    if folder is None or not folder.is_dir():
        raise Misuse(f"there is no directory {folder}: mend [models] dir")
    from config import wiring

    wiring.labeller(known)
    return f"{folder} fine"


def _labels(known: settings.Settings) -> str:
    from config.names import label_names

    label_names(known)
    return f"{known.models.labels} fine"


def _recording(known: settings.Settings) -> str:
    folder = known.recording.dir
    assert folder is not None  # noqa: S101  # only looked at when it is set
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir():
        raise Misuse(f"{there} is no folder: mend [recording] dir")
    if not os.access(there, os.W_OK | os.X_OK):
        raise Misuse(f"{there} cannot be written: mend its rights, or [recording] dir")
    return f"{folder} {'fine' if there == folder else 'will be made'}"


def _kafka(known: settings.Settings) -> str:
    from contextlib import closing

    from config import scale

    with closing(scale.broker(known)):
        return "fine"


def _repeats(known: settings.Settings) -> str:
    from config.operating.reach import connect

    assert known.repeats.url is not None  # noqa: S101  # only looked at when it is set
    connect(known.repeats.url.get_secret_value(), "the index of repeats")
    return "fine"


def _warehouse(known: settings.Settings) -> str:
    from config import note
    from sinks.duckdb_troubles import look
    from sinks.duckdb_warehouse import DuckDBWarehouse

    if known.warehouse.url is not None:
        from config import scale

        scale.warehouse(known).close()
        is_clickhouse = known.warehouse.url.get_secret_value().startswith("clickhouse")
        return "ClickHouse, fine" if is_clickhouse else "PostgreSQL, fine"
    path = known.warehouse.path
    running = note.read(note.beside(path))
    if running is not None:
        return f"in use by the running process {running.pid} at {running.url}"
    if not path.exists():
        if not path.absolute().parent.is_dir():
            raise Misuse(f"there is no directory {path.parent}: make it, or mend [warehouse] path")
        look(path, read_only=False)
        return f"{path} will be made"
    look(path, read_only=False)
    with closing(DuckDBWarehouse(path, read_only=True)) as older:
        if older.migrated:
            return f"{path} is of an older release: `up` and `groundswell migrate` bring it up"
    DuckDBWarehouse(path).close()
    return f"{path} fine"


def _page(known: settings.Settings) -> str:
    from config import note
    from web.server import bind

    if note.read(note.beside(known.warehouse.path)) is not None:
        return "served by the running process"
    listener: socket.socket = bind(known.web.port, known.web.host)
    listener.close()
    return f"port {known.web.port} is free"
