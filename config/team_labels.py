"""Labels of a team's own, as data: a TOML file with a table for each, and example posts.

    [topic.streaming]
    about = "Films and series stutter, stop or do not begin."
    parent = "performance"
    examples = ["the film stops every two minutes", "…"]

``[HEAD.NAME]``: the head it belongs to and its name. ``parent`` (optional) is a label of that head,
ours or one of the same file: those of its posts that share a telling word with the new label's may
be of the new label, too. ``examples`` are at least five posts. They teach together with the example
posts that come with Groundswell.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import Misuse
from pipeline.examples import Example
from pipeline.explaining import explain
from pipeline.heads import HEAD_NAME
from pipeline.train import LEAST_PER_LABEL

# A team's few posts stand beside many of ours.
_WEIGHT = 3.0
# A word tells something if at most one in so many of our posts has it.
_TELLING = 200
_WORD = re.compile(r"\w{4,}")


class TeamLabel(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str = ""
    parent: str | None = None
    examples: tuple[str, ...] = Field(min_length=LEAST_PER_LABEL)


def team_examples(path: Path, head: str) -> list[Example]:
    """Our example posts for ``head`` and those of the file's new labels.

    Raises Misuse that names the file and the label at the first thing that is wrong.
    """
    labels = _read(path, head)
    ours = list(shipped_examples(head))
    children = _children(path, head, labels, {example.label for example in ours})
    own = [
        Example(text, name, weight=_WEIGHT)
        for name, label in labels.items()
        for text in label.examples
    ]
    telling = _telling(labels, ours)
    return [*own, *(_opened(example, children, telling) for example in ours)]


def parents(path: Path, head: str) -> dict[str, str]:
    """The parent of each new label that has one."""
    found = _read(path, head).items()
    return {name: label.parent for name, label in found if label.parent is not None}


def _children(
    path: Path, head: str, labels: dict[str, TeamLabel], known: set[str]
) -> dict[str, list[str]]:
    """The new labels by their parent. Raises Misuse for one that is not there, or not new."""
    children: dict[str, list[str]] = {}
    for name, label in labels.items():
        if name in known:
            raise Misuse(f"{_origin(path, head, name)}: there is such a label already")
        if label.parent is not None:
            if label.parent not in known | labels.keys() or label.parent == name:
                there = ", ".join(sorted(known | labels.keys() - {name}))
                raise Misuse(
                    f"{_origin(path, head, name)}: no label {label.parent!r} to be its parent; "
                    f"there are: {there}"
                )
            children.setdefault(label.parent, []).append(name)
    return children


def _telling(labels: dict[str, TeamLabel], ours: Sequence[Example]) -> dict[str, set[str]]:
    """For each new label the words of its examples that are rare in ours."""
    seen = Counter(word for example in ours for word in _words(example.text))
    most = len(ours) / _TELLING
    return {
        name: {word for text in label.examples for word in _words(text) if seen[word] <= most}
        for name, label in labels.items()
    }


def _opened(
    example: Example, children: dict[str, list[str]], telling: dict[str, set[str]]
) -> Example:
    """Were all of a parent's posts open, the child could take them all."""
    words = _words(example.text)
    others = tuple(name for name in children.get(example.label, ()) if words & telling[name])
    return replace(example, others=others)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def own_labels(path: Path) -> dict[str, list[str]]:
    """The names of the labels of the file, by head. Raises Misuse that names what is wrong."""
    return {head: list(_read(path, head)) for head in _tables(path)}


def _read(path: Path, head: str) -> dict[str, TeamLabel]:
    found = _tables(path).get(head)
    if not isinstance(found, dict) or not found:
        raise Misuse(f"{path}: no labels for {head}: it needs tables named [{head}.NAME]")
    return {name: _label(table, _origin(path, head, name), name) for name, table in found.items()}


def _origin(path: Path, head: str, name: str) -> str:
    """The file, the line where the label's table begins, and its name."""
    begins = re.compile(rf"\s*\[\s*{re.escape(head)}\s*\.\s*([\"']?){re.escape(name)}\1\s*\]")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if begins.match(line):
            return f"{path} line {number}: [{head}.{name}]"
    return f"{path}: [{head}.{name}]"


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misuse(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misuse(f"{path}: not a TOML file: it is no text in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise Misuse(f"{path}: not a TOML file: {error}") from error


def _label(table: Any, origin: str, name: str) -> TeamLabel:
    if not re.fullmatch(HEAD_NAME, name):
        raise Misuse(f"{origin}: a label's name has small letters, digits, - and _ only")
    try:
        return TeamLabel.model_validate(table)
    except ValidationError as error:
        raise Misuse(f"{origin}: {explain(error)}") from error


def shipped_examples(head: str) -> Iterator[Example]:
    """The example posts that come with Groundswell, for one head."""
    for path in sorted(files("config").joinpath("examples").iterdir(), key=lambda p: p.name):
        if path.name.endswith(".jsonl"):
            for line in path.read_text(encoding="utf-8").splitlines():
                post = json.loads(line)
                if head in post:
                    yield Example(post["text"], post[head], post["group"], post["lang"])
