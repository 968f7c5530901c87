"""An analyst's SQL on PostgreSQL: one statement that reads, with a limit of rows and of time."""

import re
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
from adbc_driver_manager import Error

from pipeline.errors import Misuse
from pipeline.ports import Table
from pipeline.values import sound
from sinks.postgres_link import Connection, lost

_LONGEST_MESSAGE: Final = 300
_BEFORE = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_SELECTS: Final = ("select", "with", "values", "table")
_TELLS: Final = ("explain", "show")
_ERROR = re.compile(r"ERROR:\s*(.*)")
# What acts beyond its transaction (ends other people's work, calls other servers), and what runs
# SQL that stands in a text. Names can be written in escapes only after U&.
_ACTS = re.compile(
    r"U&\"|\b(?:pg_terminate_backend|pg_cancel_backend|pg_logical_emit_message|dblink\w*|"
    r"query_to_xml\w*|cursor_to_xml\w*|ts_stat|ts_rewrite)\"?\s*(?:\(|/\*|--)",
    re.IGNORECASE,
)
# Who may do one of these reaches files and programs of the server from a plain SELECT.
_REACHES_FILES: Final = """
SELECT rolsuper OR pg_has_role(current_user, 'pg_read_server_files', 'USAGE')
    OR pg_has_role(current_user, 'pg_write_server_files', 'USAGE')
    OR pg_has_role(current_user, 'pg_execute_server_program', 'USAGE') AS reaches
FROM pg_roles WHERE rolname = current_user"""


def answer(connection: Connection, text: str, limit: int | None, seconds: float | None) -> Table:
    """The table that one SELECT, VALUES, TABLE, SHOW or EXPLAIN gives.

    The transaction is READ ONLY and has its first snapshot before the statement comes: then the
    server lets nobody make it writable again. It is left open, and what was set in the connection
    stays: the caller undoes both. A SELECT is read through a cursor, which takes no other
    statement, and only as many rows as wanted leave the server. Times come as aware datetimes.
    Raises Misuse, with what PostgreSQL says of the statement, or for a limit of time passed.
    """
    kind = _kind(text)
    if connection.run(_REACHES_FILES).column(0).to_pylist() != [False]:
        raise Misuse(
            "the role that answers SQL may read files of the server: give it to a role that is no "
            "superuser and no member of pg_read_server_files, pg_write_server_files or "
            "pg_execute_server_program"
        )
    patience = 0 if seconds is None else max(1, round(seconds * 1000))
    connection.run("BEGIN READ ONLY", copy=False)
    connection.run(
        "SELECT set_config('statement_timeout', $1::text, TRUE)", [str(patience)], copy=False
    )
    try:
        if kind in _TELLS:
            found = connection.run(text, copy=False)
        else:
            connection.run(f"DECLARE answer NO SCROLL CURSOR FOR {_without_end(text)}", copy=False)
            count = "ALL" if limit is None else str(limit + 1)
            found = connection.run(f"FETCH {count} FROM answer", copy=False)
        return _table(found, limit)
    except pa.ArrowException as error:
        raise Misuse("an answer holds a type that cannot be shown; cast it to text") from error
    except Error as error:
        if error.sqlstate == "57014":
            raise Misuse(f"the query took longer than {seconds:g} s; ask for less") from error
        if lost(error) or (error.sqlstate or "").startswith(("53", "58")):
            raise  # the server's matter, not the statement's
        raise Misuse(_one_line(error)) from error


def _kind(text: str) -> str:
    if text != sound(text):
        raise Misuse("this SQL has characters that are none")
    before = _BEFORE.match(text)
    word = re.match(r"[a-z]+", text[before.end() if before else 0 :].lower())
    kind = word.group() if word else ""
    if kind not in (*_SELECTS, *_TELLS):
        raise Misuse("only SELECT, WITH, VALUES, TABLE, SHOW and EXPLAIN are answered")
    if found := _ACTS.search(text):
        raise Misuse(f"{found.group().rstrip('(/*- ')} does more than read; it is not answered")
    return kind


def _without_end(text: str) -> str:
    return text.strip().removesuffix(";")


def _table(found: pa.Table, limit: int | None) -> Table:
    names = list(found.column_names)
    columns = [_values(found.field(i), found.column(i)) for i in range(len(names))]
    rows = list(zip(*columns, strict=True))
    cut = limit is not None and len(rows) > limit
    return Table(names, rows[:limit], cut)


def _values(field: pa.Field, column: pa.ChunkedArray) -> list[Any]:
    kind = (field.metadata or {}).get(b"POSTGRESQL:type", b"")
    values: list[Any] = column.to_pylist()
    if kind == b"numeric":
        return [None if value is None else _number(value) for value in values]
    return [_in_utc(value) for value in values]


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)


def _in_utc(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def _one_line(error: Error) -> str:
    """The first line of what PostgreSQL says."""
    told = _ERROR.search(str(error))
    line = told.group(1) if told else f"the driver says {error.status_code.name}"
    return f"this SQL cannot be answered: {line[:_LONGEST_MESSAGE]}"
