"""How fast a warehouse takes rows in and answers the page, from empty to millions of posts.

    python -m bench.warehouse [--adapter duckdb|postgres|clickhouse] [--rows 200000] [--step 500000]
        [--copied] [--schema NAME]

Posts as ``bench.warehouse_words`` makes them go through ``write`` in batches of 5,000, one key in
ten twice: the whole of ``write`` from words counts, and beside it what of it is ours (words to
Arrow) and what the database's. With ``--copied`` all but 25,000 rows of each step are copied inside
the database, which is faster, and only those 25,000 are measured. Then the page's questions are
asked while a writer writes.

PostgreSQL is a server of its own whose commits wait for the disk. ``GROUNDSWELL_TEST_POSTGRES``
names another one: a schema is made in it and removed, unless ``--schema`` names one, which stays
and is not filled again, as a ``--file`` does. ClickHouse is its engine behind its HTTP interface
(``tests.servers.clickhouse``), without ``--copied``.
"""

import argparse
import itertools
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from bench.warehouse_asked import SIZE, ask_all
from bench.warehouse_fill import Filler
from bench.warehouse_places import KEY, Place, place_of
from bench.warehouse_words import DAYS, END, START, TRACKS, Life, incidents, live
from pipeline.model import Coverage, Feedback
from pipeline.ports import Rows, Warehouse
from sinks.keys import Keys
from sinks.write import Write

ADAPTERS: Final = ("duckdb", "postgres", "clickhouse")
#: What is written first and, with --copied, copied from then on.
BASE: Final = 50_000
#: Measured at every step, with --copied.
PROBE: Final = 25_000
#: What others take in or answer, from notes on measurements with 25 columns and 10 % repeats.
PEERS: Final = """\
peers, from ready Arrow batches of 5,000, 25 columns, 10 % repeats (measured before, elsewhere):
  DuckDB INSERT … ON CONFLICT, strict >   51,000 rows/s (22,000 in batches of 1,000)
  DuckDB with >= / MERGE                  a quarter of that / 16,000
  PostgreSQL, ADBC to staging, upsert     42,000-53,000 rows/s
  PostgreSQL, psycopg COPY                30,000 rows/s
  one ADBC class on three databases       35,000-42,000 rows/s
  dlt merge                               1,400-2,500 rows/s; pyiceberg upsert 567 rows/s
"""


class _Nowhere:
    """Takes the Arrow batches of a write and does nothing with them."""

    def run(self, name: str, batch: pa.Table, **values: Any) -> list[tuple[Any, ...]]:
        """Nothing is answered."""
        del name, batch, values
        return []


def ours(batch: Sequence[Feedback]) -> float:
    """Seconds that a write of a batch takes without any database."""
    began = time.perf_counter()
    Write(_Nowhere(), Keys(KEY), END, 0, has_removals=False).take(Rows(feedback=batch))
    return time.perf_counter() - began


