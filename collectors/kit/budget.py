"""How often a platform may be asked: calls (or connects) within a sliding window.

A call is counted before it is made, and the count is part of the source's cursor: an item without
a value makes it durable before the source goes on. So neither a crash nor a server that answers
nonsense makes us ask more often than we may.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from collectors.kit.times import to_us

#: Calls are remembered by the thirtieth of a window in which they were made, and count until the
#: whole thirtieth has left the window: a cursor stays small, and we only ever err on the safe side.
PARTS = 30


@dataclass(frozen=True, slots=True)
class Window:
    """So many calls within any span of so long."""

    calls: int
    span: timedelta

    @property
    def part(self) -> int:
        """The length of one part in microseconds."""
        return max(1, self.span // timedelta(microseconds=1) // PARTS)


class Budget:
    """The calls of one source against all its windows. Raises ValueError for no window."""

    def __init__(self, *windows: Window) -> None:
        if not windows or any(window.calls < 1 for window in windows):
            raise ValueError("a budget has a window, and a window lets at least one call through")
        self._windows = windows
        self._spent: list[dict[int, int]] = [{} for _ in windows]  # calls by the end of their part

    @property
    def spent(self) -> list[list[list[int]]]:
        """What is remembered, for the cursor: per window [end of a part in µs, calls]."""
        return [[[end, calls] for end, calls in sorted(parts.items())] for parts in self._spent]

    def recall(self, spent: Sequence[Sequence[Sequence[int]]]) -> None:
        """Takes over what a cursor remembers, unless more is known here already.

        What does not fit (the windows have changed) is left out. Raises ValueError or TypeError
        for what is no such memory.
        """
        for mine, told in zip(self._spent, spent, strict=False):
            for end, calls in told:
                mine[int(end)] = max(mine.get(int(end), 0), int(calls))

    def wait(self, now: datetime) -> float:
        """Seconds until the next call is allowed; 0: now."""
        at = to_us(now)
        return max(self._wait(number, at) for number in range(len(self._windows))) / 1e6

    def take(self, now: datetime) -> None:
        """Counts one call. Raises ValueError when it is not allowed: ask ``wait`` before."""
        if self.wait(now) > 0:
            raise ValueError("the budget has no call left")
        at = to_us(now)
        for window, parts in zip(self._windows, self._spent, strict=True):
            end = (at // window.part + 1) * window.part
            parts[end] = parts.get(end, 0) + 1

    def _wait(self, number: int, at: int) -> int:
        window, parts = self._windows[number], self._spent[number]
        span = window.span // timedelta(microseconds=1)
        self._spent[number] = parts = _current(parts, at, span, window.part)
        over = sum(parts.values()) - window.calls + 1
        for end, calls in sorted(parts.items()):
            if over <= 0:
                break
            over -= calls
            if over <= 0:
                return end + span - at
        return 0


def _current(parts: dict[int, int], at: int, span: int, part: int) -> dict[int, int]:
    """Those that still count. What a wrong clock dated ahead counts from now on."""
    newest = (at // part + 1) * part
    found: dict[int, int] = {}
    for end, calls in parts.items():
        if end + span > at:
            found[min(end, newest)] = found.get(min(end, newest), 0) + calls
    return found
