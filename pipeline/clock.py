"""Clocks: the machine's, one that is set by hand, and two that run faster."""

import threading
import time
from datetime import UTC, datetime, timedelta

from pipeline.values import in_utc


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Waits so long or until ``stop`` is set; True when it was set."""
        return stop.wait(max(0.0, seconds))


class ManualClock:
    """Stands still until it is set: for replays, which live in their records' time, and tests.

    A wait moves the time on by itself, so that whoever waits never blocks. Safe to share between
    threads.
    """

    def __init__(self, at: datetime) -> None:
        self._at = in_utc(at)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The time it was last set to."""
        with self._lock:
            return self._at

    def set(self, at: datetime) -> None:
        """Moves to ``at``. Never moves back: an earlier time leaves it where it is."""
        at = in_utc(at)
        with self._lock:
            self._at = max(self._at, at)

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Moves on by ``seconds`` at once; True, without moving, when ``stop`` is set."""
        if stop.is_set():
            return True
        with self._lock:
            self._at += timedelta(seconds=max(0.0, seconds))
        return False


class ScaledClock:
    """Runs ``speed`` times as fast as the machine's time, from ``start`` on.

    A demo shows hours in minutes with it. ``speed`` is above 0.
    """

    def __init__(self, start: datetime, speed: float) -> None:
        if not speed > 0:
            raise ValueError("a clock's speed must be above 0")
        self._start = in_utc(start)
        self._speed = speed
        self._origin = time.monotonic()  # unlike the wall time it is never put back

    def now(self) -> datetime:
        """The current time of this clock, aware, in UTC."""
        return self._start + timedelta(seconds=(time.monotonic() - self._origin) * self._speed)

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Waits ``seconds`` of this clock or until ``stop`` is set; True when it was set."""
        return stop.wait(max(0.0, seconds) / self._speed)


class CatchUpClock:
    """Runs ``speed`` times as fast as the machine's time until it has caught up with it.

    A demo begins in the past with it and ends now. Raises ValueError unless ``speed`` is above 1
    and ``start`` is past.
    """

    def __init__(self, start: datetime, speed: float) -> None:
        if not speed > 1 or in_utc(start) > datetime.now(UTC):
            raise ValueError("catching up takes a start in the past and a speed above 1")
        self._scaled = ScaledClock(start, speed)
        self._speed = speed

    def now(self) -> datetime:
        """The current time of this clock, aware, in UTC."""
        return min(self._scaled.now(), datetime.now(UTC))

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Waits ``seconds`` of this clock or until ``stop`` is set; True when it was set."""
        until = self.now() + timedelta(seconds=max(0.0, seconds))
        while (left := (until - self.now()).total_seconds()) > 0:
            # Short enough to notice that the fast part is over, long enough to cost nothing.
            if stop.wait(min(left / self._speed + 0.001, 0.5)):
                return True
        return stop.is_set()
