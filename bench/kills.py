"""A process that writes into a warehouse is killed with signal 9, again and again: nothing is lost.

    python -m bench.kills --rounds 50
    python -m bench.kills --rounds 50 --adapter postgres
    python -m bench.kills --rounds 50 --adapter clickhouse

Each round a process of its own writes batches (``bench.kills_words``): new posts, repeats, edits,
late links, removals, decisions, incidents. It says on standard output which were taken; beside it
counts are rolled up and what was erased is written anew, as in ``up`` or by another ``store``. At
a random moment it is killed; with PostgreSQL and ClickHouse in every fifth round the server is,
too. The next process begins with the batch after the last that was acknowledged, whether that one
is there or not.

After each kill the warehouse is opened again: of what was acknowledged all must be there in its
newest version, of the batch that was under way all or nothing, nothing twice, counts and histories
as if nobody had been killed, and no word of an erased post in any table (``bench.kills_check``).
ClickHouse knows no transactions: there the batch that was under way is written again, as it would
come again, before anything is compared, and the dead writer's lock is taken away instead of waiting
twenty seconds for it.
"""

import argparse
import itertools
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from bench.kills_check import Truth, troubles, views_of, words_left
from bench.kills_words import batch, told_of, written_at
from bench.warehouse_places import Place, clickhouse_at, drop, duckdb_at, postgres_at
from pipeline.errors import TryLater
from pipeline.ports import Warehouse
from sinks.clickhouse_warehouse import ClickHouseWarehouse
from sinks.duckdb_warehouse import DuckDBWarehouse
from sinks.postgres_warehouse import PostgresWarehouse
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.postgres import PostgresServer

#: The longest that a process may write in a round, in seconds.
LONGEST: Final = 2.0
#: In every round of so many the server is killed, where there is one.
SERVER_EVERY: Final = 5
#: After so many roll-ups what was erased is written anew.
TIDY_EVERY: Final = 3
SCHEMA: Final = "bench_kills"
ADAPTERS: Final = ("duckdb", "postgres", "clickhouse")
#: What the process says of a roll-up that is done, and of words that were written anew.
ROLLED, TIDIED = "rolled", "tidied"


# ---- the process that is killed -----------------------------------------------------------------


def write(place: Place, first: int, size: int) -> None:
    """Writes from batch ``first`` on and says what was taken, until it is killed."""
    warehouse = place.open()
    # A file belongs to one process; of a server's warehouse another store would roll up.
    other = warehouse if isinstance(warehouse, DuckDBWarehouse) else place.open()
    threading.excepthook = _give_up
    threading.Thread(target=_roll_up, args=(other,), daemon=True).start()
    for number in itertools.count(first):
        _until_taken(warehouse.write, batch(number, size), written_at(number))
        _say(str(number))


def _roll_up(warehouse: Warehouse) -> None:
    """Rolls up for ever, and now and then writes anew what held erased words."""
    for turn in itertools.count(1):
        if _until_taken(warehouse.roll_up, written_at(0)):
            _say(ROLLED)
        if turn % TIDY_EVERY == 0 and _until_taken(_tidy, warehouse):
            _say(TIDIED)
        time.sleep(0.01)


def _give_up(failed: threading.ExceptHookArgs) -> None:
    """A process without roll-ups would prove less: whoever started it notices that it ended."""
    traceback.print_exception(failed.exc_value)
    os._exit(1)


def _tidy(warehouse: Warehouse) -> bool:
    """Whether anything was written anew."""
    if isinstance(warehouse, DuckDBWarehouse):
        return warehouse.tidy()
    return isinstance(warehouse, PostgresWarehouse) and bool(warehouse.tidy(written_at(0)))


def _until_taken(step: Callable[..., Any], *values: Any) -> Any:
    """Repeats what must wait, as roles do."""
    while True:
        try:
            return step(*values)
        except TryLater:
            time.sleep(0.05)


