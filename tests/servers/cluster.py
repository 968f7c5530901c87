"""Everything that serves a team, on loopback: Kafka, PostgreSQL, Redis and a process for each role.

``python -m tests.servers.cluster`` (``make cluster``) plays the demo's scenario through two
collectors, three workers, two stores and the watch, prints the page's address and runs until
Ctrl-C. Wants what the three servers want, see their modules.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import orjson

from config.demo import generator
from config.demo.texts import scenario
from tests.servers.kafka import KafkaServer
from tests.servers.postgres import PostgresServer
from tests.servers.processes import dies_with_us, free_port
from tests.servers.redis import RedisServer
from tests.servers.server import CannotStartError

#: Seconds the page may take to answer on a busy machine, and a process to end after SIGTERM.
START_SECONDS, STOP_SECONDS = 60.0, 20.0


class Process:
    """One role in a process of its own; what it says goes to ``log``."""

    def __init__(
        self, name: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = [*dies_with_us(), sys.executable, "-m", "config.cli", *arguments]
        self._folder = folder
        self.environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process's id while it was started and not ended."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Starts it and returns at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle
            )

    def address(self) -> str | None:
        """Where it answers operators, as it printed with its last start; None before."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return next((line for line in reversed(lines) if line.startswith("http://")), None)

    def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def tell(self) -> None:
        """SIGTERM; ``stop`` waits for the end."""
        if self._process is not None:
            self._process.terminate()

    def stop(self) -> None:
        """Ends it by its own process id; kills it where it does not leave by itself."""
        self.tell()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            self.kill()


