"""An analyst's SQL: one statement that reads, with a limit of rows and of time."""

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import duckdb
import orjson

from pipeline.errors import Misuse
from pipeline.ports import Table

_READS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_LONGEST_MESSAGE = 300
_FUNCTION: Final = "TABLE_FUNCTION"
#: Without comments, which might hide where what is explained begins.
_EXPLAIN: Final = re.compile(r"\s*EXPLAIN\s+(ANALYZE\s|\([\w\s,]*\))?", re.IGNORECASE)
#: The functions that may stand where a table does: those that make rows of their arguments or tell
#: of the catalog. Others read files (the warehouse's own, where bytes of what was erased may still
#: stand), write checkpoints or run a text as SQL.
_TABLES: Final = re.compile(
    "(duckdb|pragma)_[a-z_]+|range|generate_series|unnest|repeat|repeat_row|json_each"
    "|json_tree|histogram|histogram_values|summary|pg_timezone_names|icu_calendar_names"
)


def answer(
    cursor: duckdb.DuckDBPyConnection, text: str, limit: int | None, seconds: float | None
) -> Table:
    """The table that one SELECT, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN gives.

    It runs in a read-only transaction, files and settings are locked for the whole database, and
    only few functions may stand as tables, so that it can neither write nor read anything but the
    warehouse's tables. Times come as aware datetimes.
    Raises Misuse, with what DuckDB says of the statement, or for a limit of time passed.
    """
    try:
        statement = _only_reading(cursor, text)
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        try:
            return _run(cursor, statement, limit, seconds)
        finally:
            cursor.execute("ROLLBACK")
    except duckdb.InterruptException as error:
        raise Misuse(f"the query took longer than {seconds:g} s; ask for less") from error
    except duckdb.OutOfMemoryException as error:
        raise Misuse("the query needs more memory than it may have; ask for less") from error
    except (duckdb.IOException, duckdb.FatalException):
        raise  # the file's matter, not the statement's
    except duckdb.Error as error:
        raise Misuse(_one_line(error)) from error


def _only_reading(cursor: duckdb.DuckDBPyConnection, text: str) -> duckdb.Statement:
    try:
        statements = cursor.extract_statements(text)
        types = [statement.type for statement in statements]
    except (TypeError, ValueError) as error:  # no Unicode, or a kind that Python has no name for
        raise Misuse("only SELECT, DESCRIBE, SHOW and EXPLAIN are answered, not this") from error
    if len(statements) != 1:
        raise Misuse(f"one SQL statement at a time, this has {len(statements)}")
    if types[0] not in _READS:
        kind = str(types[0]).rpartition(".")[2]
        raise Misuse(f"only SELECT, DESCRIBE, SHOW and EXPLAIN are answered, not {kind}")
    for name in _strangers(_parsed(cursor, statements[0])):
        raise Misuse(f"{name[:_LONGEST_MESSAGE]!r} is no table: only what is held is answered")
    return statements[0]


def _parsed(cursor: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> Any:
    """The parsed statement as DuckDB tells it; of EXPLAIN what it is about."""
    query = statement.query
    if statement.type == duckdb.StatementType.EXPLAIN:
        explain = _EXPLAIN.match(query)
        query = query[explain.end() :] if explain else query
    told = cursor.execute("SELECT json_serialize_sql($1::text)", [query]).fetchall()[0][0]
    parsed = orjson.loads(told)
    if parsed["error"]:
        raise Misuse("only SELECT, DESCRIBE, SHOW and EXPLAIN of these are answered, not this")
    return parsed


def _strangers(parsed: Any) -> Iterator[str]:
    """What stands as a table anywhere in a parsed statement and may be none: functions, files."""
    waiting = [parsed]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            name = str(part["function"]["function_name"]) if part.get("type") == _FUNCTION else ""
            if name and not _TABLES.fullmatch(name.lower()):
                yield name
            if "." in str(part.get("table_name", "")):  # the name of a file
                yield str(part["table_name"])
            waiting += part.values()


def _run(
    cursor: duckdb.DuckDBPyConnection,
    statement: duckdb.Statement,
    limit: int | None,
    seconds: float | None,
) -> Table:
    timer = None if seconds is None else threading.Timer(seconds, cursor.interrupt)
    if timer is not None:
        timer.start()
    try:
        cursor.execute(statement)
        described = cursor.description or []
        kinds = [str(column[1]) for column in described]
        if any("WITH TIME ZONE" in kind for kind in kinds):
            rows = _fetch_zoned(cursor, statement, limit)
        else:
            rows = cursor.fetchall() if limit is None else cursor.fetchmany(limit + 1)
    finally:
        if timer is not None:
            timer.cancel()
    cut = limit is not None and len(rows) > limit
    rows = [tuple(_in_utc(value) for value in row) for row in rows[:limit]]
    return Table([column[0] for column in described], rows, cut)


def _fetch_zoned(
    cursor: duckdb.DuckDBPyConnection, statement: duckdb.Statement, limit: int | None
) -> list[tuple[Any, ...]]:
    """All rows, or one more than ``limit``, by way of Arrow.

    DuckDB's own way to a datetime with a zone wants a library that nothing else here needs.
    """
    cursor.abort()
    relation = cursor.sql(statement.query)
    table: Any = (relation if limit is None else relation.limit(limit + 1)).to_arrow_table()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _in_utc(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def _one_line(error: duckdb.Error) -> str:
    """The first line of what DuckDB says, without its class of error twice."""
    line = str(error).strip().splitlines()[0]
    return f"this SQL cannot be answered: {line[:_LONGEST_MESSAGE]}"
