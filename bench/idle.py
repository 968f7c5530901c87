"""How soon ``groundswell up`` answers, and what it costs while nothing happens.

    python -m bench.idle [--seconds 30]

Starts it in an empty folder without any source.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.program import Running, up

#: Longest wait for anything, in seconds.
PATIENCE = 60.0


def until(running: Running, seen: Callable[[], bool]) -> float:
    """Seconds from the start of the process until ``seen``. Raises TimeoutError."""
    while not seen():
        if time.perf_counter() - running.start > PATIENCE:
            raise TimeoutError("groundswell up did not get ready")
        time.sleep(0.02)
    return time.perf_counter() - running.start


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="how long to watch it idle")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as folder:
        (Path(folder) / "groundswell.toml").write_text("", encoding="utf-8")
        with up(cwd=Path(folder)) as running:
            alive = until(running, lambda: running.get("/livez") is not None)
            print(f"answers after   {alive:.2f} s")
            ready = until(running, lambda: b'"running"' in (running.get("/api/status") or b""))
            print(f"loaded after    {ready:.2f} s")
            time.sleep(3)  # what loading left to do in threads is not idling
            before, start = running.cpu_seconds(), time.perf_counter()
            time.sleep(options.seconds)
            used = running.cpu_seconds() - before
            print(f"idle            {used / (time.perf_counter() - start):.2%} of a core")
    return 0


if __name__ == "__main__":
    sys.exit(main())
