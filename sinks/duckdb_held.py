"""Which keys a table surely does not hold, so that a write needs to look up the others only.

A Bloom filter (Bloom 1970) over DuckDB's own hashes of the keys, with two hashes made of one
(Kirsch and Mitzenmacher 2006). It stands in memory, is read from the table when it is first needed
and when it has become too small, and may say of a key that is not there that it may be: of one in
50 at most. What a transaction that failed had put in does no harm.
"""

from collections.abc import Iterator
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
#: Keys that are read together.
_AT_ONCE: Final = 100_000


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
        if not self._bits.size or (self._count + batch.num_rows) * _BITS_EACH > self._size:
            self._read(cursor, batch.num_rows)
        hashes = self._hashes_of(cursor, batch)
        found = np.ones(len(hashes), dtype=np.bool_)
        for look in _looks(hashes, self._size):
            found &= (self._bits[look >> 3] & _ONE[look & 7]) != 0
        _put(self._bits, hashes[~found])
        self._count += len(hashes)
        return found

    def _hashes_of(self, cursor: duckdb.DuckDBPyConnection, batch: pa.Table) -> _Hashes:
        """The hash of each row, in their order, which threads do not keep by themselves."""
        numbered = batch.append_column("row_number", pa.array(np.arange(batch.num_rows)))
        cursor.register("batch", numbered)
        found: Any = cursor.execute(f"SELECT row_number AS n, {self._hash} AS h FROM batch")
        columns = found.fetchnumpy()
        cursor.unregister("batch")
        hashes = np.empty(batch.num_rows, dtype=np.uint64)
        hashes[columns["n"]] = columns["h"]
        return hashes

    def _read(self, cursor: duckdb.DuckDBPyConnection, more: int) -> None:
        """Reads the table's keys into a filter with room for a quarter as many again at least."""
        rows: Any = cursor.execute(f"SELECT count(*) FROM {self._table}").fetchall()
        count, size = rows[0][0], self._size
        while size < (count + more) * _BITS_EACH * 5 // 4:
            size *= 2
        bits = np.zeros(size // 8, dtype=np.uint8)
        # Little at a time: all at once takes thirty times the memory of the filter.
        hashes = cursor.sql(f"SELECT {self._hash} AS h FROM {self._table}")
        for piece in hashes.to_arrow_reader(_AT_ONCE):
            _put(bits, piece.column(0).to_numpy(zero_copy_only=False))
        # Last, so that a reading that fails leaves what was known before.
        self._bits, self._size, self._count = bits, size, count


def _put(bits: npt.NDArray[np.uint8], hashes: _Hashes) -> None:
    for look in _looks(hashes, len(bits) * 8):
        np.bitwise_or.at(bits, look >> 3, _ONE[look & 7])


def _looks(hashes: _Hashes, size: int) -> Iterator[npt.NDArray[np.int64]]:
    """Where to look for keys, once after the other; ``size`` is a power of two."""
    step = (hashes >> np.uint64(32)) | np.uint64(1)
    for number in range(_LOOKS):
        yield ((hashes + np.uint64(number) * step) & np.uint64(size - 1)).astype(np.int64)
