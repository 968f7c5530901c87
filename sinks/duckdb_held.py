"""Which keys a table surely does not hold, so that a write needs to look up the others only.

A Bloom filter (Bloom 1970) over DuckDB's own hashes of the keys, with two hashes made of one
(Kirsch and Mitzenmacher 2006). It stands in memory, is read from the table when it is first needed
and when it has become too small, and may say of a key that is not there that it may be: of one in
50 at most. What a transaction that failed had put in does no harm.
"""

from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

_Hashes = npt.NDArray[np.uint64]
#: Bits looked at for a key, and bits for each key at least: (1 - e^(-3/10))^3 = 1.7 % of those that
#: are not there are taken for held.
_LOOKS: Final = 3
_BITS_EACH: Final = 10
#: What a byte is without all but one of its bits.
_ONE: Final = np.left_shift(1, np.arange(8)).astype(np.uint8)
#: Bits at first: 128 kB.
_FIRST: Final = 1 << 20


class Held:
    """The keys of one table, whose key columns are ``columns``. For one writer at a time."""

    def __init__(self, table: str, *columns: str) -> None:
        self._table = table
        self._hash = f"hash({', '.join(columns)})"
        self._bits = np.zeros(0, dtype=np.uint8)
        self._size = _FIRST
        self._count = 0

    def among(self, cursor: duckdb.DuckDBPyConnection, batch: pa.Table) -> npt.NDArray[np.bool_]:
        """For each row of a batch whether the table may hold its key; all are held from then on."""
        cursor.register("batch", batch)
        hashes = self._hashes(cursor, "batch")
        cursor.unregister("batch")
        if not self._bits.size or (self._count + len(hashes)) * _BITS_EACH > self._size:
            self._read(cursor, len(hashes))
        found = self._found(hashes)
        self._put(hashes[~found])
        return found

    def _hashes(self, cursor: duckdb.DuckDBPyConnection, relation: str) -> _Hashes:
        found: Any = cursor.execute(f"SELECT {self._hash} AS h FROM {relation}").fetchnumpy()["h"]
        return np.asarray(found, dtype=np.uint64)

    def _read(self, cursor: duckdb.DuckDBPyConnection, more: int) -> None:
        """Reads the table's keys into a filter with room for a quarter as many again at least."""
        hashes = self._hashes(cursor, self._table)
        while self._size < (len(hashes) + more) * _BITS_EACH * 5 // 4:
            self._size *= 2
        self._bits = np.zeros(self._size // 8, dtype=np.uint8)
        self._count = 0
        self._put(hashes)

    def _put(self, hashes: _Hashes) -> None:
        for look in self._looks(hashes):
            np.bitwise_or.at(self._bits, look >> 3, _ONE[look & 7])
        self._count += len(hashes)

    def _found(self, hashes: _Hashes) -> npt.NDArray[np.bool_]:
        found = np.ones(len(hashes), dtype=np.bool_)
        for look in self._looks(hashes):
            found &= (self._bits[look >> 3] & _ONE[look & 7]) != 0
        return found

    def _looks(self, hashes: _Hashes) -> list[npt.NDArray[np.int64]]:
        first, step = hashes, (hashes >> np.uint64(32)) | np.uint64(1)
        within = np.uint64(self._size - 1)
        return [((first + np.uint64(n) * step) & within).astype(np.int64) for n in range(_LOOKS)]
