"""Our named SQL as PostgreSQL takes it: templates filled in, values by number, not by name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sinks import sql as named

FOLDER: Final = "postgres_sql"
# Literals and comments are matched too, so that nothing inside them is taken for a value.
_TOKEN = re.compile(r"'(?:[^']|'')*'|--[^\n]*|\$([a-z_]\w*)")
_USE = re.compile(r"@(\w+)\(([^()]*)\)")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and the names of the values that it takes, in their order."""

    text: str
    values: tuple[str, ...]

    def bound(self, values: Mapping[str, Any]) -> list[Any] | None:
        """The values in their order, None where the statement takes none; not given is NULL."""
        return [_bindable(values.get(name)) for name in self.values] if self.values else None


def load(file: str) -> dict[str, Statement]:
    """The statements of ``sinks/postgres_sql/<file>.sql``."""
    templates = {**named.load(FOLDER, "templates"), **named.load(FOLDER, "crowd_templates")}
    return {
        name: numbered(filled(query.text, templates))
        for name, query in named.load(FOLDER, file).items()
    }


def filled(text: str, templates: Mapping[str, named.Query]) -> str:
    """The text with every ``@template(relations)`` written out."""

    def write_out(use: re.Match[str]) -> str:
        body = templates[use.group(1)].text
        for number, relation in enumerate(use.group(2).split(","), start=1):
            body = body.replace(f"@{number}", relation.strip())
        return f"(\n{body}\n)"

    return _USE.sub(write_out, text)


def numbered(text: str) -> Statement:
    """``$name`` becomes ``$1``, comments go."""
    names: list[str] = []

    def number(token: re.Match[str]) -> str:
        name = token.group(1)
        if name is None:
            return "" if token.group().startswith("--") else token.group()
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    text = _TOKEN.sub(number, text)
    return Statement(text, tuple(names))


def _bindable(value: Any) -> Any:
    """Times are bound as the tables hold them."""
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None)
    return list(value) if isinstance(value, tuple) else value
