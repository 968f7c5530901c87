"""``replay`` and ``enrich``: files and streams of posts through the pipeline."""

import argparse
import os
import select
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from config import settings
from pipeline.errors import Misuse, SetAside

if TYPE_CHECKING:
    from pipeline.enrich import Enricher
    from pipeline.strangers import Strangers
    from pipeline.tracks import Matcher

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Large enough for the steps' arrays to pay, small enough to answer a slow writer at once.
ENRICH_BATCH = 1_000

_INCIDENTS: Final[Mapping[str, Any]] = {
    "action": "append",
    "default": [],
    "type": Path,
    "metavar": "F",
    "help": "incidents as JSON lines, .gz too, in the shape of a status page "
    "(docs/schemas/incident.json); may be given again",
}


def register(commands: Commands) -> None:
    """Adds the commands of this file."""
    replay = commands.add_parser(
        "replay",
        help="files of posts through the whole pipeline, on their own time",
        description="Reads files of JSON lines (mentions, removals, decisions; .gz too, - is "
        "standard input), merges them by time and runs them through the whole pipeline into a "
        "warehouse. Running the same file again changes nothing. What cannot be read goes to the "
        "dead letters (groundswell deadletter list). Ends with a summary.",
    )
    replay.add_argument("files", nargs="+", metavar="FILE", help="JSON lines, .gz, or -")
    replay.add_argument("--incidents", **_INCIDENTS)
    replay.add_argument("--warehouse", type=Path, metavar="PATH", help="default: from settings")
    replay.add_argument(
        "--speed", default="max", metavar="max|N", help="N times as fast as it happened"
    )
    replay.add_argument("--model", type=Path, metavar="DIR", help="lay this model over the shipped")
    replay.set_defaults(run=run_replay)

    enrich = commands.add_parser(
        "enrich",
        help="mentions on standard input, feedback on standard output",
        description="Writes one line for each line read, in the same order: feedback, or "
        '{"error": …, "line": N} for a line that cannot be read. Keeps nothing.',
    )
    enrich.add_argument("--incidents", **_INCIDENTS)
    enrich.add_argument("--model", type=Path, metavar="DIR", help="lay this model over the shipped")
    enrich.set_defaults(run=run_enrich)


def run_replay(options: argparse.Namespace) -> int:
    """Runs the files through the pipeline and prints the summary."""
    from config import replaying

    known = settings.load(options.config)
    return replaying.replay(
        known,
        files=[Path(name) for name in options.files],
        incidents=options.incidents,
        warehouse=options.warehouse or known.warehouse.path,
        speed=_speed(options.speed),
        model=options.model,
    )


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise Misuse(f"--speed is max or a number above 0, not {text!r}")
    return speed


def run_enrich(options: argparse.Namespace) -> int:
    """Enriches standard input line by line; the last line of talk counts what was unreadable."""
    from config import wiring
    from pipeline.strangers import Strangers
    from pipeline.tracks import Matcher

    known = settings.load(options.config)
    enricher = wiring.enricher(
        known, wiring.book_of_files(options.incidents), wiring.labeller(known, options.model)
    )
    matcher = Matcher(known.track) if known.track else None
    strangers = Strangers()
    read = bad = linked = 0
    for lines in _batches():
        answers, links = _answers(lines, read, enricher, matcher, known.privacy.mask, strangers)
        bad += sum(answer.startswith(b'{"error"') for answer in answers)
        linked += links
        read += len(lines)
        sys.stdout.buffer.write(b"\n".join(answers) + b"\n")
        sys.stdout.buffer.flush()
    if told := strangers.told():
        print(told, file=sys.stderr)
    if read and options.incidents and not known.track and not linked:
        from config.replaying import NO_TRACK

        print(NO_TRACK, file=sys.stderr)
    print(f"{read:,} lines, {bad:,} unreadable", file=sys.stderr)
    return 0


def _answers(
    lines: list[bytes],
    before: int,
    enricher: "Enricher",
    matcher: "Matcher | None",
    mask: bool,
    strangers: "Strangers",
) -> tuple[list[bytes], int]:
    """One line of output for each line of input, in the same order; how many links they tell."""
    import orjson

    from pipeline.decoding import load, read
    from pipeline.intake import prepare
    from pipeline.model import Mention

    answers: list[bytes] = [b""] * len(lines)
    mentions: list[Mention] = []
    places: list[int] = []
    for place, line in enumerate(lines):
        try:
            mention = read(Mention, line)
        except SetAside as error:
            answers[place] = orjson.dumps({"error": str(error), "line": before + place + 1})
            continue
        strangers.look(load(line))
        mentions.append(prepare(mention, mention.seen_at, matcher, mask))
        places.append(place)
    links = 0
    for place, feedback in zip(places, enricher(mentions) if mentions else [], strict=True):
        answers[place] = feedback.to_json()
        links += len(feedback.links)
    return answers, links


def _batches() -> Iterator[list[bytes]]:
    """Lines of standard input as they come; waits for the first of a batch only."""
    source = sys.stdin.fileno()
    rest = b""
    lines: list[bytes] = []
    while True:
        waiting = bool(lines) and not select.select([source], [], [], 0)[0]
        if len(lines) >= ENRICH_BATCH or waiting:
            yield lines[:ENRICH_BATCH]
            del lines[:ENRICH_BATCH]
            continue
        chunk = os.read(source, 1 << 20)
        if not chunk:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        lines.extend(whole)
    if rest:
        lines.append(rest)
    for start in range(0, len(lines), ENRICH_BATCH):
        yield lines[start : start + ENRICH_BATCH]
