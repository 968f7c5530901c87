"""The whole way to PostgreSQL, with all servers on this machine: posts a second, and how old.

    python -m bench.whole_way [--posts 60000] [--rate 500] [--seconds 60] [--mix storm]

Kafka, PostgreSQL (its commits wait for the disk) and Redis run here, with the watch, the page and
one worker and one store, then two of each. First all posts stand on their topic, and the rows in
the warehouse are counted as they come. Then a collector's intake receives ``--rate`` posts a second
for ``--seconds``, and each post's age is taken from ``seen_at`` to when it can be read in the
warehouse, which is asked twenty times a second. CPU is that of each process and its children.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

from bench import synthetic
from pipeline.brokers.kafka import KafkaBroker, KafkaSettings
from pipeline.clock import SystemClock
from pipeline.intake import Intake
from pipeline.model import Incident, Mention
from pipeline.ports import Item
from pipeline.roles import run
from pipeline.topics import INCIDENTS, MENTIONS, TOPICS
from sinks.postgres_link import Connection, PostgresLink
from tests.servers.cluster import Cluster

TRACKS = "".join(f'[[track]]\nname = "{n}"\nterms = ["{n}"]\n' for n in synthetic.TRACKS)
OPEN_INCIDENTS = 5
#: Posts of which one in twelve tells of a failure, and posts that all do.
MIXES = {"working-day": synthetic.working_day, "storm": synthetic.mentions}
#: Seconds without a new row after which something is wrong.
STALLED = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Steady:
    """A source that gives so many posts a second for some seconds; each was said just now."""

    def __init__(self, name: str, rate: float, seconds: float) -> None:
        self.name = name
        self._rate = rate
        self._count = round(rate * seconds)

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``."""
        began = time.monotonic()
        for number, line in enumerate(synthetic.working_day(self._count, seed=3)):
            while (left := began + number / self._rate - time.monotonic()) > 0:
                yield Item(None, cursor or "0")
                if stop.wait(left):
                    return
            now = datetime.now(UTC)
            told = line | {"external_id": f"{self.name}-{number}", "said_at": now, "seen_at": now}
            yield Item(Mention.model_validate(told), str(number))


def fill(broker: KafkaBroker, posts: int, mix: str) -> int:
    """Puts incidents that are open, and posts of an hour, on their topics; how many posts."""
    producer = broker.producer()
    for line in synthetic.incidents(OPEN_INCIDENTS, minutes=60):
        if line["status"] == "investigating":
            incident = Incident.model_validate(line)
            producer.send(INCIDENTS, incident.key, incident.to_json())
    ids = set()
    for line in MIXES[mix](posts, per_minute=posts / 60):
        mention = Mention.model_validate(line)
        producer.send(MENTIONS, mention.key, mention.to_json())
        ids.add(mention.id)
    producer.flush()
    producer.close()
    return len(ids)


def rate(asking: Connection, posts: int, cluster: Cluster) -> None:
    """Prints posts a second, and their CPU, from a tenth of the posts on to the last."""
    first, begun = None, dict[str, float]()
    last, at, moved = 0, time.monotonic(), time.monotonic()
    while last < posts:
        time.sleep(0.25)
        now, count = time.monotonic(), posts_in(asking)
        if count > last:
            last, at, moved = count, now, now
        if first is None and count >= posts / 10:
            first, begun = (now, count), cpu_seconds(cluster)
        if now - moved > STALLED:
            raise TimeoutError(f"{last:,} of {posts:,} posts came\n{cluster.logs()}")
    assert first is not None
    print(f"  {(last - first[1]) / (at - first[0]):8,.0f} posts/s to the warehouse")
    spent = {name: cpu - begun[name] for name, cpu in cpu_seconds(cluster).items()}
    each = 1e6 / (last - first[1])
    told = ", ".join(f"{name} {each * seconds:,.0f}" for name, seconds in spent.items())
    print(f"           CPU µs a post: {told}; together {each * sum(spent.values()):,.0f}")


