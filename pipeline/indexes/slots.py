"""A hash table from 64-bit keys to numbers, for whole batches of keys at once.

One numpy array in buckets of eight entries; what a bucket can't hold goes to the next. An entry
takes 8 bytes (32 bits of the key, the number + 1), the table is between 70 % and 80 % full. Whole
buckets are compared at once, so that a batch needs few rounds. A Python dict of the same would
take ten times the memory and one call a key.

Buckets stand in the order of keys, whatever their number: so the table grows where it is, from its
end to its beginning, a stretch at a time.
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.indexes.pages import Pages

Keys: TypeAlias = NDArray[np.uint64]
Numbers: TypeAlias = NDArray[np.int64]

_BUCKET: Final = 8
_FULLEST: Final = 0.8
# Each step moves every entry once, and what is reserved but free counts as memory too.
_GROWTH: Final = 1.14
_SMALLEST: Final = 512  # buckets
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
# Buckets moved at once when the table grows: what is worked on stays in the processor's cache.
_MOVED_AT_ONCE: Final = 1 << 12


class Found(NamedTuple):
    """For each key its number, -1 if there is none, and the place in the table where it stands."""

    numbers: Numbers
    places: Numbers


class SlotTable:
    """Keys to numbers below 2^32 - 1. Keys are hashes: every bit of them must be mixed.

    Two keys are one when their upper 32 bits are equal, unless ``find`` is given the full keys.
    """

    def __init__(self) -> None:
        self._pages = Pages(np.uint64, _SMALLEST * _BUCKET)
        self._held: NDArray[np.uint8] = np.zeros(_SMALLEST, np.uint8)  # entries of each bucket
        self._used = 0

    def find(self, keys: Keys, full: Keys | None = None) -> Found:
        """The number of each key. With ``full``, ``full[number]`` must equal the key."""
        numbers = np.full(keys.size, -1, np.int64)
        places = np.full(keys.size, -1, np.int64)
        buckets = self._pages.array.reshape(-1, _BUCKET)
        at, left = self._home(keys), np.arange(keys.size)
        while left.size:
            asked = keys[left]
            # Of an entry with the same upper half the lower one is left. (``take`` and working in
            # place take an eighth of the time of shifting and comparing what ``[at]`` gives.)
            entries = buckets.take(at, axis=0)
            entries ^= asked[:, None]
            same = np.flatnonzero(entries <= _LOW)
            row = same // _BUCKET
            # A free place looks like a key whose upper half is 0, but its number is -1.
            number = ((entries.reshape(-1)[same] ^ asked[row]) & _LOW).astype(np.int64) - 1
            if full is not None:
                number[full[number] != asked[row]] = -1
            hit = number >= 0
            row, number = row[hit], number[hit]
            numbers[left[row]] = number
            places[left[row]] = at[row] * _BUCKET + same[hit] % _BUCKET
            on = self._held.take(at) == _BUCKET
            on[row] = False
            left, at = left[on], self._next(at[on])
        return Found(numbers, places)

    def put(self, keys: Keys, numbers: Numbers) -> None:
        """Adds keys that are not in the table, each once, in ascending order."""
        self._make_room(keys.size)
        self._place((keys & ~_LOW) | (numbers + 1).astype(np.uint64))

    def replace(self, places: Numbers, numbers: Numbers) -> None:
        """Gives the keys at these places (from ``find``, with no ``put`` since) new numbers."""
        entries = self._pages.array
        entries[places] = (entries[places] & ~_LOW) | (numbers + 1).astype(np.uint64)

    def renumber(self, new: Numbers) -> None:
        """Every number becomes ``new[number]``; keys for which that is -1 go."""
        entries = self._pages.array[self._pages.array != 0]
        numbers = new[(entries & _LOW).astype(np.int64) - 1]
        kept = numbers >= 0
        entries = np.sort((entries[kept] & ~_LOW) | (numbers[kept] + 1).astype(np.uint64))
        size = max(_SMALLEST, int(entries.size / _FULLEST * _GROWTH / _BUCKET))
        self._pages = Pages(np.uint64, size * _BUCKET)
        self._held = np.zeros(size, np.uint8)
        self._used = 0
        for first in range(0, entries.size, _MOVED_AT_ONCE * _BUCKET):
            self._place(entries[first : first + _MOVED_AT_ONCE * _BUCKET])

    def _home(self, keys: Keys) -> Numbers:
        # The upper half scaled to the size of the table: any size will do, not only powers of two.
        return (((keys >> _HALF) * np.uint64(self._held.size)) >> _HALF).astype(np.int64)

    def _next(self, at: Numbers) -> Numbers:
        after = at + 1
        after[after == self._held.size] = 0
        return after

    def _place(self, entries: Keys) -> None:
        """Writes ascending entries into the first free places of their buckets, left to right."""
        self._used += entries.size
        at = self._home(entries)
        while entries.size:
            first = np.flatnonzero(np.concatenate(([True], at[1:] != at[:-1])))
            size = np.diff(np.append(first, at.size))
            column = np.arange(at.size) - np.repeat(first, size) + self._held.take(at)
            fits = column < _BUCKET
            self._pages.array[at[fits] * _BUCKET + column[fits]] = entries[fits]
            self._held[at[first]] = np.minimum(self._held[at[first]] + size, _BUCKET)
            entries, at = entries[~fits], self._next(at[~fits])

    # ---- growing ---------------------------------------------------------------------------------

    def _make_room(self, more: int) -> None:
        fullest = self._held.size * _BUCKET * _FULLEST
        if self._used + more > fullest:
            needed = (self._used + more) / fullest * self._held.size
            self._grow(int(max(needed, self._held.size) * _GROWTH))

    def _grow(self, size: int) -> None:
        """Spreads the entries over ``size`` buckets, the last ones first: none moves to the left.

        A stretch ends behind a bucket that is not full, so that none of its entries stands outside
        it, but for those that went from the end of the table to its beginning.
        """
        old = self._held
        self._pages.resize(size * _BUCKET)
        self._held = np.zeros(size, np.uint8)
        left: list[Keys] = []
        last, limit = old.size, size * _BUCKET
        while last:
            first = max(0, last - _MOVED_AT_ONCE)
            while first and old[first - 1] == _BUCKET:
                first -= 1
            limit = self._spread(first, last, old.size, limit, left)
            last = first
        entries = np.sort(np.concatenate([np.empty(0, np.uint64), *left]))
        self._used -= entries.size
        self._place(entries)

    def _spread(self, first: int, last: int, before: int, limit: int, left: list[Keys]) -> int:
        """Moves the entries of old buckets to where they belong, if that is before ``limit``.

        Gives the first place taken; what found no place is added to ``left``.
        """
        stretch = self._pages.array[first * _BUCKET : last * _BUCKET]
        entries = stretch[stretch != 0]
        stretch[:] = 0
        entries.sort()
        came_round = (((entries >> _HALF) * np.uint64(before)) >> _HALF) >= np.uint64(last)
        left.append(entries[came_round])
        entries = entries[~came_round]
        order = np.arange(entries.size)
        # Each in its own bucket or right behind the one before it.
        places = np.maximum.accumulate(self._home(entries) * _BUCKET - order) + order
        left.append(entries[places >= limit])
        entries, places = entries[places < limit], places[places < limit]
        if not places.size:
            return limit
        self._pages.array[places] = entries
        bucket = places // _BUCKET
        low = int(bucket[0])
        held = np.bincount(bucket - low).astype(np.uint8)
        self._held[low : low + held.size] += held
        return low * _BUCKET
