"""``decide`` and ``forget``: what a person settles, and what must go."""

import argparse
import getpass
import json
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from pydantic import ValidationError

from config import note, settings
from config.commands.arguments import identity
from pipeline.errors import Misuse
from pipeline.explaining import explain
from pipeline.model import Decision, Removal, Verb

if TYPE_CHECKING:
    from config.scale import Desk
    from pipeline.ports import Row, Warehouse

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def register(commands: Commands) -> None:
    """Adds the commands of this file."""
    decide = commands.add_parser(
        "decide",
        help="a person's decision, which always wins",
        description="relabel MENTION HEAD=NAME | link MENTION INCIDENT | unlink MENTION INCIDENT | "
        "accept PROPOSAL | dismiss PROPOSAL | merge INCIDENT INTO (proposals and incidents of "
        "tools alike; accept INCIDENT takes it back). Goes through the running process if there "
        "is one. Prints the decision.",
    )
    decide.add_argument("verb", choices=get_args(Verb), metavar="VERB")
    decide.add_argument("subject", type=identity, metavar="SUBJECT")
    decide.add_argument("value", type=identity, nargs="?", default="", metavar="VALUE")
    decide.add_argument("--by", default=None, metavar="NAME", help="default: your login")
    decide.add_argument("--warehouse", type=Path, metavar="PATH", help="default: from settings")
    decide.set_defaults(run=run_decide)

    forget = commands.add_parser(
        "forget",
        help="erase mentions or authors for good; prints a receipt",
        description="Erases text, handle, links and labels from the warehouse, its snapshot and "
        "the local broker, so that the bytes are gone and cannot come back. Counts stay. Prints a "
        "receipt as JSON, which is kept in the view erasures: what, when, why and by whom.",
    )
    forget.add_argument(
        "--mention",
        type=identity,
        action="append",
        default=[],
        metavar="SOURCE:ID",
        help="a post, as the column id of feedback names it; may be given again",
    )
    forget.add_argument(
        "--author",
        type=identity,
        action="append",
        default=[],
        metavar="SOURCE:ID",
        help="all posts of an author, by the id that the platform gave; may be given again",
    )
    forget.add_argument("--by", default=None, metavar="NAME", help="who asks; default: your login")
    forget.add_argument("--reason", default=None, metavar="WORDS", help="why, for the receipt")
    forget.add_argument("--warehouse", type=Path, metavar="PATH", help="default: from settings")
    forget.set_defaults(run=run_forget)


def run_decide(options: argparse.Namespace) -> int:
    """Puts the decision where the warehouse and the workers find it."""
    from pipeline.clock import SystemClock

    known = settings.load(options.config)
    try:
        decision = Decision(
            id=str(uuid.uuid4()),
            subject=options.subject,
            verb=options.verb,
            value=options.value,
            by=options.by or getpass.getuser(),
            at=SystemClock().now(),
        )
    except ValidationError as error:
        raise Misuse(explain(error, show=True)) from error
    _makes_sense(decision, known)
    if options.warehouse is None and known.on_servers:
        with _desk(known) as desk:
            _has_target(decision, desk.warehouse)
            desk.decide(decision)
    else:
        _decide_on_files(_warehouse(options, known), known, decision)
    print(decision.to_json().decode())
    return 0


def _makes_sense(decision: Decision, known: settings.Settings) -> None:
    """Raises Misuse for a name that the head does not have, or a subject that is no proposal."""
    from config.names import label_names
    from pipeline.model import PROPOSAL

    if decision.verb == "dismiss" and not decision.subject.startswith(PROPOSAL):
        raise Misuse(f"dismiss wants a proposal's id, which begins with {PROPOSAL}")
    if decision.verb == "relabel":
        head, _, name = decision.value.partition("=")
        names = label_names(known).get(head)
        if names is not None and name not in names:
            raise Misuse(f"{head} has no {name!r}; there are: {', '.join(names)}")


def _has_target(decision: Decision, warehouse: "Warehouse") -> None:
    """Raises Misuse for a word on incidents that cannot be carried out: links would go astray."""
    from pipeline.twins import objection

    def found(number: str) -> "Row | None":
        return next(iter(warehouse.rows("incident", id=number)), None)

    def official_of(number: str) -> str | None:
        row = found(number)
        return None if row is None else row["official_id"]

    if told := objection(decision, official_of, lambda number: found(number) is not None):
        raise Misuse(told)
    is_of_mention = decision.verb in {"relabel", "link", "unlink"}
    if is_of_mention and not warehouse.rows("is_known", id=decision.subject):
        told = f"nothing is kept of {decision.subject} (look at the id); should it come, it holds"
        print(told, file=sys.stderr)


