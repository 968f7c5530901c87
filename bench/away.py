"""The broker is away for some minutes: what the processes hold meanwhile, and what is there after.

    python -m bench.away [--away 300] [--rate 100]

A collector that listens to a stream like Bluesky's (a server on this machine), two workers, two
stores, the watch and the page on Kafka, PostgreSQL and Redis. Posts come all the time; Kafka is
killed, stays away, and is started again. The memory of each process is read from the system.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench.whole_way import posts_in
from sinks.postgres_link import Connection, PostgresLink
from tests.servers.cluster import Cluster
from tests.servers.jetstream import Jetstream, commit, jetstream

TRACK = '[[track]]\nname = "acme"\nterms = ["acme"]\n'
#: Seconds of posts before the broker goes and after it came back.
BEFORE, AFTER = 30.0, 20.0
#: Seconds without a new row after which they are thought lost.
STALLED = 120.0


class Speaker:
    """Pushes so many posts a second to a stream, in a thread, until it is closed."""

    def __init__(self, stream: Jetstream, rate: float) -> None:
        self.count = 0
        self._stream = stream
        self._rate = rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._speak)
        self._thread.start()

    def _speak(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(max(0.0, began + self.count / self._rate - time.monotonic())):
            text = f"acme messages number {self.count} do not arrive"
            self._stream.push(commit(self.count, time.time_ns() // 1_000, text))
            self.count += 1

    def close(self) -> None:
        """Ends after the post at hand."""
        self._stop.set()
        self._thread.join()


def memory(cluster: Cluster) -> dict[str, tuple[float, float]]:
    """By process: what it holds now and held at most, in MB (Linux)."""
    found = {}
    for name, process in cluster.processes.items():
        told = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        values = dict(line.split(":", 1) for line in told.splitlines())
        now, most = (int(values[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))
        found[name] = now, most
    return found


def until(asking: Connection, wanted: int, cluster: Cluster) -> float:
    """Waits for so many posts; the seconds that it took. Raises TimeoutError."""
    began = moved = time.monotonic()
    last = -1
    while (now := posts_in(asking)) < wanted:
        if now > last:
            last, moved = now, time.monotonic()
        if time.monotonic() - moved > STALLED:
            raise TimeoutError(f"{now:,} of {wanted:,} posts came\n{cluster.logs()}")
        time.sleep(0.5)
    return time.monotonic() - began


def measure(folder: Path, away: float, rate: float) -> bool:
    """Prints what was held and what came; whether nothing is missing and all still run."""
    with jetstream() as stream:
        address = stream.url.removesuffix("/subscribe")
        source = f'[[source]]\ntype = "bluesky"\nname = "stream"\nurl = "{address}"\n'
        cluster = Cluster(folder, TRACK, (source,), workers=2)
        link = PostgresLink(cluster.postgres.url, "groundswell", "the bench")
        with cluster, closing(Speaker(stream, rate)) as speaker, closing(link.open()) as asking:
            until(asking, 1, cluster)
            time.sleep(BEFORE)
            before = memory(cluster)
            cluster.kafka.kill()
            time.sleep(away)
            during = memory(cluster)
            held = speaker.count - posts_in(asking)
            cluster.kafka.start()
            time.sleep(AFTER)
            speaker.close()
            took = until(asking, speaker.count, cluster)
            after = memory(cluster)
            print(f"away for {away:.0f} s, {rate:.0f} posts/s: {held:,} posts waited")
            print("process       MB before   while away    most ever")
            for name, (most, _) in before.items():
                print(f"{name:12}{most:11.0f}{during[name][0]:13.0f}{after[name][1]:13.0f}")
            there = posts_in(asking)
            print(f"{there:,} of {speaker.count:,} posts, {AFTER + took:.0f} s after it was back")
            return there == speaker.count


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.away", description=__doc__)
    parser.add_argument("--away", type=float, default=300, metavar="SECONDS")
    parser.add_argument("--rate", type=float, default=100, metavar="POSTS")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as scratch:
        return 0 if measure(Path(scratch), options.away, options.rate) else 1


if __name__ == "__main__":
    sys.exit(main())
