"""A hash table from 64-bit keys to numbers, for whole batches of keys at once.

One numpy array in buckets of eight entries; what a bucket can't hold goes to the next. An entry
takes 8 bytes (32 bits of the key, the number + 1), the table is between 75 % and 85 % full. Whole
buckets are compared at once, so that a batch needs few rounds. A Python dict of the same would
take ten times the memory and one call a key.
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.indexes.pages import zeros

Keys: TypeAlias = NDArray[np.uint64]
Numbers: TypeAlias = NDArray[np.int64]

_BUCKET: Final = 8
_FULLEST: Final = 0.85
_GROWTH: Final = 1.12
_SMALLEST: Final = 512  # buckets
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
# Entries moved at once when the table grows, so that moving needs little memory of its own.
_MOVED_AT_ONCE: Final = 1 << 16


class Found(NamedTuple):
    """For each key its number, -1 if there is none, and the place in the table where it stands."""

    numbers: Numbers
    places: Numbers


class SlotTable:
    """Keys to numbers below 2^32 - 1. Keys are hashes: every bit of them must be mixed.

    Two keys are one when their upper 32 bits are equal, unless ``find`` is given the full keys.
    """

    def __init__(self) -> None:
        self._buckets = zeros(_SMALLEST * _BUCKET, np.uint64).reshape(-1, _BUCKET)
        self._used = 0

    @property
    def bytes(self) -> int:
        """Memory that the table takes."""
        return self._buckets.nbytes

    def find(self, keys: Keys, full: Keys | None = None) -> Found:
        """The number of each key. With ``full``, ``full[number]`` must equal the key."""
        numbers = np.full(keys.size, -1, np.int64)
        places = np.full(keys.size, -1, np.int64)
        at = self._home(keys)
        left = np.arange(keys.size)
        while left.size:
            entries = self._buckets[at]
            row, column = np.nonzero((entries >> _HALF) == (keys[left] >> _HALF)[:, None])
            # A free place looks like a key whose upper half is 0, but its number is -1.
            number = (entries[row, column] & _LOW).astype(np.int64) - 1
            if full is not None:
                number[full[number] != keys[left[row]]] = -1
            hit = number >= 0
            row, number = row[hit], number[hit]
            numbers[left[row]] = number
            places[left[row]] = at[row] * _BUCKET + column[hit]
            on = entries[:, -1] != 0
            on[row] = False
            left, at = left[on], self._next(at[on])
        return Found(numbers, places)

    def put(self, keys: Keys, numbers: Numbers) -> None:
        """Adds keys that are not in the table, each once."""
        self._make_room(keys.size)
        self._place((keys & ~_LOW) | (numbers + 1).astype(np.uint64))

    def replace(self, places: Numbers, numbers: Numbers) -> None:
        """Gives the keys at these places (from ``find``, with no ``put`` since) new numbers."""
        entries = self._buckets.reshape(-1)
        entries[places] = (entries[places] & ~_LOW) | (numbers + 1).astype(np.uint64)

    def renumber(self, new: Numbers) -> None:
        """Every number becomes ``new[number]``; keys for which that is -1 go."""
        entries = self._buckets[self._buckets != 0]
        numbers = new[(entries & _LOW).astype(np.int64) - 1]
        kept = numbers >= 0
        entries = (entries[kept] & ~_LOW) | (numbers[kept] + 1).astype(np.uint64)
        self._rebuild(entries, _buckets_for(entries.size))

    def _home(self, keys: Keys) -> Numbers:
        # The upper half scaled to the size of the table: any size will do, not only powers of two.
        return (((keys >> _HALF) * np.uint64(len(self._buckets))) >> _HALF).astype(np.int64)

    def _next(self, at: Numbers) -> Numbers:
        after = at + 1
        after[after == len(self._buckets)] = 0
        return after

    def _held(self, at: Numbers) -> Numbers:
        """How many entries these buckets hold, by halving: they fill from the left."""
        entries = self._buckets.reshape(-1)
        first = at * _BUCKET
        held = np.where(entries[first + 3] != 0, 4, 0)
        held += np.where(entries[first + held + 1] != 0, 2, 0)
        held += entries[first + held] != 0
        held += (held == _BUCKET - 1) & (entries[first + _BUCKET - 1] != 0)
        return held

    def _place(self, entries: Keys) -> None:
        """Writes entries into the first free places of their buckets, which fill from the left."""
        self._used += entries.size
        at = self._home(entries)
        while entries.size:
            held = self._held(at)
            full = held == _BUCKET
            open_at, column = at[~full], held[~full]
            # Of several that want one free place, the last to be written gets it.
            self._buckets[open_at, column] = entries[~full]
            lost = full.copy()
            lost[~full] = self._buckets[open_at, column] != entries[~full]
            at = np.where(full, self._next(at), at)[lost]
            entries = entries[lost]

    def _make_room(self, more: int) -> None:
        if self._used + more > self._buckets.size * _FULLEST:
            size = max(int(len(self._buckets) * _GROWTH), _buckets_for(self._used + more))
            self._rebuild(self._buckets.reshape(-1), size)

    def _rebuild(self, old: Keys, size: int) -> None:
        self._buckets = zeros(size * _BUCKET, np.uint64).reshape(-1, _BUCKET)
        self._used = 0
        for first in range(0, old.size, _MOVED_AT_ONCE):
            part = old[first : first + _MOVED_AT_ONCE]
            self._place(part[part != 0])


def _buckets_for(used: int) -> int:
    return max(_SMALLEST, int(used / _FULLEST * _GROWTH / _BUCKET))
