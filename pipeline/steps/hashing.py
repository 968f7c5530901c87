"""Hashes of 64 bits over arrays: what n-grams, shingles and stems are told apart by."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Hashes: TypeAlias = NDArray[np.uint64]

#: An odd multiplier that spreads characters over 64 bits (2**64 divided by the golden ratio).
BASE: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


def mixed(hashes: Hashes) -> Hashes:
    """Every bit of the result depends on every bit of the argument.

    The end of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014).
    """
    h = hashes ^ (hashes >> np.uint64(30))
    h *= _MIX_1
    h ^= h >> np.uint64(27)
    h *= _MIX_2
    h ^= h >> np.uint64(31)
    return h
