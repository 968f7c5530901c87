"""``train`` and ``evaluate``: models of one's own, measured on texts they have not seen."""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from config import settings
from pipeline.errors import Misuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.evaluate import Answers
    from pipeline.examples import Example
    from pipeline.train import Report

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def register(commands: Commands) -> None:
    """Adds the commands of this file."""
    _register_train(commands)
    evaluate = commands.add_parser(
        "evaluate",
        help="precision, recall, F1 and calibration of one head",
        description="Labels the texts with the model in use and compares, with 95 % intervals, "
        "per label and per language.",
    )
    evaluate.add_argument("files", nargs="+", type=Path, metavar="FILE")
    evaluate.add_argument("--head", required=True, metavar="NAME", help="for instance intent")
    evaluate.add_argument("--model", type=Path, metavar="DIR", help="laid over the shipped model")
    evaluate.add_argument(
        "--format", choices=("table", "json"), default="table", help="default: %(default)s"
    )
    evaluate.set_defaults(run=run_evaluate)


def _register_train(commands: Commands) -> None:
    train = commands.add_parser(
        "train",
        help="train one head on labelled texts",
        description='Learns from JSON lines of {"text", "label", "group", "lang"} (.gz too; group '
        "and lang may be missing) and writes DIR/NAME.safetensors, with figures on texts that "
        "were held out; a label may be a list, if it is open which is right. --decisions adds what "
        "people relabelled, from the warehouse; --labels reads labels of your own from a TOML file "
        "of tables [HEAD.NAME] with parent and examples, which teach beside ours. A head that is "
        "new needs no more than its name (and --new to be promoted); what it says stands in the "
        "lines of `groundswell enrich` and on the topic feedback, in no table of the warehouse, "
        "which has columns for our heads only. Use the result with --model DIR, or let --promote "
        "install it where the settings' [models] dir is, if it beats the model in use as a whole "
        "and loses in no label and no language, both beyond chance, and still knows every label "
        "that a head of ours must know.",
    )
    train.add_argument("files", nargs="*", type=Path, metavar="FILE")
    train.add_argument(
        "--labels", type=Path, metavar="TOML", help="labels of your own, with example posts"
    )
    train.add_argument("--decisions", action="store_true", help="learn from people's labels, too")
    train.add_argument("--warehouse", type=Path, metavar="PATH", help="default: from settings")
    train.add_argument("--head", required=True, metavar="NAME", help="for instance intent")
    train.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="where the model is written; made if it is not there",
    )
    train.add_argument("--promote", action="store_true", help="install it if it is better")
    train.add_argument(
        "--new",
        action="store_true",
        help="with --promote: a head of your own, which `enrich` tells and no table holds",
    )
    train.add_argument("--version", default="0", metavar="V", help="stands on every label")
    train.set_defaults(run=run_train)


