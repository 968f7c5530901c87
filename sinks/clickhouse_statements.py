"""Our named SQL as ClickHouse takes it: values with their types, calls by the names it knows.

What it says otherwise stands in ``clickhouse_sql/words.sql`` and ``functions.sql``. The rest is
done here: ``$name::bigint`` becomes ``{name:Nullable(Int64)}``, every column of a SELECT that is
given with its table gets its name (``m.id`` would be called ``m.id`` where two tables have one),
counts get a sign, and what stands in a WITH is made once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from sinks import sql
from sinks.dialect import VIEWS, Dialect, arguments

#: What a query needs so that it means the same as elsewhere: NULL where a join finds nothing, for
#: a group without values and for what was NULL before a cast; UNION without twins; a name is a
#: column.
MEANING: Final = {
    "join_use_nulls": 1,
    "cast_keep_nullable": 1,
    "aggregate_functions_null_for_empty": 1,
    "union_default_mode": "DISTINCT",
    "prefer_column_name_to_alias": 1,
    "enable_analyzer": 1,
    "enable_materialized_cte": 1,
    "query_plan_max_optimizations_to_apply": 100_000,
}
#: Columns that hold JSON, as text. ``links`` of a query; the column of that name is a list.
JSON_COLUMNS: Final = frozenset(
    {"engagement", "label_evidence", "evidence", "updates", "history", "record", "links"}
    | {"decisions"}
)
_TYPES: Final = {
    "text": "Nullable(String)",
    "text[]": "Array(String)",
    "bigint": "Nullable(Int64)",
    "bigint[]": "Array(Int64)",
    "boolean": "Nullable(Bool)",
    "boolean[]": "Array(Bool)",
    "double precision": "Nullable(Float64)",
    "timestamp": "Nullable(DateTime64(6, 'UTC'))",
}
_TIME: Final = "DateTime64(6, 'UTC')"
_LITERAL: Final = r"'(?:[^']|'')*'|--[^\n]*"
_KIND: Final = r"(text|bigint|boolean|timestamp|double precision)(\[\])?"
_VALUE = re.compile(rf"{_LITERAL}|\$([a-z_]\w*)(?:::{_KIND})?")
_CALL = re.compile(rf"{_LITERAL}|(?<![\w.@])([a-z]\w*)\(")
# Whatever is named in a WITH is read once: inlined wherever it is read, plans grow without bound.
_ONCE = re.compile(r"\b(\w+) AS (?:MATERIALIZED )?\((?=\s*(?:SELECT|WITH|\(SELECT)\b)")
_MORE = re.compile(r"\s+(?:FILTER \(|OVER \(|OVER \w+)")
_PLACE = re.compile(r"@(\d)")
_CAST = re.compile(rf"{_LITERAL}|\bAS (timestamp)\)|\bUNION\b(?!\s+(?:ALL|DISTINCT))|COLLATE \"C\"")
_SELECTED = re.compile(rf"{_LITERAL}|[(),]|\b(SELECT|FROM|UNION|WHERE|GROUP|ORDER|LIMIT)\b")
_COLUMN = re.compile(r"(?:DISTINCT\s+(?:ON \([^()]*\)\s*)?)?\w+\.(\w+)")


def _json_object(pairs: list[str]) -> str:
    """``@json_object('name', value, …)``: what is JSON already stays as it is."""
    made = []
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        is_json = value.split(".")[-1] in JSON_COLUMNS
        written = value if is_json else f"toJSONString({value})"
        made.append(f"'\"{name.strip(chr(39))}\":', ifNull({written}, 'null')")
    return "concat('{', " + ", ',', ".join(made) + ", '}')"


CLICKHOUSE: Final = Dialect("clickhouse_sql", {"json_object": _json_object}, migrations="tables")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and the values that it takes, by name with their types."""

    text: str
    values: Mapping[str, str]

    def bound(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values as the driver sends them; not given is NULL, or an empty list."""
        return {name: _bindable(values.get(name), kind) for name, kind in self.values.items()}


def load(*files: str) -> dict[str, Statement]:
    """The statements of these files."""
    return {name: translated(query.text) for name, query in CLICKHOUSE.load(*files).items()}


@cache
def views() -> Mapping[str, str]:
    """The views, each after those that it reads, with what makes them mean the same to all."""
    settings = ", ".join(f"{name} = {value!r}" for name, value in MEANING.items())
    return {
        name: f"{translated(query.text).text}\nSETTINGS {settings}"
        for name, query in CLICKHOUSE.views(*VIEWS).items()
    }


def translated(text: str) -> Statement:
    """A statement of ours as ClickHouse takes it."""
    text = _called(_named(_without_comments(text)))
    text = _CAST.sub(_said, text)
    if "RECURSIVE" not in text:
        text = _read_once(text)
    kinds: dict[str, str] = {}

    def placed(found: re.Match[str]) -> str:
        name = found.group(1)
        if name is None:
            return found.group()
        kind = _TYPES[(found.group(2) or "text") + (found.group(3) or "")]
        kinds[name] = kind
        return f"{{{name}:{kind}}}"

    return Statement(_VALUE.sub(placed, text), kinds)


def _read_once(text: str) -> str:
    """The text with what stands in a WITH made once, but not what stands in another one's WITH."""
    done: list[str] = []
    at = 0
    while (found := _ONCE.search(text, at)) is not None:
        _, end = arguments(text, found.end() - 1)
        body = text[found.end() - 1 : end].replace(" AS MATERIALIZED (", " AS (")
        # What reads nothing is no table to it: it then fails to wait for one.
        made = " AS MATERIALIZED " if "FROM" in body else " AS "
        done += [text[at : found.start()], found.group(1), made, body]
        at = end
    return "".join([*done, text[at:]])


def _without_comments(text: str) -> str:
    return re.sub(_LITERAL, lambda m: "" if m.group().startswith("--") else m.group(), text)


def _said(found: re.Match[str]) -> str:
    said = found.group()
    if found.group(1):
        return f"AS Nullable({_TIME}))"
    if said == "UNION":
        return "UNION DISTINCT"
    return "" if said.startswith("COLLATE") else said


def _called(text: str) -> str:
    """The text with calls of functions that have another name here."""
    functions = _functions()
    done: list[str] = []
    at = 0
    while (call := _CALL.search(text, at)) is not None:
        done.append(text[at : call.start()])
        at, name = call.end(), call.group(1)
        if name == "count":
            end = _end_of_count(text, at)
            done.append(f"toInt64(count({_called(text[at:end])})")
            at = end
        elif name in functions:
            given, at = arguments(text, at - 1)
            inner = [_called(each) for each in given]
            for number, piece in enumerate(_PLACE.split(functions[name].text)):
                done.append(inner[int(piece) - 1] if number % 2 else piece)
        else:
            done.append(call.group())
    return "".join([*done, text[at:]])


def _end_of_count(text: str, at: int) -> int:
    """Where a count whose brackets open before ``at`` is over, with its FILTER and OVER."""
    _, at = arguments(text, at - 1)
    while (more := _MORE.match(text, at)) is not None:
        at = more.end()
        if text[at - 1] == "(":
            _, at = arguments(text, at - 1)
    return at


@cache
def _functions() -> Mapping[str, sql.Query]:
    return sql.load(CLICKHOUSE.folder, "functions")


def _named(text: str) -> str:
    """The text with ``AS id`` behind every selected ``m.id``."""
    depth = 0
    starts: dict[int, int] = {}  # where the item begins that is being selected at a depth
    named: list[tuple[int, str]] = []
    for edge in _SELECTED.finditer(text):
        mark = edge.group()
        if mark == "SELECT":
            starts[depth] = edge.end()
        elif depth in starts and (mark in ",)" or edge.group(1)):
            begin = starts.pop(depth)
            item = _COLUMN.fullmatch(text[begin : edge.start()].strip())
            if item is not None:
                named.append((begin + len(text[begin : edge.start()].rstrip()), item.group(1)))
            if mark == ",":
                starts[depth] = edge.end()
        depth += {"(": 1, ")": -1}.get(mark, 0)
    for at, name in reversed(named):
        text = f"{text[:at]} AS {name}{text[at:]}"
    return text


def _bindable(value: Any, kind: str) -> Any:
    """Times are bound as the tables hold them."""
    if value is None:
        return [] if kind.startswith("Array") else None
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return list(value) if isinstance(value, tuple) else value