def ages(asking: Connection, broker: KafkaBroker, per_second: float, seconds: float) -> list[float]:
    """How old each post of a steady source was when it could be read, in seconds."""
    source = Steady(f"steady{time.monotonic_ns()}", per_second, seconds)
    intake = Intake(source, broker, None, SystemClock())
    stop, found = threading.Event(), dict[str, float]()
    thread = threading.Thread(target=run, args=(intake, stop, SystemClock()))
    last = _arrival(asking)
    thread.start()
    deadline = time.monotonic() + seconds + STALLED
    while len(found) < per_second * seconds and time.monotonic() < deadline:
        time.sleep(0.05)
        rows = asking.run(
            "SELECT id, seen_at, arrival FROM fct_mention WHERE arrival > $1", [last], copy=False
        ).to_pylist()
        now = datetime.now(UTC).replace(tzinfo=None)
        for row in rows:
            last = max(last, row["arrival"])
            if row["id"].startswith(f"x:{source.name}-"):
                found.setdefault(row["id"], (now - row["seen_at"]).total_seconds())
    stop.set()
    thread.join()
    if len(found) < per_second * seconds:
        raise TimeoutError(f"{len(found):,} of {per_second * seconds:,.0f} posts came")
    return list(found.values())


def posts_in(asking: Connection) -> int:
    """Posts in the warehouse; 0 before it is made."""
    missing = (
        asking.run("SELECT to_regclass('fct_mention') IS NULL", copy=False).column(0)[0].as_py()
    )
    counted = "SELECT 0::bigint" if missing else "SELECT count(*) FROM fct_mention"
    return int(asking.run(counted, copy=False).column(0)[0].as_py())


def _arrival(asking: Connection) -> int:
    return int(asking.run("SELECT arrival FROM state", copy=False).column(0)[0].as_py())


def cpu_seconds(cluster: Cluster) -> dict[str, float]:
    """CPU so far by role, each server with its children (Linux)."""
    children: dict[int, list[int]] = {}
    spent: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        pid = int(path.parent.name)
        children.setdefault(int(fields[1]), []).append(pid)
        spent[pid] = sum(map(int, fields[11:15])) / _TICKS

    def of(pid: int) -> float:
        return spent.get(pid, 0.0) + sum(of(child) for child in children.get(pid, ()))

    told: dict[str, float] = {}
    servers: dict[str, Any] = {n: getattr(cluster, n) for n in ("kafka", "postgres", "redis")}
    for name, process in (cluster.processes | servers).items():
        role = name.partition("-")[0]
        told[role] = told.get(role, 0.0) + (of(process.pid) if process.pid else 0.0)
    return told


def measure(folder: Path, number: int, options: argparse.Namespace) -> None:
    """Prints both figures for so many workers and stores."""
    print(f"{number} worker(s), {number} store(s)", flush=True)
    cluster = Cluster(folder, TRACKS, workers=number, stores=number, durable=True)
    roles = {name: cluster.processes.pop(name) for name in list(cluster.processes)}
    cluster.processes["web"] = roles.pop("web")  # the page alone, at first
    with cluster:
        broker = KafkaBroker(KafkaSettings(servers=cluster.kafka.address))
        link = PostgresLink(cluster.postgres.url, "groundswell", "the bench")
        with closing(broker), closing(link.open()) as asking:
            broker.ensure(TOPICS)
            posts = fill(broker, options.posts, options.mix)
            cluster.processes |= roles
            for process in roles.values():
                process.start()
            rate(asking, posts, cluster)
            # The first seconds find the producer's connections and the readers' places.
            ages(asking, broker, options.rate, min(5.0, options.seconds))
            before = cpu_seconds(cluster)
            found = ages(asking, broker, options.rate, options.seconds)
            cut = quantiles(found, n=100)
            told = f"p50 {cut[49]:.2f} s, p99 {cut[98]:.2f} s, oldest {max(found):.2f} s"
            print(f"           {options.rate:,.0f} posts/s for {options.seconds:,.0f} s: {told}")
            spent = sum(cpu_seconds(cluster).values()) - sum(before.values())
            print(f"           {spent / options.seconds:.2f} cores busy", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.whole_way", description=__doc__)
    parser.add_argument("--posts", type=int, default=60_000)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], metavar="N")
    parser.add_argument("--mix", choices=MIXES, default="working-day")
    options = parser.parse_args(arguments)
    for number in options.processes:
        with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as scratch:
            measure(Path(scratch), number, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
