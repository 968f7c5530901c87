"""How alike two posts are, told from their texts: what keys only propose is decided here.

Texts are ``Fingerprints.letters``: a byte a character. ``claims.lua`` decides the same in the
server, in whole numbers, so that both come to the same answer.
"""

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cpdist

#: Two posts are alike when they have so many hundredths of their characters in common, in order
#: (2 · LCS / sum of lengths, which is Indel similarity), …
ALIKE: Final = 66
#: … or when one tells the other and more: so many hundredths of the words of the one that has
#: fewer, at least so many words, and of the characters of the shorter one.
CONTAINED, LEAST_WORDS, CONTAINED_CHARACTERS = 81, 5, 70
#: … and in both cases so many hundredths of those words, which is told sooner than the rest.
SHARED: Final = 40
#: The likeness of two equal texts.
EQUAL: Final = 254

Likeness: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

# Words, and two characters in a row of scripts without spaces, whose bytes are from 128 on.
_SPACED: Final = re.compile(rb"[^ \x80-\xff]+")
_UNSPACED: Final = re.compile(rb"[\x80-\xff]+")


def words(text: bytes) -> set[bytes]:
    """What two texts are compared by as a bag of words."""
    if text.isascii():
        found = set(text.split(b" "))
        found.discard(b"")
        return found
    found = set(_SPACED.findall(text))
    for run in _UNSPACED.findall(text):
        found.update(run[i : i + 2] for i in range(max(1, len(run) - 1)))
    return found


def in_order(ones: Sequence[bytes], others: Sequence[bytes]) -> tuple[Likeness, Flags]:
    """How alike each of ``ones`` is to the one at its place in ``others``, 0 … ``EQUAL``.

    The flags say which pairs have enough characters in common; ``is_alike`` decides those.
    """
    if not len(ones):
        return np.empty(0, np.int64), np.empty(0, np.bool_)
    common = cpdist(ones, others, scorer=LCSseq.similarity, dtype=np.int64)
    mine = np.array([len(text) for text in ones], np.int64)
    theirs = np.array([len(text) for text in others], np.int64)
    enough = (common * 200 >= (mine + theirs) * ALIKE) | (
        common * 100 >= np.minimum(mine, theirs) * CONTAINED_CHARACTERS
    )
    return common * (2 * EQUAL) // np.maximum(mine + theirs, 1), enough & (common > 0)


def is_alike(one: bytes, other: bytes) -> bool:
    """Whether two texts are alike, given that they have enough characters in common for it."""
    mine, theirs = words(one), words(other)
    fewer, shared = min(len(mine), len(theirs)), len(mine & theirs)
    if fewer >= LEAST_WORDS and 100 * shared >= CONTAINED * fewer:
        return True
    if 100 * shared < SHARED * fewer:
        return False
    common = LCSseq.similarity(one, other)
    return common * 200 >= (len(one) + len(other)) * ALIKE
