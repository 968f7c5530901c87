"""``query`` and ``deadletter``: what the warehouse holds, and what could not be read."""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from config import settings
from config.cells import tame
from pipeline.errors import Misuse
from pipeline.ports import Table

if TYPE_CHECKING:
    from pipeline.model import Mention
    from pipeline.ports import Broker, Warehouse

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

LETTER = ["id", "at", "stage", "topic", "origin", "reason", "bytes"]
#: What one answer may hold and take; `--rows` and `--seconds` ask for more.
MOST_ROWS = 100_000
MOST_SECONDS = 60.0
_BLIND = """
SELECT source, sum(seconds_blind) AS seconds, min(causes) AS causes FROM completeness
WHERE hour > (SELECT max(hour) FROM completeness) - INTERVAL '24 hours' AND seconds_blind > 0
GROUP BY source ORDER BY source"""


def register(commands: Commands) -> None:
    """Adds the commands of this file."""
    query = commands.add_parser(
        "query",
        help="read-only SQL over the warehouse",
        description="Answers one SELECT over the stable views: feedback, mention_tracks, "
        "incident_feedback, incidents, mentions_hourly, completeness and others, which "
        "docs/warehouse.md explains. It can neither write nor read files. While `groundswell up` "
        "runs it reads the newest snapshot and says how old that is; it also says when a source "
        "was blind in the last day that was read. All times are UTC. In CSV an apostrophe stands "
        "before formulas.",
    )
    query.add_argument("sql", metavar="SQL")
    query.add_argument("--warehouse", type=Path, metavar="PATH", help="default: from settings")
    query.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="default: %(default)s"
    )
    query.add_argument(
        "--rows", type=int, default=MOST_ROWS, metavar="N", help="at most; default: %(default)s"
    )
    query.add_argument(
        "--seconds", type=float, default=MOST_SECONDS, metavar="N", help="default: %(default)s"
    )
    query.set_defaults(run=run_query)

    letters = commands.add_parser(
        "deadletter",
        help="list or replay what could not be read",
        description="list prints every dead letter with its stage and reason; replay sends them "
        "(or those named) to where they came from, once what was wrong has been mended. What a "
        "source delivered and only the source could read stays on the list: mend it there.",
    )
    letters.add_argument("what", choices=("list", "replay"), metavar="list|replay")
    letters.add_argument("ids", nargs="*", default=[], metavar="ID", help="default: all")
    letters.add_argument("--warehouse", type=Path, metavar="PATH", help="default: from settings")
    letters.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="default: %(default)s"
    )
    letters.set_defaults(run=run_deadletter)


def run_query(options: argparse.Namespace) -> int:
    """Prints the answer; the age of a snapshot goes to standard error."""
    from config.analysis import for_reading

    warehouse, age = for_reading(settings.load(options.config), options.warehouse)
    with closing(warehouse):
        if age is not None:
            print(f"read from a snapshot {timedelta(seconds=round(age))} old", file=sys.stderr)
        show(warehouse.sql(options.sql, options.rows, options.seconds), options.format)
        for told in blind(warehouse):
            print(told, file=sys.stderr)
    return 0


def blind(warehouse: "Warehouse") -> list[str]:
    """A line for each source that was blind in the last day of which coverage tells."""
    try:
        rows = warehouse.sql(_BLIND).rows
    except Misuse:  # a role that may not read the view, or a warehouse without it, has its answer
        return []
    return [
        f"incomplete: {printable(source)} was blind for {round(seconds / 60):,} minutes of the "
        f"last day that was read ({printable(causes)}); the view completeness tells when"
        for source, seconds, causes in rows
    ]