def _decide_on_files(path: Path, known: settings.Settings, decision: Decision) -> None:
    running = note.read(note.beside(path))
    if running is not None:
        note.call(running, "/api/decisions", json.loads(decision.to_json()))
    else:
        _decide_here(path, known.broker_for(path), decision)


def _decide_here(path: Path, broker_path: Path, decision: Decision) -> None:
    """Into the warehouse now, and onto the topic for the workers of the next ``up``."""
    from config import wiring
    from pipeline.brokers.local import LocalBroker
    from pipeline.ports import Rows
    from pipeline.topics import DECISIONS

    with closing(wiring.warehouse(path)) as warehouse:
        _has_target(decision, warehouse)
        if broker_path.exists():
            with closing(LocalBroker(broker_path)) as broker:
                producer = broker.producer()
                producer.send(DECISIONS, decision.key, decision.to_json())
                producer.flush()
                producer.close()
        warehouse.write(Rows(decisions=[decision]), decision.at)


def run_forget(options: argparse.Namespace) -> int:
    """Erases and prints the receipt."""
    from pipeline.clock import SystemClock

    if not options.mention and not options.author:
        raise Misuse("say what to forget: --mention SOURCE:ID or --author SOURCE:ID")
    if short := [n for n in (*options.mention, *options.author) if not all(n.partition(":"))]:
        raise Misuse(f"{', '.join(short)}: wanted is SOURCE:ID, as in the views")
    known = settings.load(options.config)
    now = SystemClock().now()
    try:
        removals = [
            Removal(
                removal=name,
                kind="erased",
                at=now,
                scope=scope,
                by=options.by or getpass.getuser(),
                reason=options.reason,
            )
            for scope, names in (("mention", options.mention), ("author", options.author))
            for name in names
        ]
    except ValidationError as error:
        raise Misuse(explain(error, show=True)) from error
    if options.warehouse is None and known.on_servers:
        with _desk(known) as desk:
            receipt = desk.forget(removals)
    else:
        receipt = _forget_on_files(_warehouse(options, known), known, options, removals)
    print(json.dumps(receipt, indent=2, default=str))
    if not receipt["mentions"]:
        told = "nothing of it is kept here (look at the id), or it was forgotten before"
        print(f"{told}; should it still come, it will not be kept", file=sys.stderr)
    return _exports_follow(receipt)


def _exports_follow(receipt: dict[str, Any]) -> int:
    """1, and what to do, if an export still holds what was to be forgotten."""
    if left := receipt.get("exports_left"):
        told = "it may still stand in these exports; they are tried again every hour while it runs"
        print(f"{told}, or forget again: {', '.join(left)}", file=sys.stderr)
        return 1
    return 0


def _forget_on_files(
    path: Path,
    known: settings.Settings,
    options: argparse.Namespace,
    removals: Sequence[Removal],
) -> dict[str, Any]:
    running = note.read(note.beside(path))
    if running is not None:
        asked = {"mentions": options.mention, "authors": options.author}
        asked |= {"by": removals[0].by, "reason": removals[0].reason}
        return note.call(running, "/api/forget", asked)
    return _forget_here(path, known, removals)


def _forget_here(
    path: Path, known: settings.Settings, removals: Sequence[Removal]
) -> dict[str, object]:
    from config import exported, recording, wiring
    from config.erasing import erase
    from pipeline.brokers.local import LocalBroker
    from pipeline.clock import SystemClock

    with ExitStack() as opened:
        warehouse = opened.enter_context(closing(wiring.warehouse(path)))
        broker = None
        if (broker_path := known.broker_for(path)).exists():
            broker = opened.enter_context(closing(LocalBroker(broker_path)))
        kept = recording.of_settings(known)
        exports = exported.of_warehouse(path)
        return erase(warehouse, broker, removals, SystemClock(), kept, exports)


@contextmanager
def _desk(known: settings.Settings) -> "Iterator[Desk]":
    """What the page uses on Kafka and PostgreSQL, for one command."""
    from config import scale
    from pipeline.clock import SystemClock

    desk = scale.Desk(known, SystemClock())
    with closing(desk.broker), closing(desk.warehouse):
        yield desk


def _warehouse(options: argparse.Namespace, known: settings.Settings) -> Path:
    """The warehouse that is meant; it has to be there. Raises Misuse."""
    path: Path = options.warehouse or known.warehouse.path
    if not path.exists():
        raise Misuse(f"there is no warehouse at {path}: name another with --warehouse")
    return path
