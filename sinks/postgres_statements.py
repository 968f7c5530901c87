"""Our named SQL as PostgreSQL takes it: values by number, not by name, small batches as arrays."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sinks.dialect import VIEWS, Dialect

# Literals and comments are matched too, so that nothing inside them is taken for a value.
_TOKEN = re.compile(r"'(?:[^']|'')*'|--[^\n]*|\$([a-z_]\w*)")


def _batch(columns: list[str]) -> str:
    """``@batch(id text)``: a relation of the values named ``$id``, an array for each column."""
    pairs = (column.split() for column in columns)
    return "(SELECT " + ", ".join(f"unnest(${n}::{kind}[]) AS {n}" for n, kind in pairs) + ")"


POSTGRES: Final = Dialect("postgres_sql", {"batch": _batch})


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and the names of the values that it takes, in their order."""

    text: str
    values: tuple[str, ...]

    def bound(self, values: Mapping[str, Any]) -> list[Any] | None:
        """The values in their order, None where the statement takes none; not given is NULL."""
        return [_bindable(values.get(name)) for name in self.values] if self.values else None


def load(*files: str) -> dict[str, Statement]:
    """The statements of these files."""
    return {name: numbered(query.text) for name, query in POSTGRES.load(*files).items()}


def views() -> dict[str, Statement]:
    """The views, each after those that it reads."""
    return {name: numbered(query.text) for name, query in POSTGRES.views(*VIEWS).items()}


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
