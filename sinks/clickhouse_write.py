"""How a write becomes statements on ClickHouse, which has no transactions.

While the write is made, rows are only read; what it wants to change is collected. Then all of it is
done, one statement after the other, in an order in which a crash between any two does no harm:

1. the numbers that the rows got (``arrival``) are taken, so that nobody gets them again;
2. removals, and the words that they erase: whoever reads in between sees rather too little;
3. everything else in the order in which it was wanted, every table in one statement: whole or not;
4. the revision, by which the page knows that there is something new.

After a crash the same batch comes again (nothing of it was acknowledged), finds part of itself, and
ends in the same state. Until then a reader may see a part of the batch, never a part of a row.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import pyarrow as pa

from pipeline.errors import GiveUp
from sinks.batches import REMOVAL
from sinks.clickhouse_link import Connection
from sinks.clickhouse_statements import Statement

#: Tables that rows are added to.
TABLES: Final = (
    "fct_mention",
    "mention_private",
    "fct_link",
    "fct_campaign",
    "dim_incident",
    "fct_decision",
    "fct_removal",
    "fct_coverage",
    "fct_spend",
    "fct_erasure",
)
#: Tables whose rows are also kept as they were, and the columns of these.
LOGGED: Final = {"fct_mention": "mention_log_row", "fct_link": "link_log_row"}
#: What is done before everything else.
_FIRST: Final = ("fct_removal", "erase_private", "erase_evidence")
_ASKS: Final = ("removals_of", "mentions_removed", "erased_among", "quoted_among")
#: Bytes of values with one statement. A server takes 131,072 characters of one, quotes included;
#: what changes something goes in the address, of which others on the way may take 65,536.
_MOST_ASKED, _MOST_CHANGED = 60_000, 20_000
_GAP, _MIDDLE, _HIGHEST = 1 << 24, 1 << 47, 1 << 48


class ClickHouseUpserts:
    """``Upserts`` that collects; ``steps`` is what is to be done."""

    def __init__(self, connection: Connection, known: dict[str, Statement], ranks: "Ranks") -> None:
        self._connection = connection
        self._known = known
        self._ranks = ranks
        self._steps: list[tuple[str, Callable[[], None]]] = []
        self._removals: list[tuple[Any, ...]] = []
        self.decided = False

    def run(self, name: str, batch: pa.Table, **values: Any) -> list[tuple[Any, ...]]:
        """Asks, or notes what is to be done."""
        if name in TABLES:
            self._collect(name, batch)
            return []
        if name in _ASKS:
            slices = _slices(batch, _MOST_ASKED)
            rows = list(dict.fromkeys(row for each in slices for row in self._ask(name, each)))
            subjects = batch.column(0).to_pylist()
            return self._with_new_removals(rows, subjects) if name == "removals_of" else rows
        statement = self._known[name]
        for each in _slices(batch, _MOST_CHANGED):
            given = values | {
                column: each.column(column).to_pylist() for column in each.column_names
            }
            if name == "erase_mentions":
                given["author_key"] = [key or "" for key in given["author_key"]]
            bound = statement.bound(given)
            self._steps.append((name, partial(self._connection.run, statement.text, bound)))
        return []

    def _ask(self, name: str, batch: pa.Table) -> list[tuple[Any, ...]]:
        statement = self._known[name]
        bound = statement.bound(_columns(batch))
        found = self._connection.ask(statement.text, bound).result_rows
        return [tuple(row) for row in found]

    def _with_new_removals(
        self, rows: list[tuple[Any, ...]], subjects: list[str]
    ) -> list[tuple[Any, ...]]:
        """The requests that are kept, with those of this write that are not written yet."""
        asked = set(subjects)
        held = {row[:3]: row for row in rows}
        for row in self._removals:
            known = held.get(row[:3])
            if row[0] in asked and (known is None or known[3] < row[3]):
                held[row[:3]] = row
        return list(held.values())

    def _collect(self, name: str, batch: pa.Table) -> None:
        if name == "fct_removal":
            columns = (batch.column(field).to_pylist() for field in REMOVAL.names[:4])
            self._removals += zip(*columns, strict=True)
        self.decided |= name in ("fct_decision", "dim_incident")
        rows = _without_null_lists(batch)
        if "model" in rows.column_names:
            ranks = pa.array(self._ranks.of(rows.column("model").to_pylist()), pa.uint64())
            rows = rows.append_column("model_rank", ranks)
        self._steps.append((name, lambda: self._connection.insert(f"{name}_row", rows)))
        if name in LOGGED:
            self._steps.append((name, lambda: self._log(name, rows)))
        if name == "dim_incident":
            self.run("incident_log", batch.select(["incident_id"]))

    def _log(self, name: str, rows: pa.Table) -> None:
        log = LOGGED[name]
        columns = self._ranks.log_columns(log)
        if name == "fct_link":
            rows = rows.append_column("valid_from", rows.column("updated_at"))
        self._connection.insert(log, rows.select(columns))

    def steps(self) -> Iterator[Callable[[], None]]:
        """What is to be done, one after the other."""
        yield from (step for name, step in self._steps if name in _FIRST)
        yield from (step for name, step in self._steps if name not in _FIRST)


class Ranks:
    """The models in the order of their names, as numbers that leave room between any two.

    Only one writer at a time asks. A number once given stays.
    """

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._columns: dict[str, list[str]] = {}
        self.connection: Connection | None = None

    def of(self, models: list[str]) -> list[int]:
        """The number of each model. Raises GiveUp when there is no room for a new one."""
        if missing := sorted({*models} - self._known.keys()):
            assert self.connection is not None  # noqa: S101  # a write is open
            self._known = self.connection.pairs("SELECT model, rank FROM model_rank_row FINAL")
            for model in missing:
                if model not in self._known:
                    self._add(self.connection, model)
        return [self._known[model] for model in models]

    def _add(self, connection: Connection, model: str) -> None:
        below = max((r for m, r in self._known.items() if m < model), default=None)
        above = min((r for m, r in self._known.items() if m > model), default=None)
        if below is None and above is None:
            rank = _MIDDLE
        elif above is None:
            rank = (below or 0) + _GAP
        elif below is None:
            rank = above - _GAP
        else:
            rank = (below + above) // 2
        if rank in (below, above) or not 0 < rank < _HIGHEST:
            raise GiveUp("there is no number left between the models that this warehouse knows")
        connection.run(
            "INSERT INTO model_rank_row VALUES ({model:String}, {rank:UInt64})",
            {"model": model, "rank": rank},
        )
        self._known[model] = rank

    def log_columns(self, log: str) -> list[str]:
        """The columns of a log."""
        if log not in self._columns:
            assert self.connection is not None  # noqa: S101  # a write is open
            found = self.connection.ask(
                "SELECT name FROM system.columns WHERE database = currentDatabase() "
                "AND table = {log:String} AND default_kind = '' ORDER BY position",
                {"log": log},
            )
            self._columns[log] = [row[0] for row in found.result_rows]
        return self._columns[log]


def _columns(batch: pa.Table) -> dict[str, Any]:
    return {name: batch.column(name).to_pylist() for name in batch.column_names}


def _slices(batch: pa.Table, most: int) -> list[pa.Table]:
    """A batch in parts of about so many bytes."""
    rows = max(1, batch.num_rows * most // max(batch.nbytes, 1))
    return [batch.slice(first, rows) for first in range(0, batch.num_rows, rows)]


def _without_null_lists(batch: pa.Table) -> pa.Table:
    """Lists that are NULL become empty: ClickHouse has no other."""
    for number, field in enumerate(batch.schema):
        if pa.types.is_list(field.type):
            column = batch.column(number).combine_chunks()
            made = pa.ListArray.from_arrays(column.offsets, column.values)
            batch = batch.set_column(number, field.name, made)
    return batch