def run_train(options: argparse.Namespace) -> int:
    """Trains, prints the report, promotes if asked and earned."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from pipeline.train import Settings, train

    known = settings.load(options.config)
    _checked(known, options)
    _has_room(known, options)
    examples = _examples(known, options)
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
        return _promote(known, report, options.labels)
    return 0


def _examples(known: settings.Settings, options: argparse.Namespace) -> "list[Example]":
    """Those of the files, and those that people made by relabelling."""
    from config.decided import decided
    from config.team_labels import team_examples
    from pipeline.examples import read_examples

    if not options.files and not options.decisions and options.labels is None:
        raise Misuse("nothing to learn from: name a FILE, --labels TOML, or ask for --decisions")
    examples = read_examples(options.files)
    if options.labels is not None:
        examples += team_examples(options.labels, options.head)
    if options.decisions:
        found = decided(known, options.head, options.warehouse)
        kept = f"{len(found.examples):,} posts with a person's label"
        left = f", {found.left_out:,} more that their platforms' terms keep from teaching"
        print(kept + (left if found.left_out else ""), file=sys.stderr)
        examples += found.examples
    return examples


def _promote(known: settings.Settings, report: "Report", labels: Path | None) -> int:
    """Puts the model in use if it is better; says why not otherwise."""
    from config.names import shipped_names
    from config.team_labels import parents
    from pipeline.promotion import promote

    assert known.models.dir is not None  # noqa: S101  # asked for by run_train
    answers = answers_in_use(known, report, beside_ours=labels is not None)
    needed = shipped_names().get(report.head, ())
    within = parents(labels, report.head) if labels is not None else {}
    outcome = promote(report, answers, known.models.dir, needed=needed, within=within)
    for difference in outcome.compared[1:]:
        print(f"{difference.name}: F1 {difference}")
    print(outcome.reason)
    return 0 if outcome.promoted else 1


def answers_in_use(
    known: settings.Settings, report: "Report", *, beside_ours: bool, folds: int = 5
) -> "Answers | None":
    """What the model in use says to the report's texts; None if it has no such head.

    It has learnt our own examples by heart. Where they teach again (``beside_ours``), its answers
    to them are those of models that were taught the same without the text in question.
    """
    from config import wiring
    from config.team_labels import shipped_examples
    from pipeline.evaluate import Answers, answer
    from pipeline.train import Settings, cross_validated

    current = wiring.labeller(known)
    if report.head not in current.labels:
        return None
    found = answer(report.texts, report.head, current)
    if not beside_ours:
        return found
    examples = list(shipped_examples(report.head))
    ours, fair = cross_validated(examples, settings=Settings(folds=folds))
    said = zip(fair.names, fair.p, fair.sure, strict=True)
    unseen = dict(zip((example.text for example in ours), said, strict=True))
    answers = zip(found.names, found.p, found.sure, strict=True)
    rows = [unseen.get(e.text, row) for e, row in zip(report.texts, answers, strict=True)]
    return Answers(*map(list, zip(*rows, strict=True)))


def _checked(known: settings.Settings, options: argparse.Namespace) -> None:
    """Says what a name means that no head has; raises Misuse where that is surely a slip."""
    from config.names import label_names

    names = label_names(known)
    if options.promote and known.models.dir is None:
        raise Misuse("--promote needs to know where your models live: set dir under [models]")
    if options.head in names:
        return
    there = f"no head has the name {options.head!r}; there are: {', '.join(sorted(names))}"
    if options.promote and not options.new:
        raise Misuse(f"{there}; to put a head of your own in use, say --new, too")
    if not options.files:
        raise Misuse(f"{there}; a head of your own wants a FILE of labelled texts")
    print(f"{there}. It becomes a new one, beside them.", file=sys.stderr)


def _has_room(known: settings.Settings, options: argparse.Namespace) -> None:
    """Raises Misuse where the model could not be kept: training takes minutes."""
    from pipeline.heads import make_room

    make_room(options.out)
    if options.promote and known.models.dir is not None:
        make_room(known.models.dir)


def run_evaluate(options: argparse.Namespace) -> int:
    """Prints the figures."""
    from config import wiring
    from pipeline.evaluate import evaluate
    from pipeline.examples import read_examples

    models = wiring.labeller(settings.load(options.config), options.model)
    examples = read_examples(options.files)
    scores = evaluate(examples, options.head, models)
    if told := _never_given(examples, models.labels[options.head]):
        print(told, file=sys.stderr)
    print(json.dumps(scores.to_dict(), indent=2) if options.format == "json" else scores.to_text())
    return 0


def _never_given(examples: "Sequence[Example]", names: "Sequence[str]") -> str | None:
    """What to say of labels that the model does not know. Raises Misuse if it knows none."""
    strange = Counter(e.label for e in examples if not {e.label, *e.others} & set(names))
    if not strange:
        return None
    told = ", ".join(f"{name} ({count:,})" for name, count in strange.most_common())
    there = f"labels that the model never gives: {told}; it knows {', '.join(names)}"
    if strange.total() == len(examples):
        raise Misuse(f"all texts have {there}")
    return f"{strange.total():,} of {len(examples):,} texts have {there}"
