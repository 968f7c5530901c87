"""What the servers of tests share: a process with its log and its data in a temporary folder."""

import os
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import ClassVar


class CannotStartError(Exception):
    """This machine lacks what a server needs; the message says what to install."""


class Server(ABC):
    """One server on loopback. Its ports outlive ``kill`` and ``start``; ``stop`` removes the data.

    ``name`` is for people, ``folder`` holds log and data. ``start_seconds`` and ``stop_seconds``
    are what it may take on a busy machine to serve, and to end when told.
    """

    name: ClassVar[str]
    start_seconds: ClassVar[float] = 60.0
    stop_seconds: ClassVar[float] = 20.0
    #: The signal by which it is told to end.
    farewell: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self) -> None:
        self.folder = Path(mkdtemp(prefix=f"groundswell-{self.name.lower()}-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def told(self) -> str:
        """The address that people are told."""

    @abstractmethod
    def command(self) -> list[str]:
        """What is run."""

    @abstractmethod
    def serves(self) -> bool:
        """Whether it answers."""

    def environment(self) -> Mapping[str, str] | None:
        """The environment it runs in, None for our own."""
        return None

    def start(self) -> None:
        """Starts it and returns once it serves. Raises RuntimeError with its log's end."""
        log = self.folder / "log.txt"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        deadline = time.monotonic() + self.start_seconds
        while not self.serves():
            if self._process.poll() is not None or time.monotonic() > deadline:
                told = log.read_text(errors="replace")[-3_000:]
                self.stop()
                raise RuntimeError(f"{self.name} did not start:\n{told}")
            time.sleep(0.05)

    @property
    def pid(self) -> int | None:
        """The process's id while it was started and not ended."""
        return None if self._process is None else self._process.pid

    def kill(self) -> None:
        """Kill -9: no farewell."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ends it by its own process id and removes its data."""
        if self._process is not None:
            self._process.send_signal(self.farewell)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(self.stop_seconds)
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def run_until_told(make: Callable[[], Server]) -> None:
    """Runs a server until Ctrl-C or SIGTERM; its address goes to standard output."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server = make()
    except CannotStartError as reason:
        sys.exit(str(reason))
    try:
        server.start()
        sys.stdout.write(f"{server.told}\n")
        sys.stdout.flush()
        sys.stderr.write(f"{server.name} serves; Ctrl-C or kill {os.getpid()} ends it\n")
        signal.pause()
    except KeyboardInterrupt:
        sys.stderr.write("stopping\n")
    finally:
        server.stop()
