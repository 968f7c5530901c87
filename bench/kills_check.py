"""What ``bench.kills`` looks for in a warehouse after a kill, and what it is compared with.

The truth is a DuckDB warehouse that nobody kills: it is given each batch once and never rolls up,
so that it counts everything from scratch when it is asked.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bench.kills_words import SECRET, batch, erased_by, erasures, written_at
from bench.warehouse_places import Place
from pipeline.ports import Rows, Warehouse
from tests.contracts.warehouse_history import KEYS as HISTORIES
from tests.contracts.warehouse_history import chain_breaks
from tests.contracts.warehouse_words import view

#: The views that are compared, and what no two rows of each may share.
VIEWS: Final[Mapping[str, tuple[str, ...]]] = {
    "feedback": ("id",),
    "mention_tracks": ("id", "track"),
    "incident_feedback": ("id", "incident_id"),
    "decisions": ("decision_id",),
    "removals": ("id", "kind", "scope"),
    "coverage": ("source", "track", "from_at", "is_gap"),
    "incidents": ("incident_id",),
    "mentions_hourly": ("track", "hour", "intent", "topic"),
    "mention_history": ("id", "version", "model_version"),
    "link_history": ("id", "incident_id", "valid_from"),
    "incident_history": ("incident_id", "valid_from", "valid_to"),
    "incident_as_known": ("incident_id", "valid_from"),
}
#: Statements that list all tables: name, and the statement that gives its rows as text.
_TABLES: Final = {
    "duckdb": (
        "SELECT table_name, 'SELECT CAST(t AS VARCHAR) FROM ' || table_name || ' t' "
        "FROM duckdb_tables()"
    ),
    "postgres": (
        "SELECT relname, format('SELECT t::text FROM %I t', relname) FROM pg_class "
        "WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    ),
    "clickhouse": (
        "SELECT name, concat('SELECT toString(tuple(*)) FROM ', name) FROM system.tables "
        "WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    ),
}
#: So many examples of each fault are named.
NAMED: Final = 3

#: Rows by view.
Views = dict[str, list[dict[str, Any]]]


def views_of(warehouse: Warehouse) -> Views:
    """All that is compared, without the times at which rows happened to be written."""
    return {name: [_plain(row) for row in view(warehouse, name)] for name in VIEWS}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row as every database has it: ClickHouse knows no lists that are NULL."""
    return {name: None if value == [] else value for name, value in row.items()}


class Truth:
    """A warehouse that was given each of the first ``batches`` batches once."""

    def __init__(self, warehouse: Warehouse, size: int) -> None:
        self._warehouse = warehouse
        self._size = size
        self.batches = 0
        self.erased: set[str] = set()

    def advance(self, batches: int) -> None:
        """Writes what is missing up to so many."""
        for number in range(self.batches, batches):
            self._warehouse.write(batch(number, self._size), written_at(number))
            self.erased |= erased_by(number, self._size)
            self.batches += 1

    def erase_ahead(self) -> None:
        """Writes the erasures of the next batch: a ledger remembers them without the rest."""
        asked = erasures(self.batches, self._size)
        self._warehouse.write(Rows(removals=asked), written_at(self.batches))

    def views(self) -> Views:
        """What the views must say."""
        return views_of(self._warehouse)

    def removals(self) -> int:
        """How many requests there must be."""
        return len(view(self._warehouse, "removals"))


def troubles(held: Views, expected: Views) -> list[str]:
    """What the views say that they should not, a line for each fault."""
    found = [line for name in VIEWS for line in _differences(name, held[name], expected[name])]
    for name, key in HISTORIES.items():
        if broken := chain_breaks(held[name], key, holes=name == "link_history"):
            found.append(f"{name}: {len(broken)} rows do not follow each other: {broken[:NAMED]}")
    return found


def _differences(
    name: str, held: Sequence[dict[str, Any]], expected: Sequence[dict[str, Any]]
) -> Iterator[str]:
    there, due = (_by_key(VIEWS[name], rows) for rows in (held, expected))
    counted = Counter(_key(VIEWS[name], row) for row in held)
    for fault, keys in (
        ("stand twice", [key for key, count in counted.items() if count > 1]),
        ("are missing", list(due.keys() - there.keys())),
        ("should not be there", list(there.keys() - due.keys())),
    ):
        if keys:
            yield f"{name}: {len(keys)} rows {fault}: {sorted(keys, key=repr)[:NAMED]}"
    others = [key for key in due.keys() & there.keys() if due[key] != there[key]]
    if others:
        named = "; ".join(_difference(key, there[key], due[key]) for key in others[:NAMED])
        yield f"{name}: {len(others)} rows say something else: {named}"


def _key(columns: Sequence[str], row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column] for column in columns)


def _by_key(
    columns: Sequence[str], rows: Sequence[dict[str, Any]]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {_key(columns, row): row for row in rows}


def _difference(key: tuple[Any, ...], held: dict[str, Any], due: dict[str, Any]) -> str:
    told = [f"{n} {held[n]!r}, not {due[n]!r}" for n in due if held.get(n) != due[n]]
    return f"{key} has {', '.join(told)}"


def words_left(place: Place, adapter: str, erased: set[str]) -> list[str]:
    """The tables in which words of erased posts stand, parts and what is counted included."""
    found = []
    with place.run() as run:
        for name, rows_as_text in run(_TABLES[adapter]):
            held = {post for (row,) in run(rows_as_text) for post in SECRET.findall(row)}
            if left := sorted(held & erased):
                found.append(f"{name}: words of {len(left)} erased posts: {left[:NAMED]}")
    return found
