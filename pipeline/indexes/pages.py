"""Arrays that give their memory back to the system the moment they are dropped."""

import mmap
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)

# Smaller arrays may stay with the allocator.
_OWN_PAGES: Final = 1 << 18


def zeros(count: int, kind: "type[T] | np.dtype[T]") -> NDArray[T]:
    """``count`` zeros. Untouched parts of a large array take no memory yet.

    The allocator keeps what is freed below 32 MB, which for arrays that grow again and again came
    to a third of the index: large ones are pages of their own.
    """
    dtype: np.dtype[T] = np.dtype(kind)
    size = count * dtype.itemsize
    if size < _OWN_PAGES:
        return np.zeros(count, dtype)
    return np.frombuffer(mmap.mmap(-1, size), dtype)
