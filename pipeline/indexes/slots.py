"""A hash table from 64-bit keys to numbers, for whole batches of keys at once.

Open addressing with linear probing in one numpy array: 8 bytes an entry (32 bits of the key, the
number + 1), a table between 56 % and 75 % full. A Python dict of the same would take ten times
the memory and one call a key.
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Keys: TypeAlias = NDArray[np.uint64]
Numbers: TypeAlias = NDArray[np.int64]

_FULLEST: Final = 0.75
_GROWTH: Final = 4 / 3
_SMALLEST: Final = 4_096
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_ONE: Final = np.uint64(1)
# Entries moved at once when the table grows, so that moving needs little memory of its own.
_MOVED_AT_ONCE: Final = 1 << 18


class Found(NamedTuple):
    """For each key its number, -1 if there is none, and the place in the table where it stands."""

    numbers: Numbers
    places: Numbers


class SlotTable:
    """Keys to numbers below 2^32 - 1.

    Two keys are one when their upper 32 bits are equal, unless ``find`` is given the full keys.
    """

    def __init__(self) -> None:
        self._entries = np.zeros(_SMALLEST, np.uint64)
        self._used = 0

    @property
    def bytes(self) -> int:
        """Memory that the table takes."""
        return self._entries.nbytes

    def find(self, keys: Keys, full: Keys | None = None) -> Found:
        """The number of each key. With ``full``, ``full[number]`` must equal the key."""
        numbers = np.full(keys.size, -1, np.int64)
        places = np.full(keys.size, -1, np.int64)
        tags = keys >> _HALF
        at = self._home(tags)
        left = np.arange(keys.size)
        while left.size:
            entries = self._entries[at[left]]
            taken = entries != 0
            same = taken & ((entries >> _HALF) == tags[left])
            number = (entries & _LOW).astype(np.int64) - 1
            if full is not None:
                same[same] = full[number[same]] == keys[left[same]]
            hit = left[same]
            numbers[hit] = number[same]
            places[hit] = at[hit]
            left = left[taken & ~same]
            self._step(at, left)
        return Found(numbers, places)

    def put(self, keys: Keys, numbers: Numbers) -> None:
        """Adds keys that are not in the table, each once."""
        self._make_room(keys.size)
        self._place((keys & ~_LOW) | (numbers + 1).astype(np.uint64))
        self._used += keys.size

    def replace(self, places: Numbers, numbers: Numbers) -> None:
        """Gives the keys at these places (from ``find``, with no ``put`` since) new numbers."""
        old = self._entries[places]
        self._entries[places] = (old & ~_LOW) | (numbers + 1).astype(np.uint64)

    def renumber(self, new: Numbers) -> None:
        """Every number becomes ``new[number]``; keys for which that is -1 go."""
        entries = self._entries[self._entries != 0]
        numbers = new[(entries & _LOW).astype(np.int64) - 1]
        kept = numbers >= 0
        entries = (entries[kept] & ~_LOW) | (numbers[kept] + 1).astype(np.uint64)
        self._rebuild(entries, self._size_for(entries.size))

    def _home(self, tags: Keys) -> Numbers:
        # The tag scaled to the size of the table: any size will do, not only powers of two.
        return ((tags * np.uint64(self._entries.size)) >> _HALF).astype(np.int64)

    def _step(self, at: Numbers, which: Numbers) -> None:
        after = at[which] + 1
        after[after == self._entries.size] = 0
        at[which] = after

    def _place(self, entries: Keys) -> None:
        at = self._home(entries >> _HALF)
        left = np.arange(entries.size)
        while left.size:
            free = left[self._entries[at[left]] == 0]
            # Of several that want one free place, the last to be written gets it.
            self._entries[at[free]] = entries[free]
            left = left[self._entries[at[left]] != entries[left]]
            self._step(at, left)

    def _make_room(self, more: int) -> None:
        if self._used + more > self._entries.size * _FULLEST:
            size = max(int(self._entries.size * _GROWTH), self._size_for(self._used + more))
            self._rebuild(self._entries, size)

    @staticmethod
    def _size_for(used: int) -> int:
        return max(_SMALLEST, int(used / _FULLEST * _GROWTH))

    def _rebuild(self, old: Keys, size: int) -> None:
        self._entries = np.zeros(size, np.uint64)
        self._used = 0
        for first in range(0, old.size, _MOVED_AT_ONCE):
            part = old[first : first + _MOVED_AT_ONCE]
            part = part[part != 0]
            self._place(part)
            self._used += part.size
