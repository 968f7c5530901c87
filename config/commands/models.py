"""``train`` and ``evaluate``: models of one's own, measured on texts they have not seen."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from config import settings
from pipeline.errors import Misuse

if TYPE_CHECKING:
    from pipeline.train import Report

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def register(commands: Commands) -> None:
    """Adds the commands of this file."""
    train = commands.add_parser(
        "train",
        help="train one head on labelled texts",
        description='Learns from JSON lines of {"text", "label", "group", "lang"} (.gz too; group '
        "and lang may be missing) and writes DIR/NAME.safetensors, with figures on texts that "
        "were held out. A name that is new becomes a new head. Use it with --model DIR, or let "
        "--promote install it where the settings' [models] dir is, if it beats the model in use.",
    )
    train.add_argument("files", nargs="+", type=Path, metavar="FILE")
    train.add_argument("--head", required=True, metavar="NAME", help="for instance intent")
    train.add_argument("--out", required=True, type=Path, metavar="DIR")
    train.add_argument("--promote", action="store_true", help="install it if it is better")
    train.add_argument("--version", default="0", metavar="V", help="stands on every label")
    train.set_defaults(run=run_train)

    evaluate = commands.add_parser(
        "evaluate",
        help="precision, recall, F1 and calibration of one head",
        description="Labels the texts with the model in use and compares, with 95 %% intervals, "
        "per label and per language.",
    )
    evaluate.add_argument("files", nargs="+", type=Path, metavar="FILE")
    evaluate.add_argument("--head", required=True, metavar="NAME")
    evaluate.add_argument("--model", type=Path, metavar="DIR", help="laid over the shipped model")
    evaluate.add_argument("--format", choices=("table", "json"), default="table")
    evaluate.set_defaults(run=run_evaluate)


def run_train(options: argparse.Namespace) -> int:
    """Trains, prints the report, promotes if asked and earned."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from pipeline.examples import read_examples
    from pipeline.train import Settings, train

    known = settings.load(options.config)
    if options.promote and known.models.dir is None:
        raise Misuse("--promote needs to know where your models live: set dir under [models]")
    examples = read_examples(options.files)
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done)

        report = train(
            examples,
            options.head,
            options.out,
            settings=Settings(version=options.version),
            progress=tell,
        )
    print(report.to_text(), end="")
    if options.promote:
        return _promote(known, report, options)
    return 0


def _promote(known: settings.Settings, report: "Report", options: argparse.Namespace) -> int:
    """Puts the model in use if it is better; says why not otherwise."""
    from config import wiring
    from pipeline.evaluate import evaluate
    from pipeline.examples import read_examples
    from pipeline.train import promote

    current = wiring.labeller(known)
    scores = None
    if options.head in current.labels:
        scores = evaluate(read_examples(options.files), options.head, current)
    outcome = promote(report, scores, known.models.dir or options.out)
    print(outcome.reason)
    return 0 if outcome.promoted else 1


def run_evaluate(options: argparse.Namespace) -> int:
    """Prints the figures."""
    from config import wiring
    from pipeline.evaluate import evaluate
    from pipeline.examples import read_examples

    known = settings.load(options.config)
    examples = read_examples(options.files)
    scores = evaluate(examples, options.head, wiring.labeller(known, options.model))
    print(json.dumps(scores.to_dict(), indent=2) if options.format == "json" else scores.to_text())
    return 0
