"""``relabel``: a new model, or new tracks, over what is held."""

import argparse
import sys
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeAlias

from config import settings
from config.commands.arguments import moment
from config.commands.asking import show
from pipeline.ports import Table

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

COLUMNS = ["head", "was", "is", "mentions"]


def register(commands: Commands) -> None:
    """Adds the commands of this file."""
    relabel = commands.add_parser(
        "relabel",
        help="name what is held anew, after a new model or new tracks",
        description="Reads the warehouse oldest first and labels every mention that an older model "
        "labelled, and finds components, places, versions and tracks anew, as revisions: what "
        "people said stays above them. While something runs, the feedback goes through its topics, "
        "behind what is live. A run that was killed goes on when the same is run again. Prints "
        "what changed. Links are scored anew when their incident next changes.",
    )
    relabel.add_argument("--model", type=Path, metavar="DIR", help="lay this model over the others")
    relabel.add_argument(
        "--since", type=moment, metavar="TIME", help="only what happened from then"
    )
    relabel.add_argument(
        "--again", action="store_true", help="also what this very model labelled: for new tracks"
    )
    relabel.add_argument(
        "--dry-run", action="store_true", help="tell what would change, change nothing"
    )
    relabel.add_argument("--warehouse", type=Path, metavar="PATH", help="default: from settings")
    relabel.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="default: %(default)s"
    )
    relabel.set_defaults(run=run_relabel)


def run_relabel(options: argparse.Namespace) -> int:
    """Works through what is held and prints what changed."""
    from config import relabelling, wiring
    from pipeline.relabel import Changes, Relabeller, target
    from pipeline.steps.aliases import Aliases
    from pipeline.tracks import Matcher

    known = settings.load(options.config)
    models = wiring.labeller(known, options.model)
    since: datetime | None = options.since
    mark = relabelling.Mark(known, options.warehouse, [models.version, since])
    done, changes = 0, Changes()
    with relabelling.opened(known, options.warehouse) as (warehouse, put):
        relabelling.check_tracks(known, warehouse)
        choose = partial(target, warehouse, models.version, options.again)
        is_marked = options.again and not options.dry_run
        with mark.run(choose) if is_marked else nullcontext(choose()) as name:
            run = Relabeller(
                warehouse,
                models,
                Aliases(known.track),
                (lambda _: None) if options.dry_run else put,
                matcher=Matcher(known.track) if known.track else None,
            )
            for count, changed in run.run(name, since, again=options.again):
                done += count
                changes += changed
                if sys.stderr.isatty():
                    print(f"\r{done:,} mentions", end="", file=sys.stderr, flush=True)
    verb = "would be" if options.dry_run else "were"
    back = "\r" if sys.stderr.isatty() else ""
    end = "" if done else "; --again names anew what this very model named"
    print(f"{back}{done:,} mentions {verb} named by {name}{end}", file=sys.stderr)
    rows = sorted(changes.items(), key=lambda one: (one[0][0], -one[1], str(one[0])))
    show(Table(COLUMNS, [(*key, count) for key, count in rows]), options.format)
    return 0
