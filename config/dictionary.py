"""The data dictionary, from the SQL itself: ``python -m config.dictionary docs/warehouse.md``.

Names and types are those of a new DuckDB warehouse; the words are comments of the SQL: the sentence
over each view and table, and ``columns.sql``.
"""

import re
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Final

from sinks import migrations, sql
from sinks.dialect import COMMON, VIEWS
from sinks.duckdb_warehouse import DUCKDB, DuckDBWarehouse

#: What analysts may rely on: columns may be added, never renamed or taken away.
STABLE: Final = (
    "feedback",
    "mention_tracks",
    "incident_feedback",
    "incidents",
    "crowd",
    "rumours",
    "mentions_hourly",
    "coverage",
    "spend",
    "removals",
    "erasures",
    "completeness",
    "decisions",
    "fct_incident_update",
    "fct_proposal",
    "mention_history",
    "link_history",
    "incident_history",
    "incident_as_known",
    "dim_author",
    "dim_source",
    "dim_track",
    "dim_component",
    "dim_region",
    "dim_date",
)
_LINE = re.compile(r"-- (\w+): (.+)")
_SCOPE = re.compile(r"-- \[(\w+(?: \w+)*)\]")
_EVERYWHERE: Final = "everywhere"
_COLUMNS: Final = """
SELECT table_name, column_name, data_type FROM duckdb_columns()
WHERE database_name = current_database() AND NOT internal ORDER BY table_name, column_index"""
_HEAD: Final = """\
# The warehouse

<!-- Written by `make dictionary` from the SQL's comments; edit those. -->

Times are UTC without a zone, probabilities (`*_p`) run from 0 to 1, and `*_sure` says whether a
label may be acted on. Types are DuckDB's; in PostgreSQL `VARCHAR` is `text`.

## Stable views

Columns may be added to these, never renamed or taken away.
"""
_TABLES: Final = """
## Tables

These are ours and may change with a migration. What people wrote, ids of authors, handles and
addresses stand in `mention_private` alone; what is erased leaves it. It has permissions of its own:
who may read the other tables and not this one learns of no word and no handle. But mentions are
known everywhere by `source:external_id`, the platform's own id of the post, also once they are
erased, and some platforms put more into it: on Bluesky it begins with the account's DID, in feeds
it may be an address. Who looks it up there finds the author: give ids away as you would handles.
"""


def glossary() -> dict[str, dict[str, str]]:
    """The words for columns, by view or table (or ``everywhere``) and name.

    Raises ValueError for a line that is no entry, and for a name given twice.
    """
    found: dict[str, dict[str, str]] = {}
    text = (files("sinks") / COMMON / "columns.sql").read_text(encoding="utf-8")
    scopes: list[str] = []
    for line in text.partition("\n\n")[2].splitlines():
        if heading := _SCOPE.fullmatch(line):
            scopes = heading.group(1).split()
            found |= {scope: {} for scope in scopes}
        elif entry := _LINE.fullmatch(line):
            for scope in scopes:
                if entry.group(1) in found[scope]:
                    raise ValueError(f"columns.sql: [{scope}] {entry.group(1)} is given twice")
                found[scope][entry.group(1)] = entry.group(2)
        elif line:
            raise ValueError(f"columns.sql: neither a heading nor an entry: {line}")
    return found


def columns() -> dict[str, list[tuple[str, str]]]:
    """Names and types of the columns of all views and tables, in their order."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(DuckDBWarehouse(Path(folder) / "new.duckdb")) as warehouse,
    ):
        found: dict[str, list[tuple[str, str]]] = {}
        for table, name, kind in warehouse.sql(_COLUMNS).rows:
            found.setdefault(table, []).append((name, kind))
    return found


def meaning(words: dict[str, dict[str, str]], table: str, name: str) -> str | None:
    """What a column means; None if nobody said."""
    own = words.get(table, {}).get(name) or words[_EVERYWHERE].get(name)
    if own is not None:
        return own
    for end, said in (("_p", "probability of {}, 0 to 1"), ("_sure", "whether {} may be acted on")):
        if name.endswith(end):
            return said.format(f"`{name.removesuffix(end)}`")
    return None


def written() -> str:
    """The whole page."""
    words, known = glossary(), columns()
    about = _about()
    views = DUCKDB.views(*VIEWS)
    tables = sorted(name for name in known if name not in views)
    parts = [_HEAD]
    parts += [_section(name, about[name], known[name], words) for name in STABLE]
    parts.append(_TABLES)
    parts += [_section(name, about[name], known[name], words) for name in tables]
    return "".join(parts)


def _about() -> dict[str, str]:
    """The sentences over views and tables."""
    made = {name: view.about for name, view in DUCKDB.views(*VIEWS).items()}
    for migration in migrations.load(DUCKDB):
        file = f"migrations/{migration.number:04}_{migration.name.replace(' ', '_')}"
        made |= {name: query.about for name, query in sql.load(COMMON, file).items()}
    return made


def _section(
    name: str, about: str, fields: Iterable[tuple[str, str]], words: dict[str, dict[str, str]]
) -> str:
    told = about.replace("*", "\\*")
    lines = ["", f"### {name}", "", told, "", "| column | type | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{f}` | {kind} | {meaning(words, name, f) or ''} |" for f, kind in fields]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(written(), encoding="utf-8")
