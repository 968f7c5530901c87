"""An analyst's SQL on ClickHouse: one statement that reads, with a limit of rows and of time."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.errors import Misuse
from pipeline.ports import Table
from sinks.clickhouse_link import Connection, code_of

_LONGEST_MESSAGE: Final = 300
_OUTSIDE = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|--[^\n]*|/\*.*?\*/""", re.DOTALL
)
_READS: Final = ("select", "with", "explain", "show", "describe", "desc", "(")
#: What could change the limits, write a file or read one, in whatever place.
_REFUSED = re.compile(r"\b(settings|outfile|infile|format)\b|\bfile\s*\(|;", re.IGNORECASE)
_TIMEOUT: Final = {159, 160}
_MEMORY: Final = 241
#: Bytes of memory for one question.
_MOST_MEMORY: Final = 4 << 30
_TOLD = re.compile(r"DB::Exception: (?:\w+: )?(.*?)(?: \(for url .*|$)", re.MULTILINE)


def answer(connection: Connection, text: str, limit: int | None, seconds: float | None) -> Table:
    """The table that one SELECT, WITH, SHOW, DESCRIBE or EXPLAIN gives.

    ``readonly`` is set with the limits, after which the server lets nobody change them; functions
    that read files or reach other servers are refused by it, those that it lets through by us.
    Times come as aware datetimes. Raises Misuse, with what ClickHouse says of the statement.
    """
    text = text.strip().removesuffix(";")
    bare = _OUTSIDE.sub(" ", text)
    if not bare.strip().lower().startswith(_READS):
        raise Misuse("only SELECT, WITH, SHOW, DESCRIBE and EXPLAIN are answered")
    if refused := _REFUSED.search(bare):
        raise Misuse(f"{refused.group().strip()!r} cannot stand in SQL that is answered here")
    settings: dict[str, Any] = {"max_memory_usage": _MOST_MEMORY}
    if seconds is not None:
        settings["max_execution_time"] = max(0.001, seconds)
    if limit is not None:
        settings["limit"] = limit + 1
    try:
        found = connection.ask(text, settings=settings | {"readonly": 1})
    except ClickHouseError as error:
        code = code_of(error)
        if code in _TIMEOUT:
            raise Misuse(f"the query took longer than {seconds:g} s; ask for less") from error
        if code == _MEMORY:
            raise Misuse("the query needs too much memory; ask for less") from error
        if code is None or code in (202, 203, 209, 210, 243):
            raise  # the server's matter, not the statement's
        raise Misuse(_one_line(error)) from error
    rows = [tuple(_in_utc(value) for value in row) for row in found.result_rows]
    cut = limit is not None and len(rows) > limit
    return Table([plain(name) for name in found.column_names], rows[:limit], cut)


def plain(name: str) -> str:
    """The name of a column without that of its table, which a join puts before it."""
    return re.sub(r"^[a-z]\w*\.(\w+)$", r"\1", name)


def _in_utc(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, list):
        return [_in_utc(each) for each in value]
    return value


def _one_line(error: Exception) -> str:
    """The first line of what ClickHouse says."""
    told = _TOLD.search(str(error))
    line = told.group(1) if told else type(error).__name__
    return f"this SQL cannot be answered: {line[:_LONGEST_MESSAGE]}"
