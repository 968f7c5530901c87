"""``migrate``: brings the warehouse of an older release into the form of this one."""

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from config import settings
from pipeline.errors import Misuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sinks.migrations import Migration

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def register(commands: Commands) -> None:
    """Adds the commands of this file."""
    migrate = commands.add_parser(
        "migrate",
        help="bring the warehouse into the form of this version",
        description="Applies the migrations that the warehouse still needs, all or none, and only "
        "forward: make a backup first. Stop what writes to the warehouse. `up` does this by itself "
        "when it starts; roles as processes refuse an older warehouse until it is done.",
    )
    migrate.add_argument("--warehouse", type=Path, metavar="PATH", help="default: from settings")
    migrate.set_defaults(run=run_migrate)


def run_migrate(options: argparse.Namespace) -> int:
    """Prints what was applied, a line for each migration."""
    known = settings.load(options.config)
    if options.warehouse is None and known.on_servers:
        from config import scale

        with closing(scale.warehouse(known, migrate=True)) as server:
            _say(server.version, server.migrated)
        return 0
    from sinks.duckdb_warehouse import DuckDBWarehouse

    path = options.warehouse or known.warehouse.path
    if not path.exists():
        raise Misuse(f"there is no warehouse at {path}: name another with --warehouse")
    with closing(DuckDBWarehouse(path)) as file:
        _say(file.schema, file.migrated)
    return 0


def _say(before: int, applied: "Sequence[Migration]") -> None:
    for each in applied:
        print(f"applied {each.number} ({each.name})")
    print(f"schema {applied[-1].number if applied else before}", end="")
    print(f", was {before}" if applied else ": nothing to do")