def run_deadletter(options: argparse.Namespace) -> int:
    """Lists or replays the dead letters of Kafka, or of the local broker."""
    from dataclasses import astuple

    from pipeline import deadletters

    known = settings.load(options.config)
    opened = _broker(known, options.warehouse)
    if opened is None:
        show(Table(LETTER), options.format)
        return 0
    with closing(opened) as broker:
        if options.what == "replay":
            known_ids = [letter.id for letter in deadletters.listing(broker)]
            if strange := set(options.ids) - set(known_ids):
                raise Misuse(f"no dead letter has the id {', '.join(sorted(strange))}")
            return _replay(broker, options.ids or known_ids, known)
        letters = deadletters.listing(broker)
    show(Table(LETTER, [astuple(letter) for letter in letters]), options.format)
    return 0


def _broker(known: settings.Settings, warehouse: Path | None) -> "Broker | None":
    """The broker of the settings; the local one of ``warehouse`` if given; None before there is."""
    if known.kafka is not None and warehouse is None:
        from pipeline.brokers.kafka import KafkaBroker

        return KafkaBroker(known.kafka)
    from pipeline.brokers.local import LocalBroker

    path = known.broker_for(warehouse or known.warehouse.path)
    return LocalBroker(path) if path.exists() else None


def _replay(broker: "Broker", ids: Sequence[str], known: settings.Settings) -> int:
    """Sends dead letters again and says what became of them; 1 when none could be sent."""
    from pipeline import deadletters

    sent = deadletters.replay(broker, ids, _preparer(known))
    print(f"{sent:,} sent again")
    if sent:
        print("what is still unreadable comes back to the list", file=sys.stderr)
    if stay := len(set(ids)) - sent:
        print(
            f"{stay:,} stay on the list: only their source could read them; "
            "mend what it delivers, and it brings them again",
            file=sys.stderr,
        )
    return 1 if stay and not sent else 0


def _preparer(known: settings.Settings) -> "Callable[[Mention], Mention]":
    """Does to a mention that the intake set aside what the intake would have done."""
    from pipeline.clock import SystemClock
    from pipeline.intake import prepare
    from pipeline.tracks import Matcher

    matcher = Matcher(known.track) if known.track else None
    return lambda word: prepare(word, SystemClock().now(), matcher, known.privacy.mask)


def show(table: Table, form: str) -> None:
    """Prints a table: for eyes, as CSV, or as a JSON list of objects."""
    if form == "json":
        _json(table)
    elif form == "csv":
        rows = csv.writer(sys.stdout)
        rows.writerow(table.columns)
        rows.writerows([tame(cell) for cell in row] for row in table.rows)
    else:
        _for_eyes(table)
    if table.cut:
        print(f"cut after {len(table.rows):,} rows; --rows asks for more", file=sys.stderr)


def _json(table: Table) -> None:
    import orjson

    names = _distinct(table.columns)
    rows = [{n: _plain(cell) for n, cell in zip(names, row, strict=True)} for row in table.rows]
    sys.stdout.buffer.write(
        orjson.dumps(rows, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_INDENT_2) + b"\n"
    )


def _distinct(names: Sequence[str]) -> list[str]:
    """Column names, a second one of the same name with its number."""
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return distinct


def _plain(cell: Any) -> Any:
    """A cell as JSON can hold it: whole numbers beyond 64 bits are text."""
    if isinstance(cell, int) and not -(2**63) <= cell < 2**63:
        return str(cell)
    return cell


def _for_eyes(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn()
    for name in table.columns:
        drawn.add_column(Text(name))
    for row in table.rows:
        drawn.add_row(*[Text(printable(cell)) for cell in row])
    wide = None if sys.stdout.isatty() else 10_000
    Console(width=wide, markup=False, emoji=False, highlight=False).print(drawn)
    count = f"{len(table.rows):,} rows"
    print(count, file=sys.stderr)


def printable(cell: Any) -> str:
    """A cell as one line that no terminal obeys: control and bidi characters become \\ufffd."""
    text = "" if cell is None else str(cell)
    return "".join(_safe(text))


def _safe(text: str) -> Iterable[str]:
    for character in text:
        if character in "\n\t":
            yield " "
        elif character.isprintable() or character == "\u200d":
            yield character
        else:
            yield "\ufffd"
