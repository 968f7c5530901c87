"""Growing columns: what the memory index knows of each post, without an object a post."""

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.indexes.pages import Pages

T = TypeVar("T", bound=np.generic)

_FIRST: Final = 1_024
_GROWTH: Final = 1.5


class Column(Generic[T]):
    """Rows of one type, added at the end."""

    def __init__(self, kind: type[T], width: int = 1) -> None:
        self._width = width
        self._pages = Pages(kind, _FIRST * width)
        self._used = 0

    @property
    def rows(self) -> NDArray[T]:
        """All rows, one number each (``width`` numbers each, in a row)."""
        return self._pages.array[: self._used]

    @property
    def table(self) -> NDArray[T]:
        """All rows as rows × width."""
        return self.rows.reshape(-1, self._width)

    def add(self, values: NDArray[Any]) -> None:
        """Adds rows at the end."""
        after = self._used + values.size
        if after > self._pages.array.size:
            self._pages.resize(max(int(self._pages.array.size * _GROWTH), after))
        self._pages.array[self._used : after] = values.ravel()
        self._used = after

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forgets all rows but these."""
        rows = self.table[kept].ravel()
        self._used = rows.size
        self._pages.resize(rows.size + _FIRST * self._width)
        self._pages.array[: self._used] = rows


class Strings:
    """Strings of bytes in one stretch: a third of the memory of as many objects."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends: Column[np.int64] = Column(np.int64)

    def __len__(self) -> int:
        return self._ends.rows.size

    def __getitem__(self, number: int) -> bytes:
        ends = self._ends.rows
        first = int(ends[number - 1]) if number else 0
        return bytes(self._bytes[first : int(ends[number])])

    def some(self, numbers: NDArray[np.int64]) -> list[bytes]:
        """Those with these numbers."""
        ends, stretch = self._ends.rows, self._bytes
        firsts = np.where(numbers > 0, ends[numbers - 1], 0).tolist()
        return [bytes(stretch[a:b]) for a, b in zip(firsts, ends[numbers].tolist(), strict=True)]

    def add(self, texts: Sequence[bytes]) -> None:
        """Adds texts at the end."""
        sizes = np.array([len(text) for text in texts], np.int64)
        self._ends.add(np.cumsum(sizes) + len(self._bytes))
        self._bytes += b"".join(texts)

    def blank(self, number: int) -> None:
        """Overwrites one text with zeros."""
        ends = self._ends.rows
        first, last = int(ends[number - 1]) if number else 0, int(ends[number])
        self._bytes[first:last] = bytes(last - first)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forgets all texts but these."""
        sizes = np.diff(self._ends.rows, prepend=0)
        stretch = np.frombuffer(bytes(self._bytes), np.uint8)[np.repeat(kept, sizes)]
        self._bytes = bytearray(stretch.tobytes())
        self._ends = Column(np.int64)
        self._ends.add(np.cumsum(sizes[kept]))
