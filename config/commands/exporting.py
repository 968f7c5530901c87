"""``export``: the stable views as files that others load."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from config import settings
from pipeline.errors import Misuse

if TYPE_CHECKING:
    from config.exported import Exported, Exports

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def register(commands: Commands) -> None:
    """Adds the commands of this file."""
    export = commands.add_parser(
        "export",
        help="the views as Parquet or CSV, a file for each day",
        description="Writes the stable views into a folder: feedback, mention_tracks, "
        "incident_feedback and the histories of posts and links by day (date_day=…), the others "
        "whole. Exporting again into the same "
        "folder writes the days anew of which anything changed, so that late links, people's words "
        "and erasures reach it; a manifest (manifests/N.json) names what changed, tombstones what "
        "was removed, for those who load it elsewhere. Texts, and reasons that quote them, only "
        "with --texts. An erasure reaches the folder at once, and copies of it by the tombstones.",
    )
    export.add_argument("folder", type=Path, metavar="DIR")
    export.add_argument(
        "--format", choices=("parquet", "csv"), default="parquet", help="default: %(default)s"
    )
    export.add_argument("--texts", action="store_true", help="with what people wrote")
    export.add_argument(
        "--since",
        type=int,
        metavar="WATERMARK",
        help="what changed after this watermark of a manifest; default: since the last export here",
    )
    export.add_argument("--warehouse", type=Path, metavar="PATH", help="default: from settings")
    export.set_defaults(run=run_export)


def run_export(options: argparse.Namespace) -> int:
    """Exports and says how many files were written."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from config.exporting import Export
    from pipeline.clock import SystemClock

    bar = Progress(
        "export",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    exports = _exports(options)
    with _opened(options) as warehouse, bar:
        task = bar.add_task("export")
        export = Export(warehouse, options.folder, options.format, texts=options.texts)
        written = export.run(
            SystemClock().now(),
            lambda done, whole: bar.update(task, completed=done, total=whole),
            options.since,
            lambda: exports.note(options.folder, options.format, texts=options.texts),
        )
    print(f"{len(written):,} files written to {options.folder}")
    return 0


def _exports(options: argparse.Namespace) -> "Exports":
    """The list of folders that erasures must reach."""
    from config import exported

    if options.warehouse is None:
        return exported.of_settings(settings.load(options.config))
    return exported.of_warehouse(options.warehouse)


@contextmanager
def _opened(options: argparse.Namespace) -> "Iterator[Exported]":
    known = settings.load(options.config)
    if options.warehouse is None and known.on_servers:
        from config import scale

        with closing(scale.warehouse(known)) as server:
            yield server
        return
    from sinks.duckdb_warehouse import open_for_reading

    path = options.warehouse or known.warehouse.path
    if not path.exists():
        raise Misuse(f"there is no warehouse at {path}: name another with --warehouse")
    warehouse, _ = open_for_reading(path)
    with closing(warehouse):
        yield warehouse
