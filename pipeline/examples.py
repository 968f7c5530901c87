"""Labelled examples: JSON lines of ``{"text", "label", "group", "lang", "weight"}``.

``label`` may be a list: one of these is right, and it is not known which.
``group`` is what must not be split between learning and measuring (an event, an operator, an
app); without it every text stands for itself. ``lang`` is for figures per language. ``weight``
(default 1) says how much an example counts while learning. The last three are optional.
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from pipeline.errors import Misuse
from pipeline.values import sound


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled text. ``others`` are labels that may as well be right, where that is open."""

    text: str
    label: str
    group: str | None = None
    lang: str | None = None
    weight: float = 1.0
    others: tuple[str, ...] = ()


def read_examples(paths: Sequence[Path]) -> list[Example]:
    """All examples of these files (``.gz`` too), in order; empty lines are skipped.

    Raises Misuse that names file and line at the first one that is no example.
    """
    return [example for path in paths for example in _read(path)]


def _read(path: Path) -> Iterator[Example]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _example(line, f"{path} line {number}")
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or "not a readable file of JSON lines"
        raise Misuse(f"{path}: {why}") from error


def _example(line: bytes, origin: str) -> Example:
    """The example of one line. The text itself never enters a message."""
    try:
        data: Any = json.loads(line)
    except ValueError as error:
        raise Misuse(f"{origin}: not a JSON document") from error
    if not isinstance(data, dict):
        raise Misuse(f'{origin}: expected an object with "text" and "label"')
    text = data.get("text")
    if not _is_told(text):
        raise Misuse(f'{origin}: "text" must be a string that is not empty')
    given = data.get("label")
    told = given if isinstance(given, list) else [given]
    labels = [label for label in told if _is_told(label)]
    if not labels or len(labels) < len(told):
        raise Misuse(f'{origin}: "label" must be a string that is not empty, or a list of them')
    for name in ("group", "lang"):
        if not isinstance(data.get(name), str | None):
            raise Misuse(f'{origin}: "{name}" must be a string')
    weight = data.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < 1e6:
        raise Misuse(f'{origin}: "weight" must be a number above 0')
    first, *others = dict.fromkeys(sound(label).strip() for label in labels)
    group, lang = data.get("group"), data.get("lang")
    return Example(sound(text), first, group, lang, float(weight), tuple(others))


def _is_told(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip())
