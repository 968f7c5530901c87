"""Arrays in pages of their own: they grow where they are, and dropped they give all back."""

import mmap
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)

_PRIVATE: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class Pages(Generic[T]):
    """``array``: so many zeros, more with ``resize``. What was never touched takes no memory.

    The system moves pages, not bytes: while a large array grows no second one is needed, which
    for the index of repeats came to a third of its memory.
    """

    def __init__(self, kind: type[T], count: int) -> None:
        self._kind: np.dtype[T] = np.dtype(kind)
        self._map = mmap.mmap(-1, max(1, count) * self._kind.itemsize, flags=_PRIVATE)
        self.array: NDArray[T] = np.frombuffer(self._map, self._kind)

    def resize(self, count: int) -> None:
        """Changes the number of items; what is added is 0. Views of ``array`` are no longer it."""
        size = max(1, count) * self._kind.itemsize
        old = self.array
        self.array = np.empty(0, self._kind)
        kept = min(old.nbytes, size)
        try:
            del old
            self._map.resize(size)
        except BufferError:  # somebody still looks at the old array
            grown = mmap.mmap(-1, size, flags=_PRIVATE)
            grown[:kept] = self._map[:kept]
            self._map = grown
        self.array = np.frombuffer(self._map, self._kind)
