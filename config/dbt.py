"""The stable views as dbt sources: ``python -m config.dbt docs/dbt/groundswell.yml``.

Views, columns, types and words are those of the data dictionary; what holds of the columns stands
in ``assurances.toml``, and our tests ask a filled warehouse whether it does, in the SQL that dbt's
own tests run.
"""

import sys
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from config import dictionary
from sinks.dialect import VIEWS
from sinks.duckdb_warehouse import DUCKDB

_HEAD: Final = """\
# Written by `make dictionary` from the SQL's comments and config/assurances.toml; edit those.
# How to use it: docs/analysts.md. data_type is DuckDB's.
"""
_ABOUT: Final = "What people say about failures of a service, and the official word; all times UTC."
_KEY: Final = "key"


def assurances() -> dict[str, dict[str, list[str]]]:
    """What holds, by view and column; under ``key`` the columns that are a key together."""
    text = files("config").joinpath("assurances.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def written() -> str:
    """The whole file."""
    import yaml

    told = yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=100)
    return _HEAD + str(told)


def document() -> dict[str, Any]:
    """The file as dbt reads it."""
    words, known = dictionary.glossary(), dictionary.columns()
    about = {name: view.about for name, view in DUCKDB.views(*VIEWS).items()}
    holds = assurances()
    tables = [
        _table(name, about[name], known[name], words, holds[name]) for name in dictionary.STABLE
    ]
    source = {
        "name": "groundswell",
        "description": _ABOUT,
        "database": "{{ var('groundswell_database', target.database) }}",
        "schema": "{{ var('groundswell_schema', 'groundswell') }}",
        "tables": tables,
    }
    return {"version": 2, "sources": [source]}


def _table(
    name: str,
    about: str,
    fields: list[tuple[str, str]],
    words: dict[str, dict[str, str]],
    holds: dict[str, list[str]],
) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "description": about}
    if _KEY in holds:
        made["config"] = {"meta": {"primary_key": holds[_KEY]}}
    columns = []
    for field, kind in fields:
        column: dict[str, Any] = {"name": field, "data_type": kind}
        column["description"] = dictionary.meaning(words, name, field) or ""
        if tests := [_test(told) for told in holds.get(field, ())]:
            column["data_tests"] = tests
        columns.append(column)
    return made | {"columns": columns}


def _test(told: str) -> str | dict[str, Any]:
    """One assurance as a test of dbt."""
    verb, *rest = told.split()
    if verb == "in":
        return {"accepted_values": {"arguments": {"values": rest}}}
    if verb == "to":
        view, _, field = rest[0].partition(".")
        to = f"source('groundswell', '{view}')"
        return {"relationships": {"arguments": {"to": to, "field": field}}}
    return verb


def checks() -> Iterator[tuple[str, str]]:
    """Every assurance: its name, and SQL that answers with the rows that break it, as dbt does."""
    for view, columns in assurances().items():
        for column, told in columns.items():
            if column == _KEY:
                yield f"{view}: {', '.join(told)} a key", _twice(view, told)
                continue
            for assurance in told:
                yield f"{view}.{column}: {assurance}", _broken(view, column, assurance)


def _twice(view: str, columns: list[str]) -> str:
    names = ", ".join(columns)
    return f"SELECT {names} FROM {view} GROUP BY {names} HAVING count(*) > 1"


def _broken(view: str, column: str, told: str) -> str:
    verb, *rest = told.split()
    if verb == "unique":
        return f"{_twice(view, [column])} AND {column} IS NOT NULL"
    if verb == "not_null":
        return f"SELECT * FROM {view} WHERE {column} IS NULL"
    if verb == "in":
        values = ", ".join(f"'{word}'" for word in rest)
        return f"SELECT * FROM {view} WHERE {column} NOT IN ({values})"
    if verb == "to":
        other, _, field = rest[0].partition(".")
        orphans = f"v.{column} IS NOT NULL AND o.{field} IS NULL"
        join = f"LEFT JOIN {other} o ON o.{field} = v.{column}"
        return f"SELECT v.{column} FROM {view} v {join} WHERE {orphans}"
    raise ValueError(f"assurances.toml: {view}.{column} says {told!r}")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(written(), encoding="utf-8")
