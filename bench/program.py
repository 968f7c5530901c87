"""Runs the real program in a process of its own and measures it from outside."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAM = [sys.executable, "-m", "config.cli"]
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    seconds: float
    peak_mb: float
    out: str
    talk: str


def environment() -> dict[str, str]:
    """The machine's environment without settings of ours."""
    return {k: v for k, v in os.environ.items() if not k.startswith("GROUNDSWELL_")}


def run(*arguments: str | Path, cwd: Path, given: Path | None = None) -> Done:
    """Runs one command to its end. Raises RuntimeError with its talk when it fails."""
    out, talk = cwd / "bench.out", cwd / "bench.talk"
    source = given or Path(os.devnull)
    start = time.perf_counter()
    with source.open("rb") as lines, out.open("wb") as said, talk.open("wb") as told:
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            cwd=cwd,
            stdin=lines,
            stdout=said,
            stderr=told,
            env=environment(),
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        raise RuntimeError(talk.read_text(errors="replace")[-2_000:])
    # Linux counts in KiB, macOS in bytes.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    with out.open("rb") as said:
        said.seek(max(0, out.stat().st_size - 2_000))
        end = said.read().decode(errors="replace")
    return Done(seconds, used.ru_maxrss / unit, end, talk.read_text(errors="replace"))


@contextmanager
def up(*arguments: str | Path, cwd: Path) -> Iterator["Running"]:
    """``groundswell up`` on a free port, ended at the end."""
    start = time.perf_counter()
    with (cwd / "up.log").open("ab") as log:
        process = subprocess.Popen(
            [*PROGRAM, "up", "--port", "0", *map(str, arguments)],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(),
        )
    try:
        yield Running(process, start)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout is not None:
            process.stdout.close()


class Running:
    """A running process of ours, started at ``start`` (``time.perf_counter``)."""

    def __init__(self, process: "subprocess.Popen[bytes]", start: float) -> None:
        self.process = process
        self.start = start
        self._url = ""

    @property
    def url(self) -> str:
        """The page's address; waits until the process has printed it."""
        if not self._url and self.process.stdout is not None:
            self._url = self.process.stdout.readline().decode().strip()
        return self._url

    def get(self, path: str) -> bytes | None:
        """What the page answers, None while it does not."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                data: bytes = answer.read()
                return data
        except (OSError, ValueError, urllib.error.URLError):
            return None

    def cpu_seconds(self) -> float:
        """CPU that the process has used so far, all threads together (Linux)."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        fields = re.sub(r"^.*\) ", "", stat).split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()


def columns(widths: Sequence[int], *cells: object) -> str:
    """One line of a table, numbers to the right."""
    return "".join(f"{cell!s:>{width}}" for width, cell in zip(widths, cells, strict=True))
