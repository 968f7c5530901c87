"""Kill -9 while a warehouse is written to: every acknowledged batch is there, and none twice.

    python -m bench.kills [--adapter duckdb|postgres|clickhouse] [--rounds 50] [--size 200]

A process writes numbered batches (posts with a link each, one in ten told again from the batch
before, an incident and a decision) and says each number once ``write`` has returned. At a random
moment it is killed with signal 9; with a server in every fifth round the server is, too. Then the
warehouse is opened again: of what was acknowledged all must be there, of the batch that was under
way all or nothing, and nothing twice. The next round goes on from there. ClickHouse knows no
transactions: there the batch that was under way is written again, as it would come again, before
anything is counted, and the dead writer's lock is taken away instead of waiting a minute for it.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.warehouse_places import Place, clickhouse_at, drop, duckdb_at, postgres_at
from bench.warehouse_words import START, incident_id, incidents
from pipeline.model import Author, Decision, Feedback, Label, Link, Mention, Repeat
from pipeline.ports import Rows
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.postgres import PostgresServer

#: The longest that a process may write in a round, in seconds.
LONGEST: Final = 2.0
#: In every round of so many the server is killed, where there is one.
SERVER_EVERY: Final = 5
SCHEMA: Final = "bench_kills"
ADAPTERS: Final = ("duckdb", "postgres", "clickhouse")


def batch(number: int, size: int) -> Rows:
    """What batch ``number`` brings; a tenth of the posts of the one before come once more."""
    posts = [_post(number, place) for place in range(size)]
    again = [_post(number - 1, place) for place in range(0, size if number else 0, 10)]
    said = Decision(
        id=f"d{number}",
        subject=_post(number, 0).mention.id,
        verb="link",
        value=incident_id(1),
        by="ada",
        at=START,
    )
    told = incidents()[number % 50].model_copy(update={"version": number})
    return Rows(feedback=[*again, *posts], decisions=[said], incidents=[told])


def _post(number: int, place: int) -> Feedback:
    mention = Mention(
        source="x",
        external_id=f"{number}-{place}",
        author=Author(id=f"a{place}"),
        text=f"nothing works, {number} {place}",
        said_at=START,
        tracks=("acme",),
    )
    return Feedback(
        mention=mention,
        repeat=Repeat(group=mention.id),
        labels={"intent": Label(name="report", p=0.9, sure=True)},
        links=(Link(incident=incident_id(number % 50), p=0.9, state="linked"),),
        model="m",
    )


def write(place: Place, first: int, size: int) -> None:
    """The process that is killed: writes from batch ``first`` on, and says what was taken."""
    warehouse = place.open()
    number = first
    while True:
        warehouse.write(batch(number, size), START)
        print(number, flush=True)
        number += 1


def wrong(place: Place, acknowledged: int, size: int) -> tuple[list[str], int]:
    """What is not as it must be, and the number of batches that are there.

    ``acknowledged``: so many were said to be taken; the one after them may be there, whole.
    """
    with closing(place.open()) as warehouse:
        posts = warehouse.sql("SELECT id FROM feedback").rows
        links = warehouse.sql("SELECT id FROM incident_feedback WHERE link_by <> 'person'").rows
        settled = warehouse.sql("SELECT id FROM incident_feedback WHERE link_by = 'person'").rows
    troubles = []
    there = Counter(_number(name) for (name,) in posts)
    linked = Counter(_number(name) for (name,) in links)
    by_hand = Counter(_number(name) for (name,) in settled)
    for number in range(max(acknowledged, 1 + max(there, default=-1))):
        held = (there[number], linked[number] + by_hand[number] * (number % 50 == 1))
        if number == acknowledged and held == (0, 0) and not by_hand[number]:
            continue
        if there[number] != size or by_hand[number] != 1 or linked[number] not in (size, size - 1):
            troubles.append(f"batch {number}: {there[number]} posts, {linked[number]} links")
    if beyond := [number for number in there if number > acknowledged]:
        troubles.append(f"batches that were never acknowledged nor under way: {beyond}")
    if len(posts) != len(set(posts)):
        troubles.append(f"{len(posts) - len(set(posts))} posts stand twice")
    return troubles, len(there)


def _number(name: str) -> int:
    return int(name.removeprefix("x:").partition("-")[0])


@dataclass
class Site:
    """A warehouse that processes are killed over."""

    place: Place
    arguments: Sequence[str]
    server: PostgresServer | ClickHouseServer | None = None
    size: int = 200
    done: int = 0
    acknowledged: int = 0
    troubles: list[str] = field(default_factory=list)

    def round(self, seconds: float, *, with_server: bool) -> None:
        """Starts a process, kills it after so long, and looks at what is left."""
        writer = subprocess.Popen(
            [sys.executable, "-m", "bench.kills", "--write", str(self.done), *self.arguments],
            stdout=subprocess.PIPE,
            # It may live to see its server die.
            stderr=subprocess.DEVNULL if with_server else None,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        if writer.stdout is None:
            raise RuntimeError("the writer says nothing")
        with writer.stdout as told:
            said = [int(told.readline() or self.done - 1)]  # it has begun
            time.sleep(seconds)
            if with_server and self.server is not None:
                self.server.kill()
            writer.kill()
            said += [int(line) for line in told if line.endswith("\n")]
        writer.wait()
        if with_server and self.server is not None:
            self.server.start()
        self.acknowledged += 1 + said[-1] - self.done
        if isinstance(self.server, ClickHouseServer):
            self._come_again(self.server, 1 + said[-1])
        found, self.done = wrong(self.place, 1 + said[-1], self.size)
        self.troubles += found

    def _come_again(self, server: ClickHouseServer, number: int) -> None:
        """Writes the batch that was under way, once nothing of the dead writer runs any more."""
        while server.run("SELECT count() FROM system.processes") != "1\n":
            time.sleep(0.05)
        server.run("DROP TABLE IF EXISTS groundswell.writer_lock")
        with closing(self.place.open()) as warehouse:
            warehouse.write(batch(number, self.size), START)


@contextmanager
def site(adapter: str, size: int, server: PostgresServer | None = None) -> Iterator[Site]:
    """A warehouse of its own, removed afterwards; in a server of its own if none is given."""
    with ExitStack() as stack:
        if adapter == "duckdb":
            folder = tempfile.TemporaryDirectory(prefix="groundswell-bench-")
            path = Path(stack.enter_context(folder)) / "kills.duckdb"
            told = ["--size", str(size), "--file", str(path)]
            yield Site(duckdb_at(path), told, size=size)
            return
        if adapter == "clickhouse":
            engine = ClickHouseServer()
            stack.callback(engine.stop)
            engine.start()
            told = ["--size", str(size), "--url", engine.url]
            yield Site(clickhouse_at(engine.url), told, engine, size)
            return
        if server is None:
            server = PostgresServer(durable=True)
            server.start()
            stack.callback(server.stop)
        stack.callback(drop, server.url, SCHEMA)
        told = ["--size", str(size), "--url", server.url]
        yield Site(postgres_at(server.url, SCHEMA), told, server, size)


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
    """So many rounds; what was found wrong is in ``troubles``."""
    chance = random.Random(seed)
    with site(adapter, size, server) as made:
        for number in range(rounds):
            with_server = number % server_every == server_every - 1
            made.round(chance.uniform(0, longest), with_server=with_server)
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
        f"{options.adapter}: {options.rounds} rounds of kill -9, {made.acknowledged:,} batches of "
        f"{options.size} acknowledged, {made.done:,} there"
    )
    print("\n".join(made.troubles) or "every acknowledged batch is there, none twice")
    print("peers (measured before, elsewhere): DuckDB by itself, 25 of 25 rounds")
    return 1 if made.troubles else 0


if __name__ == "__main__":
    sys.exit(main())
