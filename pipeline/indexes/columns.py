"""Growing columns: what the memory index knows of each post, without an object a post."""

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.indexes.pages import zeros

T = TypeVar("T", bound=np.generic)

_FIRST: Final = 1_024
# Small steps: what is reserved but unused counts as memory too.
_GROWTH: Final = 1.12


class Column(Generic[T]):
    """Rows of one type, added at the end."""

    def __init__(self, kind: type[T], width: int = 1) -> None:
        self._width = width
        self._rows: NDArray[T] = zeros(_FIRST * width, kind)
        self._used = 0

    @property
    def rows(self) -> NDArray[T]:
        """All rows, one number each (``width`` numbers each, in a row)."""
        return self._rows[: self._used]

    @property
    def table(self) -> NDArray[T]:
        """All rows as rows × width."""
        return self.rows.reshape(-1, self._width)

    def add(self, values: NDArray[Any]) -> None:
        """Adds rows at the end."""
        after = self._used + values.size
        if after > self._rows.size:
            size = max(int(self._rows.size * _GROWTH) // self._width * self._width, after)
            grown = zeros(size, self._rows.dtype)
            grown[: self._used] = self.rows
            self._rows = grown
        self._rows[self._used : after] = values.ravel()
        self._used = after

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forgets all rows but these."""
        rows = self.table[kept].ravel()
        self._rows, self._used = zeros(rows.size + _FIRST * self._width, rows.dtype), rows.size
        self._rows[: rows.size] = rows


class Names:
    """Strings in one stretch of bytes: a third of the memory of as many ``str``."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends: Column[np.int64] = Column(np.int64)

    def __len__(self) -> int:
        return self._ends.rows.size

    def __getitem__(self, number: int) -> str:
        ends = self._ends.rows
        first = int(ends[number - 1]) if number else 0
        return self._bytes[first : int(ends[number])].decode()

    def add(self, names: Sequence[str]) -> None:
        """Adds names at the end."""
        encoded = [name.encode() for name in names]
        sizes = np.array([len(name) for name in encoded], np.int64)
        self._ends.add(np.cumsum(sizes) + len(self._bytes))
        self._bytes += b"".join(encoded)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forgets all names but these."""
        sizes = np.diff(self._ends.rows, prepend=0)
        stretch = np.frombuffer(bytes(self._bytes), np.uint8)[np.repeat(kept, sizes)]
        self._bytes = bytearray(stretch.tobytes())
        self._ends = Column(np.int64)
        self._ends.add(np.cumsum(sizes[kept]))
