"""What the batches of a role came to, as one line of numbers every few seconds."""

import logging
import time
from collections.abc import Mapping
from typing import Final

#: Seconds between two lines: a live source brings many batches of one post each.
EVERY: Final = 10.0


class Tally:
    """Adds batches up and tells of them at most every ``every`` seconds; the first at once."""

    def __init__(self, log: logging.Logger, name: str, every: float = EVERY) -> None:
        self._log = log
        self._name = name
        self._every = every
        self._told_at: float | None = None
        self._start_anew()

    def add(self, counts: Mapping[str, int], began: float) -> None:
        """One batch: how many of what, and when its work began by ``time.perf_counter``."""
        now = time.perf_counter()
        for what, count in counts.items():
            self._counts[what] = self._counts.get(what, 0) + count
        self._batches += 1
        self._seconds += now - began
        if self._told_at is None or now - self._told_at >= self._every:
            self.tell()

    def tell(self) -> None:
        """Tells what was not told yet, if there is any."""
        if self._batches:
            told = ", ".join(f"{count} {what}" for what, count in self._counts.items())
            several = f" in {self._batches} batches" if self._batches > 1 else ""
            took = self._seconds * 1000
            self._log.info("%s: %s, %.0f ms%s", self._name, told or "nothing new", took, several)
            self._told_at = time.perf_counter()
            self._start_anew()

    def _start_anew(self) -> None:
        self._counts: dict[str, int] = {}
        self._batches = 0
        self._seconds = 0.0
