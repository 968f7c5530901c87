"""The parts of the two tables that hold words, on PostgreSQL: an erasure writes one anew, not all.

A deleted row's bytes stay in its table until that is written anew, which takes 15 s for 5,000,000
mentions. So ``mention_private`` is divided by the column ``day``: days of this month and the one
before, months of this year and the one before, years before that, made when they are needed. More
parts would cost every question more: planning it takes 4 ms with 60 of them, 30 ms with 400.
``fct_link`` has a single part.

A part is written anew beside the old one, which then gives way in a moment: writers wait meanwhile,
readers for that moment only.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import groupby
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_manager import Error

from sinks.postgres_link import Connection
from sinks.postgres_statements import Statement

WORDS: Final = "mention_private"
#: Days before and after these stand under the first and the last.
FIRST_DAY: Final = date(2000, 1, 1)
#: Parts are joined to months and years up to so many rows: so long writers wait for an erasure.
MOST_ROWS: Final = 5_000_000
#: How long readers may hold up each other behind us, and how often it is tried.
_LOCK_SECONDS: Final = 2
_TRIES: Final = 5
_LOCKED: Final = "55P03"
_DAY = re.compile(r"'(\d{4}-\d\d-\d\d)'")


class Part(NamedTuple):
    """A part: its table, the table it is part of, its bounds as the server says them, its rows."""

    name: str
    whole: str
    bounds: str
    rows: int

    @property
    def span(self) -> tuple[date, date]:
        """Its first day, and the one after its last."""
        first, end = map(date.fromisoformat, _DAY.findall(self.bounds))
        return first, end


def span_of(day: date, today: date) -> tuple[date, date]:
    """The day, month or year that a part should hold, and the day after it."""
    before = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    if day >= before:
        return day, day + timedelta(days=1)
    if day.year >= today.year - 1:
        first = day.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1)
    return date(day.year, 1, 1), date(day.year + 1, 1, 1)


def with_day(batch: pa.Table, today: date) -> pa.Table:
    """A batch of fct_mention with the day under which the words of each stand, if it is new."""
    day = pc.cast(pc.floor_temporal(batch.column("event_at"), unit="day"), pa.date32())
    # A post from the future must not take the place of days to come.
    day = pc.min_element_wise(day, pa.scalar(today + timedelta(days=1), pa.date32()))
    return batch.append_column("day", pc.max_element_wise(day, pa.scalar(FIRST_DAY, pa.date32())))


class Parts:
    """The parts, on a connection. Statements are those of ``parts.sql``."""

    def __init__(self, connection: Connection, known: Mapping[str, Statement]) -> None:
        self._connection = connection
        self._known = known

    def all(self) -> list[Part]:
        """Every part that there is, those with days in their order."""
        asked = self._known["parts"]
        rows = self._connection.run(asked.text, copy=False).to_pylist()
        return sorted(Part(**row) for row in rows)

    def cover(self, days: Iterable[date], today: date) -> None:
        """Makes parts for those of these days that have none. Inside the caller's transaction."""
        held = [part.span for part in self.all() if part.whole == WORDS]
        for day in sorted(days):
            if any(first <= day < end for first, end in held):
                continue
            first, end = span_of(day, today)
            # Beside parts that are there already, as wide as there is room.
            first = max([first, *(other for _, other in held if other <= day)])
            end = min([end, *(other for other, _ in held if other > day)])
            name = _named(first)
            self._make(name, WORDS)
            self._attach(name, WORDS, _bounds(first, end))
            held.append((first, end))

    def due(self) -> list[str]:
        """Tables with bytes of what was erased."""
        found = self._connection.run(self._known["due"].text, copy=False)
        return [str(name) for name in found.column(0).to_pylist()]

    def rewrite(self, pause: Callable[[float], object] = time.sleep) -> list[str]:
        """Writes every part that is due anew, each in a transaction of its own; their names.

        Raises the driver's Error: one of a lock (55P03) when others would not let go of a table.
        """
        done = []
        for name in self.due():
            with self._alone():
                parts = {part.name: part for part in self.all()}
                # Another process may have done it, or have joined it to others.
                if name in parts and name in self.due():
                    self._replace([parts[name]], name, parts[name].bounds, pause)
                    done.append(name)
                self._settle([name])
        return done

    def join(self, today: date, pause: Callable[[float], object] = time.sleep) -> list[str]:
        """Joins days to months and months to years that have gone by; the names of what came."""
        done: list[str] = []
        for _ in range(len(self.all())):
            with self._alone():
                together = self._together(today)
                if not together:
                    return done
                name = together[0].name
                bounds = _bounds(together[0].span[0], together[-1].span[1])
                self._replace(together, name, bounds, pause)
                self._settle([part.name for part in together])
                done.append(name)
        return done

    def _together(self, today: date) -> list[Part]:
        """Parts that should be one by now, and are not too large for it."""
        words = [part for part in self.all() if part.whole == WORDS]
        for span, found in groupby(words, lambda part: span_of(part.span[0], today)):
            parts = list(found)
            within = all(part.span[1] <= span[1] for part in parts)
            if len(parts) > 1 and within and sum(part.rows for part in parts) <= MOST_ROWS:
                return parts
        return []

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A transaction beside which nobody writes."""
        self._connection.run_all(["BEGIN", "SET LOCAL statement_timeout = 0"])
        self._connection.run(self._known["hold"].text, copy=False)
        yield
        self._connection.run_all(["COMMIT"])

    # ---- one part -------------------------------------------------------------------------------

    def _replace(
        self, old: Sequence[Part], name: str, bounds: str, pause: Callable[[float], object]
    ) -> None:
        """Puts one new part in the place of some old ones, whose live rows it holds."""
        table, new = old[0].whole, f"{old[0].whole}_new"
        run = self._connection.run_all
        self._make(new, table)
        run([f"INSERT INTO {new} SELECT * FROM {part.name}" for part in old])
        if table == WORDS:
            # The server need not look again whether its rows belong there: people wait for that.
            first, end = _DAY.findall(bounds)
            run([f"ALTER TABLE {new} ADD CONSTRAINT w CHECK (day >= '{first}' AND day < '{end}')"])
        run([f"ANALYZE {new}", f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"])
        self._patiently(
            [f"ALTER TABLE {table} DETACH PARTITION {part.name}" for part in old], pause
        )
        run([f"DROP TABLE {part.name}" for part in old])
        self._attach(new, table, bounds)
        if table == WORDS:
            run([f"ALTER TABLE {new} DROP CONSTRAINT w"])
        run([f"ALTER TABLE {new} RENAME TO {name}"])

    def _patiently(self, texts: Sequence[str], pause: Callable[[float], object]) -> None:
        """Runs statements that need a lock, letting those pass who wait behind it."""
        for last in range(_TRIES - 1, -1, -1):
            self._connection.run_all(["SAVEPOINT patience"])
            try:
                self._connection.run_all(texts)
            except Error as error:
                if error.sqlstate != _LOCKED or not last:
                    raise
                self._connection.run_all(["ROLLBACK TO SAVEPOINT patience"])
                pause(_LOCK_SECONDS)
            else:
                return

    def _make(self, name: str, table: str) -> None:
        """An empty table of the form of ``table``, indexes included."""
        asked = self._known["wordy_columns"]
        found = self._connection.run(asked.text, asked.bound({"whole": table}), copy=False)
        columns = found.column(0).to_pylist()
        # Statistics would keep examples of what people wrote; LIKE does not take that along.
        kept = ", ".join(f"ALTER COLUMN {column} SET STATISTICS 0" for column in columns)
        form = f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING INDEXES)"
        self._connection.run_all([form, f"ALTER TABLE {name} {kept}"])

    def _attach(self, name: str, table: str, bounds: str) -> None:
        self._connection.run_all([f"ALTER TABLE {table} ATTACH PARTITION {name} {bounds}"])

    def _settle(self, names: Sequence[str]) -> None:
        asked = self._known["written_anew"]
        self._connection.run(asked.text, asked.bound({"parts": list(names)}), copy=False)


def _named(first: date) -> str:
    return f"{WORDS}_{first:%Y%m%d}"


def _bounds(first: date, end: date) -> str:
    return f"FOR VALUES FROM ('{first}') TO ('{end}')"