class Cluster:
    """Three servers and the processes of all roles, from entering the context to leaving it.

    ``settings`` is the text of groundswell.toml (tracks); each text in ``collectors`` adds the
    sources of one collector; ``kafka`` adds to the table of that name. Paths start at ``folder``,
    where the logs are, too.
    ``processes`` gives each process by its name: collect-1, work-1, store-1, watch, web.
    """

    def __init__(
        self,
        folder: Path,
        settings: str = "",
        collectors: Sequence[str] = (),
        *,
        workers: int = 3,
        stores: int = 2,
        kafka: str = "",
        durable: bool = False,
    ) -> None:
        self.folder = folder
        self.processes: dict[str, Process] = {}
        self.kafka = KafkaServer()
        with ExitStack() as made:
            made.callback(self.kafka.stop)
            self.postgres = PostgresServer(durable=durable)
            made.callback(self.postgres.stop)
            self.redis = RedisServer()
            made.callback(self.redis.stop)
            port = free_port()
            self.url = f"http://127.0.0.1:{port}"
            shared = f'{settings}\n[kafka]\nservers = "{self.kafka.address}"\n{kafka}'
            for number, sources in enumerate(collectors, 1):
                self._add(f"collect-{number}", "collect", settings=f"{sources}\n{shared}")
            for number in range(1, workers + 1):
                self._add(f"work-{number}", "work", settings=shared)
            for number in range(1, stores + 1):
                self._add(f"store-{number}", "store", settings=shared)
            self._add("watch", "watch", settings=shared)
            self._add("web", "web", "--port", str(port), settings=shared)
            self._for_operators(shared)
            self._servers = made.pop_all()

    def __enter__(self) -> Self:
        """Starts the servers one after the other, then all processes at once."""
        try:
            for server in (self.redis, self.postgres, self.kafka):
                server.start()
            for process in self.processes.values():
                process.start()
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops everything."""
        self.stop()

    def stop(self) -> None:
        """Ends all processes together, then the servers, each by its own process id."""
        for process in self.processes.values():
            process.tell()
        for process in self.processes.values():
            process.stop()
        self._servers.close()

    def addresses(self) -> dict[str, str]:
        """Where each process answers /metrics, /livez and /readyz, by its name."""
        deadline = time.monotonic() + START_SECONDS
        while any(p.address() is None and p.is_running for p in self.processes.values()):
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        told = {name: process.address() for name, process in self.processes.items()}
        return {name: address for name, address in told.items() if address is not None}

    def logs(self, lines: int = 12) -> str:
        """The last lines of every log."""
        told = []
        for process in self.processes.values():
            text = process.log.read_text(errors="replace") if process.log.exists() else ""
            last = "\n".join(text.splitlines()[-lines:])
            told.append(f"== {process.name}{'' if process.is_running else ' (ended)'}\n{last}")
        return "\n".join(told)

    def _add(self, name: str, *arguments: str, settings: str) -> None:
        file = self.folder / f"{name}.toml"
        file.write_text(settings, encoding="utf-8")
        ours = {k: v for k, v in os.environ.items() if not k.startswith("GROUNDSWELL_")}
        ours |= {
            "GROUNDSWELL_WAREHOUSE__URL": self.postgres.url,
            "GROUNDSWELL_WAREHOUSE__KEY_FILE": str(self.folder / "groundswell.key"),
            "GROUNDSWELL_REPEATS__URL": self.redis.url,
        }
        if name != "web":
            arguments = (*arguments, "--health-port", "0")
        command = ["--config", str(file), *arguments]
        self.processes[name] = Process(name, command, self.folder, ours)

    def _for_operators(self, shared: str) -> None:
        """groundswell.toml beside the logs: what ``status``, ``query`` and the rest read there."""
        own = f'[warehouse]\nurl = "{self.postgres.url}"\nkey_file = "groundswell.key"\n'
        repeats = f'[repeats]\nurl = "{self.redis.url}"\n'
        text = f"{shared}\n{own}{repeats}"
        (self.folder / "groundswell.toml").write_text(text, encoding="utf-8")

    def _wait(self) -> None:
        """Until the page answers."""
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self.url):
            if not self.processes["web"].is_running or time.monotonic() > deadline:
                raise RuntimeError(f"the page did not come up\n{self.logs()}")
            time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def recorded(kind: str, file: str, name: str) -> str:
    """The settings of a recorded source; ``kind`` is source or incidents."""
    return f'[[{kind}]]\ntype = "recorded"\nname = "{name}"\npaths = ["{file}"]\n'


def halves(posts: Path) -> tuple[str, str]:
    """Splits a file of posts in two beside it, all versions of a post in one; their names."""
    parts: tuple[list[bytes], list[bytes]] = [], []
    place: dict[str, int] = {}
    for line in posts.read_bytes().splitlines(keepends=True):
        word = orjson.loads(line)
        known_by = word.get("removal") or f"{word['source']}:{word['external_id']}"
        parts[place.setdefault(known_by, len(place) % 2)].append(line)
    names = f"{posts.stem}-1.jsonl", f"{posts.stem}-2.jsonl"
    for name, lines in zip(names, parts, strict=True):
        posts.with_name(name).write_bytes(b"".join(lines))
    return names


def tracks_of_demo() -> str:
    """The demo's tracks as settings."""
    wanted = ("name", "terms", "handles", "hashtags", "own", "regions")
    tables = []
    for track in scenario()["track"]:
        # Text and lists of it look the same in JSON and TOML.
        keys = [f"{k} = {orjson.dumps(track[k]).decode()}" for k in wanted if k in track]
        for part in track.get("component", ()):
            keys.append("[[track.component]]")
            keys += [f"{key} = {orjson.dumps(value).decode()}" for key, value in part.items()]
        tables.append("\n".join(["[[track]]", *keys]))
    return "\n".join(tables)


def demo(folder: Path) -> Cluster:
    """A cluster that plays the demo's two hours, which end now, as fast as it can."""
    posts, incidents, _ = generator.write(folder, datetime.now(UTC) - generator.LENGTH)
    first, second = halves(posts)
    collectors = (
        recorded("source", first, "demo-1") + recorded("incidents", incidents.name, "demo-status"),
        recorded("source", second, "demo-2"),
    )
    return Cluster(folder, tracks_of_demo(), collectors, durable=True)


def main() -> None:
    """Runs the demo on a cluster until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with TemporaryDirectory(prefix="groundswell-cluster-") as scratch:
        try:
            with demo(Path(scratch)) as cluster:
                sys.stdout.write(f"{cluster.url}\n")
                sys.stdout.flush()
                sys.stderr.write(
                    f"logs: {scratch}; Kafka: {cluster.kafka.address}; PostgreSQL: "
                    f"127.0.0.1:{cluster.postgres.port}; Ctrl-C or kill {os.getpid()} ends all\n"
                )
                sys.stderr.write(f"how it runs: cd {scratch} && groundswell status\n")
                for name, url in cluster.addresses().items():
                    sys.stderr.write(f"{name}: {url}/metrics, {url}/readyz\n")
                signal.pause()
        except CannotStartError as reason:
            sys.exit(str(reason))
        except KeyboardInterrupt:
            sys.stderr.write("stopped\n")


if __name__ == "__main__":
    main()
