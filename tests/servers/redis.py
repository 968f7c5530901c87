"""Redis or Valkey for tests, benches and people: one server on loopback that keeps nothing on disk.

``python -m tests.servers.redis`` prints its address and runs it until Ctrl-C.
Wants ``apt-get install redis-server`` (or ``valkey-server``).
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import redis

from tests.servers.kafka import CannotStartError
from tests.servers.processes import dies_with_us, free_port

START_SECONDS, STOP_SECONDS = 30.0, 10.0
PASSWORD = "tide-4711"


class RedisServer:
    """One server with a password. The port outlives ``kill`` and ``start``, the data do not."""

    def __init__(self) -> None:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            raise CannotStartError("Redis is missing: apt-get install redis-server")
        self._program = found
        self._folder = Path(mkdtemp(prefix="groundswell-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts the server and returns once it serves."""
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--requirepass", PASSWORD]
        nothing_kept = ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [*dies_with_us(), self._program, *options, *nothing_kept],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._serves():
            if self._process.poll() is not None or time.monotonic() > deadline:
                told = (self._folder / "log.txt").read_text(errors="replace")[-3_000:]
                self.stop()
                raise RuntimeError(f"Redis did not start:\n{told}")
            time.sleep(0.02)

    @property
    def pid(self) -> int | None:
        """The process's id while it was started and not ended."""
        return None if self._process is None else self._process.pid

    def kill(self) -> None:
        """Kill -9: everything in it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ends the server by its own process id."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _serves(self) -> bool:
        client = redis.Redis.from_url(self.url)
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
        finally:
            client.close()


def main() -> None:
    """Runs a server until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server = RedisServer()
    except CannotStartError as reason:
        sys.exit(str(reason))
    try:
        server.start()
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        sys.stderr.write(f"Redis serves; Ctrl-C or kill {os.getpid()} ends it\n")
        signal.pause()
    except KeyboardInterrupt:
        sys.stderr.write("stopping\n")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