def memory_mb() -> int:
    """What this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20


class Rate:
    """Adds up batches; prints them as a line."""

    def __init__(self) -> None:
        self._rows, self._whole, self._ours, self._busy, self._worst = 0, 0.0, 0.0, 0.0, 0.0

    def write(self, warehouse: Warehouse, batch: Sequence[Feedback], at: datetime) -> None:
        """Writes a batch."""
        self._ours += ours(batch)
        began, busy = time.perf_counter(), time.process_time()
        warehouse.write(Rows(feedback=batch), at)
        took = time.perf_counter() - began
        self._busy += time.process_time() - busy
        self._whole += took
        self._worst = max(self._worst, took)
        self._rows += len(batch)

    def tell(self, held: int) -> None:
        """One line of the table."""
        database = max(self._whole - self._ours, 1e-9)
        print(
            f"  {held:>9,} {self._rows / self._whole:>9,.0f} {self._rows / database:>9,.0f} "
            f"{self._rows / self._ours:>9,.0f} {self._rows / self._busy:>9,.0f} "
            f"{self._worst:>8.2f} {memory_mb():>7}",
            flush=True,
        )


HEAD: Final = (
    "  rows held    rows/s  database      ours   per CPU  worst s  RSS MB\n"
    "             write() from Arrow  to Arrow    second  a batch"
)


def coverage() -> Iterator[Coverage]:
    """What was read: each source and track, of every hour all but its last ten minutes."""
    for hour in range(DAYS * 24):
        start = START + timedelta(hours=hour)
        for source, track in itertools.product(("x", "bluesky", "mastodon"), TRACKS):
            end = start + timedelta(minutes=50)
            yield Coverage(source=source, track=track, from_at=start, to_at=end)


def write_base(warehouse: Warehouse, rows: int, size: int = SIZE) -> Rate:
    """The first posts, with incidents, decisions, removals and campaigns."""
    life, rate = Life(), Rate()
    warehouse.write(Rows(incidents=incidents(), coverage=list(coverage())), START)
    posts: list[Feedback] = []
    for first in range(0, rows, size):
        batch = [life.post(number) for number in range(first, min(first + size, rows))]
        rate.write(warehouse, batch, END)
        posts += batch[::10]  # all of them would make every collection of garbage longer
    few = max(1, rows // 200)
    warehouse.write(
        Rows(
            decisions=life.decisions(posts, few),
            campaigns=life.campaigns(posts, few),
            removals=life.removals(posts, few // 5 + 1),
        ),
        END,
    )
    return rate


def grow(place: Place, rows: int, step: int, size: int) -> None:
    """To so many rows by ``write`` alone, a line for each step."""
    with closing(place.open()) as warehouse:
        write_base(warehouse, min(rows, BASE), size).tell(min(rows, BASE))
        life, held = Life(11), BASE
        moments = (rows - held) * 0.02
        at = END - timedelta(seconds=max(0.0, moments))
        names: list[str] = []
        while held < rows:
            count, rate = min(step, rows - held), Rate()
            for batch in live(life, 10_000_000 + held, count, size, at, names):
                rate.write(warehouse, batch, at)
                names += [word.mention.id for word in batch[::20]]
                at += timedelta(seconds=len(batch) * 0.02)
            held += count
            rate.tell(held)


def copy(place: Place, rows: int, step: int, size: int) -> None:
    """To so many rows by copies, a line for what is written at each step."""
    with closing(place.open()) as warehouse:
        write_base(warehouse, BASE, size).tell(BASE)
    steps = max(1, round(rows / step))
    copies = max(1, round((rows - BASE - steps * PROBE) / BASE))
    days = [round(DAYS * done / steps) for done in range(steps + 1)]
    with place.run() as run:
        Filler(run).keep_base()
    for number in range(steps):
        at = START
        with place.run() as run:
            filler = Filler(run)
            for day in range(days[number], days[number + 1]):
                at = filler.fill(copies, day)
            held = run("SELECT count(*) FROM fct_mention")[0][0]
            before = at.replace(tzinfo=None).isoformat()
            there = f"event_at < TIMESTAMP '{before}'"
            told = run(f"SELECT id FROM bench_fct_mention WHERE {there} ORDER BY md5(id)")
            names = [row[0] for row in told]
        again = [f"{name}-{1 + n % copies}" for n, name in enumerate(names[:20_000])]
        with closing(place.open()) as warehouse:
            probe(warehouse, size, at, 10_000_000 * (number + 1), again, held)
    with place.run() as run:
        Filler(run).drop_base()
    with closing(place.open()) as warehouse:
        for told in ("first roll-up", "second, with nothing new"):
            began, busy = time.perf_counter(), time.process_time()
            done = warehouse.roll_up(END)
            took, busy = time.perf_counter() - began, time.process_time() - busy
            print(f"  {told}: {done} days and incidents in {took:.1f} s, {busy:.1f} s of CPU")


def probe(
    warehouse: Warehouse, size: int, at: datetime, first: int, again: Sequence[str], held: int
) -> None:
    """Writes some batches and tells how fast, without the first, which reads what is held."""
    rate = Rate()
    first_one, *others = live(Life(first), first, PROBE + size, size, at, again)
    Rate().write(warehouse, first_one, at + timedelta(minutes=10))
    for batch in others:
        rate.write(warehouse, batch, at + timedelta(minutes=10))
    rate.tell(held + PROBE)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.warehouse")
    parser.add_argument("--adapter", choices=ADAPTERS, default="duckdb")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--step", type=int, default=500_000)
    parser.add_argument("--size", type=int, default=SIZE, help="rows in a batch")
    parser.add_argument("--copied", action="store_true", help="copy most rows in the database")
    parser.add_argument("--seconds", type=float, default=1.5, help="of asking each question")
    parser.add_argument("--only", default="", help="a question, or a group: live, incident, others")
    parser.add_argument("--file", type=Path, help="a DuckDB file that stays; not filled again")
    parser.add_argument("--schema", help="a schema that stays; not filled again")
    options = parser.parse_args(arguments)
    if options.copied and options.adapter == "clickhouse":
        parser.error("--copied is not there for ClickHouse")
    with place_of(options.adapter, options.file, options.schema) as place:
        with closing(place.open()) as warehouse:
            held = warehouse.rows("last_event")[0]["event_at"] is not None
        if not held:
            print(f"{options.adapter}, batches of {options.size:,}:\n{HEAD}")
            filled = copy if options.copied else grow
            filled(place, options.rows, options.step, options.size)
            print(PEERS)
        ask_all(place, options.seconds, options.only)


if __name__ == "__main__":
    main()
