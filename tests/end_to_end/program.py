"""Runs the real program in a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAM = [sys.executable, "-m", "config.cli"]
#: What root may do whatever the rights of a file say.
_POWERS = "-dac_override,-dac_read_search"


def environment() -> dict[str, str]:
    """The machine's environment without settings of ours."""
    return {k: v for k, v in os.environ.items() if not k.startswith("GROUNDSWELL_")}


def run(
    *arguments: str | Path,
    cwd: Path,
    code: int = 0,
    given: bytes = b"",
    seconds: float = 240,
    powerless: bool = False,
    zone: str | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Runs one command to its end and holds it to its exit code.

    ``powerless``: it obeys the rights of files even where the tests run as root. ``zone``: TZ.
    """
    done = subprocess.run(
        [*(_powerless() if powerless else []), *PROGRAM, *map(str, arguments)],
        cwd=cwd,
        input=given,
        capture_output=True,
        timeout=seconds,
        env=environment() | ({} if zone is None else {"TZ": zone}),
        check=False,
    )
    assert done.returncode == code, done.stderr.decode()[-3000:]
    assert b"Traceback" not in done.stderr, done.stderr.decode()[-3000:]
    return done


def _powerless() -> list[str]:
    """Begins the command line of a program that root does not let pass everywhere."""
    if os.geteuid():
        return []
    if (setpriv := shutil.which("setpriv")) is None:
        pytest.skip("as root without setpriv: what the rights of files forbid is NOT tested here")
    return [setpriv, f"--bounding-set={_POWERS}", f"--inh-caps={_POWERS}"]


def query(sql: str, warehouse: Path, cwd: Path | None = None) -> list[dict[str, Any]]:
    """The rows that `groundswell query` prints."""
    where = cwd or warehouse.parent
    done = run("query", sql, "--warehouse", warehouse, "--format", "json", cwd=where)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def lines(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    """Writes records as JSON lines, lone surrogates and all."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def post(number: int | str, text: str, at: str = "2026-03-02T09:00:00Z", **more: Any) -> Any:
    """A post of an invented account."""
    record = {"source": "x", "external_id": str(number), "text": text, "said_at": at}
    return record | {"author": {"id": f"a{number}", "handle": f"user{number}"}} | more


@contextmanager
def up(*arguments: str | Path, cwd: Path, zone: str | None = None) -> Iterator["Running"]:
    """Everything running in a process of its own, on a free port; stopped at the end."""
    with (cwd / "up.log").open("ab") as log:
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment() | ({} if zone is None else {"TZ": zone}),
        )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        assert url.startswith("http://127.0.0.1:"), (cwd / "up.log").read_text()[-3000:]
        yield Running(process, url, cwd / "up.log")
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        assert process.stdout is not None
        process.stdout.close()


class Running:
    """A running process of ours."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    def get(self, path: str) -> Any:
        """JSON from its API."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def until(self, what: str, path: str, seen: Any, seconds: float = 60) -> Any:
        """Asks ``path`` until ``seen`` says yes to the answer; fails after a generous time."""
        last: Any = None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                last = self.get(path)
                if seen(last):
                    return last
            except OSError as error:
                last = error
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            time.sleep(0.1)
        raise AssertionError(f"{what} did not come about; the last answer was {str(last)[:500]}")

    def kill(self) -> None:
        """Kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