def _say(line: str) -> None:
    """In one piece, whichever thread it is."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


# ---- rounds -------------------------------------------------------------------------------------


@dataclass
class Site:
    """A warehouse that processes are killed over, and what was seen there."""

    adapter: str
    place: Place
    arguments: Sequence[str]
    truth: Truth
    server: PostgresServer | ClickHouseServer | None = None
    size: int = 200
    acknowledged: int = 0
    under_way: int = 0  # batches that were there although nobody had heard of it
    rolled: int = 0
    tidied: int = 0
    troubles: list[str] = field(default_factory=list)

    def round(self, seconds: float, *, with_server: bool) -> None:
        """Starts a process, kills it after so long, and looks at what is left."""
        told = self._killed(seconds, with_server=with_server)
        self.rolled += told.count(ROLLED)
        self.tidied += told.count(TIDIED)
        self.acknowledged += sum(line.isdigit() for line in told)
        if isinstance(self.server, ClickHouseServer):
            self._come_again(self.server)
        self.troubles += self._looked_at()

    def _killed(self, seconds: float, *, with_server: bool) -> list[str]:
        """What the process said."""
        first = ["--write", str(self.acknowledged)]
        writer = subprocess.Popen(
            [sys.executable, "-m", "bench.kills", *first, *self.arguments],
            stdout=subprocess.PIPE,
            # It may live to see its server die.
            stderr=subprocess.DEVNULL if with_server else None,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        if writer.stdout is None:
            raise RuntimeError("the writer says nothing")
        with writer.stdout as said:
            told = _until_written(said)
            time.sleep(seconds)
            if with_server and self.server is not None:
                self.server.kill()
            if writer.poll() is not None and not with_server:
                self.troubles.append(f"the process ended by itself with {writer.returncode}")
            writer.kill()
            told += said
        writer.wait()
        if with_server and self.server is not None:
            self.server.start()
        return [line.strip() for line in told if line.endswith("\n")]

    def _come_again(self, server: ClickHouseServer) -> None:
        """Writes the batch that was under way, once nothing of the dead writer runs any more."""
        while server.run("SELECT count() FROM system.processes") != "1\n":
            time.sleep(0.05)
        server.run("DROP TABLE IF EXISTS groundswell.writer_lock")
        with closing(self.place.open()) as warehouse:
            number = self.acknowledged
            warehouse.write(batch(number, self.size), written_at(number))
            # Rows are only added there: words leave the tables when they are written anew.
            if isinstance(warehouse, ClickHouseWarehouse):
                warehouse.rewrite()

    def _looked_at(self) -> list[str]:
        """What is not as it must be."""
        self.truth.advance(self.acknowledged)
        with closing(self.place.open()) as warehouse:
            held = views_of(warehouse)
        if any(row["decision_id"] == told_of(self.acknowledged) for row in held["decisions"]):
            self.under_way += 1
            self.truth.advance(self.acknowledged + 1)
        elif len(held["removals"]) > self.truth.removals():
            self.truth.erase_ahead()
        found = troubles(held, self.truth.views())
        return [*found, *words_left(self.place, self.adapter, self.truth.erased)]


def _until_written(said: IO[str]) -> list[str]:
    """What a process says up to its first batch; less if it ends before."""
    told: list[str] = []
    for line in said:
        told.append(line)
        if line.strip().isdigit():
            break
    return told


@contextmanager
def site(adapter: str, size: int, server: PostgresServer | None = None) -> Iterator[Site]:
    """A warehouse of its own, removed afterwards; in a server of its own if none is given."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="groundswell-bench-")))
        truth = stack.enter_context(closing(duckdb_at(folder / "truth.duckdb").open()))

        def made(place: Place, server: PostgresServer | ClickHouseServer | None, *at: str) -> Site:
            told = ["--size", str(size), *at]
            return Site(adapter, place, told, Truth(truth, size), server, size)

        if adapter == "duckdb":
            path = folder / "kills.duckdb"
            yield made(duckdb_at(path), None, "--file", str(path))
            return
        if adapter == "clickhouse":
            engine = ClickHouseServer()
            stack.callback(engine.stop)
            engine.start()
            yield made(clickhouse_at(engine.url), engine, "--url", engine.url)
            return
        if server is None:
            server = PostgresServer(durable=True)
            server.start()
            stack.callback(server.stop)
        stack.callback(drop, server.url, SCHEMA)
        yield made(postgres_at(server.url, SCHEMA), server, "--url", server.url)


def run(
    adapter: str,
    rounds: int,
    size: int,
    *,
    seed: int = 1,
    longest: float = LONGEST,
    server: PostgresServer | None = None,
    server_every: int = SERVER_EVERY,
) -> Site:
    """So many rounds, or until one finds something wrong: it is in ``troubles``."""
    chance = random.Random(seed)
    with site(adapter, size, server) as made:
        for number in range(rounds):
            with_server = number % server_every == server_every - 1
            made.round(chance.uniform(0, longest), with_server=with_server)
            if made.troubles:
                made.troubles.insert(0, f"in round {number + 1}:")
                break
        return made


def _place(url: str | None, file: Path) -> Place:
    if url is None:
        return duckdb_at(file)
    return clickhouse_at(url) if url.startswith("clickhouse") else postgres_at(url, SCHEMA)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; with --write the process that is killed."""
    parser = argparse.ArgumentParser(prog="python -m bench.kills")
    parser.add_argument("--adapter", choices=ADAPTERS, default="duckdb")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.write is not None:
        write(_place(options.url, options.file), options.write, options.size)
    made = run(options.adapter, options.rounds, options.size, seed=options.seed)
    print(
        f"{options.adapter}: {options.rounds} rounds of kill -9, {options.size} new posts a batch, "
        f"{made.acknowledged:,} acknowledged and {made.under_way:,} more there; beside them "
        f"{made.rolled:,} roll-ups, and {made.tidied:,} times erased words were written anew; "
        f"{len(made.truth.erased):,} posts erased"
    )
    print("\n".join(made.troubles) or "all that was acknowledged is there as it should, none twice")
    print("peers (measured before, elsewhere): DuckDB by itself, 25 of 25 rounds")
    return 1 if made.troubles else 0


if __name__ == "__main__":
    sys.exit(main())
