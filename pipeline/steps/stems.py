"""Stems: what posts and incidents are compared by, hashed for a whole batch at once.

A stem is the first five letters of a word ("floods", "flooded" and "flooding" are one), and in a
word of eight letters and more every five in a row, so that a hashtag gives up what it is made of
("calgaryfloods" has "flood"). Scripts without spaces give every two signs in a row. How rare a stem
is in ordinary posts stands in a fixed table beside this file (``bench/background.py`` makes it), so
that what two texts share depends on the two texts alone, whoever asks and whenever.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from pipeline.steps import codepoints as cp
from pipeline.steps.hashing import BASE, mixed

Floats = NDArray[np.float32]
BITS: Final = 18
TABLE: Final = Path(__file__).with_name("rarity.safetensors")
#: Rarity is kept in a byte: 0 for what everybody says, 255 for what nobody said yet.
STEPS_PER_UNIT: Final = 25.0
#: Letters of a stem, and letters from which on a word has stems inside.
LETTERS: Final = 5
LONG: Final = 8
_FIRST_IDEOGRAPH: Final = 0x2E80

_POWERS: Final = np.array([pow(int(BASE), n, 1 << 64) for n in range(LETTERS)], np.uint64)
_PAIR_OF_SIGNS: Final = np.uint64(0xD6E8FEB86659FD93)


class Stems(NamedTuple):
    """The stems of a batch in text order: the hashed column of each, and the number of its text.

    ``words``: numbers of the words that they stand in, rising and not the same in two words of a
    text.
    """

    columns: NDArray[np.int32]
    rows: NDArray[np.int32]
    words: NDArray[np.int32]


@cache
def rarity() -> Floats:
    """The weight of each column, 0 to 10.2: ln(posts / posts that have it) - 1."""
    table: NDArray[np.uint8] = load_file(TABLE)["rarity"]
    return table.astype(np.float32) / np.float32(STEPS_PER_UNIT)


def stems(canonicals: Sequence[str], *, within: bool = True) -> Stems:
    """The stems of canonical texts, once for each time they stand there; numbers have none.

    Without ``within`` a long word gives only its first letters: that is how incidents are read, so
    that what they say is not counted several times over.
    """
    codes = cp.joined(canonicals)
    if not codes.size:
        return _NO_STEMS
    breaks = codes == ord("\n")
    inside = ~(breaks | (codes == ord(" ")))
    edges = np.flatnonzero(np.diff(inside, prepend=False))  # a line feed ends the last word
    starts, ends = edges[::2], edges[1::2]
    if not starts.size:
        return _NO_STEMS
    number = _are_numbers(codes, starts, ends)
    starts, ends = starts[~number], ends[~number]
    at, size = _positions(starts, ends, within)
    spaced = at.size
    hashes = _hashes(codes, at, size)
    if codes.max() >= _FIRST_IDEOGRAPH:
        signs = np.flatnonzero(cp.CLASS[codes] == cp.CJK)
        pairs = signs[:-1][np.diff(signs) == 1]
        at = np.concatenate((at, pairs))
        hashes = np.concatenate((hashes, _hashes(codes, pairs, np.int64(2)) * _PAIR_OF_SIGNS))
    order = np.argsort(at, kind="stable")
    line_ends = np.flatnonzero(breaks)
    rows = np.searchsorted(line_ends, at[order])
    columns = mixed(hashes[order]) >> np.uint64(64 - BITS)
    # Where a script has no spaces each sign counts as a word: its pair begins there.
    words = np.searchsorted(starts, at[order], "right") + np.cumsum(order >= spaced)
    return Stems(columns.astype(np.int32), rows.astype(np.int32), words.astype(np.int32))


_EMPTY: Final = np.empty(0, np.int32)
_NO_STEMS: Final = Stems(_EMPTY, _EMPTY, _EMPTY)


def _are_numbers(
    codes: cp.Codes, starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which words are made of digits alone."""
    digits = np.concatenate(([0], np.cumsum((codes >= ord("0")) & (codes <= ord("9")))))
    found: NDArray[np.bool_] = digits[ends] - digits[starts] == ends - starts
    return found


def _positions(
    starts: NDArray[np.int64], ends: NDArray[np.int64], within: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where stems begin, and how many letters each has."""
    size = ends - starts
    if not within:
        return starts, np.minimum(size, LETTERS)
    long = size >= LONG
    count = size[long] - LETTERS
    first = np.cumsum(count) - count
    place = np.arange(int(count.sum())) - np.repeat(first, count)
    inner = np.repeat(starts[long] + 1, count) + place
    at = np.concatenate((starts, inner))
    sizes = np.concatenate((np.minimum(size, LETTERS), np.full(inner.size, LETTERS)))
    return at, sizes


def _hashes(
    codes: cp.Codes, at: NDArray[np.int64], size: NDArray[np.int64] | np.int64
) -> NDArray[np.uint64]:
    """The hash of so many characters from each position on."""
    found = np.zeros(at.size, np.uint64)
    for letter in range(LETTERS):
        there = np.minimum(at + letter, codes.size - 1)
        term = (codes[there].astype(np.uint64) + np.uint64(1)) * _POWERS[letter]
        found += np.where(letter < size, term, np.uint64(0))
    return found
