"""The loader of named SQL: files whose sections carry a name and a sentence.

A section starts with ``-- name: newest_feedback``; the comment lines that follow say in words what
it does, the rest is the statement. Values are bound by name (``$name``), never put into the text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

_NAME = re.compile(r"^-- name:\s*(\w+)\s*$")
_COMMENT = re.compile(r"--[^\n]*|'(?:[^']|'')*'")
_PARAMETER = re.compile(r"\$([a-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Query:
    """One named statement. ``parameters`` are the names it binds, without the ``$``."""

    name: str
    about: str
    text: str
    parameters: frozenset[str]

    @property
    def instead(self) -> bool:
        """Whether it may stand in the place of a common one of its name."""
        return self.about.startswith("Instead ")


def parse(text: str, origin: str = "sql") -> dict[str, Query]:
    """The sections of one file by name, in their order.

    Raises ValueError for a name given twice, a section without words or without a statement, and
    for SQL before the first name: these are mistakes of ours, found by the first test that loads.
    """
    queries: dict[str, Query] = {}
    name, lines = "", list[str]()
    for line in [*text.splitlines(), "-- name: _end"]:
        found = _NAME.match(line)
        if found is None:
            lines.append(line)
            continue
        if name:
            if name in queries:
                raise ValueError(f"{origin}: the name {name} is given twice")
            queries[name] = _query(name, lines, origin)
        elif any(x.strip() and not x.startswith("--") for x in lines):
            raise ValueError(f"{origin}: SQL before the first name")
        name, lines = found.group(1), []
    return queries


def _query(name: str, lines: list[str], origin: str) -> Query:
    about: list[str] = []
    while lines and lines[0].startswith("--"):
        about.append(lines.pop(0).lstrip("- ").strip())
    text = "\n".join(lines).strip().rstrip(";").rstrip()
    if not about or not text:
        raise ValueError(f"{origin}: {name} needs a sentence and a statement")
    # A dollar sign in a comment or a literal binds nothing.
    bound = frozenset(_PARAMETER.findall(_COMMENT.sub(" ", text)))
    return Query(name, " ".join(about), text, bound)


def load(folder: str, file: str) -> Mapping[str, Query]:
    """The queries of ``sinks/<folder>/<file>.sql``, none if there is no such file."""
    source: Traversable = files("sinks") / folder / f"{file}.sql"
    if not source.is_file():
        return {}
    return parse(source.read_text(encoding="utf-8"), f"{folder}/{file}.sql")
