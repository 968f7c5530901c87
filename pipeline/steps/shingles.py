"""What canonical texts are compared by, for a whole batch at once: shingles, phrases and letters.

All texts of a batch stand in one array of code points, so that every shingle of the batch comes out
of a few numpy calls. Everything depends on nothing but the text: no seed, no platform.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.steps import codepoints as cp
from pipeline.steps.hashing import BASE, Hashes, mixed

Flags: TypeAlias = NDArray[np.bool_]
Numbers: TypeAlias = NDArray[np.int64]

#: Characters of a text that are compared: what posts differ in, they differ in at the beginning.
COMPARED: Final = 256
#: MinHash values of a text.
VALUES: Final = 20
#: Phrases of a text that are kept: those whose hashes are the smallest.
PHRASES: Final = 8

# South-east Asian scripts have letters but no spaces.
_SPACELESS: Final = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF))
_BREAK, _SPACE = ord("\n"), ord(" ")
_PAIR: Final = np.uint64(0xD6E8FEB86659FD93)
_BASE_32: Final = np.uint32(0x9E3779B1)
_MIX_32: Final = np.uint32(0x85EBCA6B)
_ROWS_AT: Final = np.uint64(48)
_PHRASE_BITS: Final = np.uint64((1 << 48) - 1)
# Texts worked on at once: bounds the memory, and their numbers must fit beside 48 bits.
_AT_ONCE: Final = 8_192


class Shingled(NamedTuple):
    """What n texts are compared by.

    ``values``: n × ``VALUES`` uint32, MinHash over 4 characters, 2 words, or 2 ideographs in a row;
    two texts have an equal value with the probability that is their Jaccard likeness. The words
    make the order of a sentence count. ``phrases``: n × ``PHRASES`` uint64, hashes of 3 words (or
    ideographs) in a row, 0 where there are fewer. ``letters``: the texts as a byte a character.
    """

    values: NDArray[np.uint32]
    phrases: Hashes
    letters: list[bytes]


class _Grams(NamedTuple):
    """Hashes of n-grams and the text each stands in, in the order of texts."""

    hashes: NDArray[np.uint32]
    rows: Numbers


def shingled(canonicals: Sequence[str]) -> Shingled:
    """Shingles, phrases and letters of canonical texts, of their first ``COMPARED`` characters."""
    parts = [_part(canonicals[i : i + _AT_ONCE]) for i in range(0, len(canonicals), _AT_ONCE)]
    if len(parts) == 1:
        return parts[0]
    return Shingled(
        np.concatenate([np.empty((0, VALUES), np.uint32), *(part.values for part in parts)]),
        np.concatenate([np.empty((0, PHRASES), np.uint64), *(part.phrases for part in parts)]),
        [letters for part in parts for letters in part.letters],
    )


def _part(canonicals: Sequence[str]) -> Shingled:
    codes = cp.joined([text[:COMPARED].rstrip() for text in canonicals])
    line = np.cumsum(codes == _BREAK)
    kind = _KIND[codes]
    words, rows = _words(codes, kind, line)
    pairs, of_pairs = _in_a_row(words, rows, 2)
    grams = [_four(codes, kind, line), _Grams((pairs >> np.uint64(32)).astype(np.uint32), of_pairs)]
    if (kind == _IDEOGRAPH).any():
        grams.append(_two(codes, kind, line))
    values = _minima(grams, len(canonicals))
    phrases = _smallest(*_in_a_row(words, rows, 3), len(canonicals))
    return Shingled(values, phrases, _LETTER[codes].tobytes().split(b"\n")[:-1])


# ---- characters -----------------------------------------------------------------------------

#: What a code point is here: a break between texts or words, a letter, a word by itself.
_APART, _LETTERS, _IDEOGRAPH, _UNSPACED = range(4)


def _kinds() -> NDArray[np.uint8]:
    kinds = np.full(cp.SIZE, _LETTERS, np.uint8)
    kinds[cp.CLASS == cp.CJK] = _IDEOGRAPH
    for first, last in _SPACELESS:
        kinds[first : last + 1] = _UNSPACED
    kinds[[_BREAK, _SPACE]] = _APART
    return kinds


_KIND: Final = _kinds()


def _bytes() -> NDArray[np.uint8]:
    """A byte for each code point: ``a-z``, ``0-9`` and the space are themselves.

    Other letters share the bytes below 128 that canonical texts leave free, so that the letters of
    one alphabet differ; characters of scripts without spaces share those from 128 on.
    """
    taken = {0, _BREAK, *b" 0123456789abcdefghijklmnopqrstuvwxyz"}
    free = np.array([byte for byte in range(128) if byte not in taken], np.uint8)
    table = free[np.arange(cp.SIZE) % free.size]
    alone = np.flatnonzero(_KIND >= _IDEOGRAPH)
    table[alone] = 128 + mixed(alone.astype(np.uint64)) % np.uint64(128)
    kept = np.array(sorted(taken), np.intp)
    table[kept] = kept
    return table


_LETTER: Final = _bytes()


def unspaced(canonical: str) -> tuple[int, int]:
    """How many ideographs and how many letters of scripts without spaces a text has."""
    kind = _KIND[cp.joined([canonical])]
    return int((kind == _IDEOGRAPH).sum()), int((kind == _UNSPACED).sum())


def _four(codes: cp.Codes, kind: NDArray[np.uint8], line: Numbers) -> _Grams:
    """Four characters in a row, spaces included, ideographs not."""
    apart = (codes == _BREAK) | (kind == _IDEOGRAPH)
    inside = ~(apart[:-3] | apart[1:-2] | apart[2:-1] | apart[3:])
    running = codes[:-3] * _BASE_32
    for shift in (1, 2, 3):
        running += codes[shift : codes.size - 3 + shift]
        running *= _BASE_32
    return _Grams(_mixed_32(running[inside]), line[:-3][inside])


def _two(codes: cp.Codes, kind: NDArray[np.uint8], line: Numbers) -> _Grams:
    """Two ideographs in a row."""
    inside = (kind[:-1] == _IDEOGRAPH) & (kind[1:] == _IDEOGRAPH)
    both = (codes[:-1][inside] * _BASE_32 + codes[1:][inside]) * _BASE_32
    return _Grams(_mixed_32(both), line[:-1][inside])


def _mixed_32(hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    hashes ^= hashes >> np.uint32(15)
    hashes *= _MIX_32
    hashes ^= hashes >> np.uint32(13)
    return hashes


# ---- words -----------------------------------------------------------------------------------

_POWERS: Final = np.cumprod(np.full(COMPARED + 1, BASE, np.uint64), dtype=np.uint64)


def _words(codes: cp.Codes, kind: NDArray[np.uint8], line: Numbers) -> tuple[Hashes, Numbers]:
    """The hash of each word, and the text it stands in; without spaces each character is one."""
    letter = kind != _APART
    alone = kind >= _IDEOGRAPH
    starts = letter.copy()
    starts[1:] &= ~letter[:-1] | alone[1:] | alone[:-1]
    first = np.flatnonzero(starts)
    if not first.size:
        return np.empty(0, np.uint64), first
    size = np.diff(np.append(first, codes.size))
    place = np.arange(first[0], codes.size) - np.repeat(first, size)
    # A word's share of the array ends with the breaks behind it, which count nothing.
    place[~letter[first[0] :]] = 0
    terms = codes[first[0] :].astype(np.uint64) * _POWERS[place]
    terms *= letter[first[0] :]
    return mixed(np.add.reduceat(terms, first - first[0])), line[first]


def _in_a_row(words: Hashes, rows: Numbers, count: int) -> tuple[Hashes, Numbers]:
    """``count`` words of one text in a row."""
    many = max(0, words.size - count + 1)
    hashes = words[:many].copy()
    for shift in range(1, count):
        hashes *= _PAIR
        hashes += words[shift : shift + many]
    inside = rows[:many] == rows[count - 1 :][:many]
    return mixed(hashes[inside]), rows[:many][inside]


def _smallest(hashes: Hashes, rows: Numbers, count: int) -> Hashes:
    """The smallest hashes of each text, each once."""
    keys = (rows.astype(np.uint64) << _ROWS_AT) | (hashes >> np.uint64(16))
    keys.sort()
    if keys.size:
        keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))]
    row = (keys >> _ROWS_AT).astype(np.int64)
    rank = np.arange(row.size) - np.searchsorted(row, row)
    kept = rank < PHRASES
    phrases = np.zeros((count, PHRASES), np.uint64)
    phrases[row[kept], rank[kept]] = mixed((keys[kept] & _PHRASE_BITS) + BASE) | np.uint64(1)
    return phrases


# ---- MinHash ---------------------------------------------------------------------------------

_SEEDS: Final = mixed(np.arange(1, 2 * VALUES + 1, dtype=np.uint64)) >> np.uint64(32)
_FACTORS: Final = _SEEDS[:VALUES].astype(np.uint32) | np.uint32(1)
_OFFSETS: Final = _SEEDS[VALUES:].astype(np.uint32)


def _minima(grams: Sequence[_Grams], count: int) -> NDArray[np.uint32]:
    """``count`` × ``VALUES`` MinHash values; all ones for a text without shingles."""
    values = np.full((VALUES, count), 0xFFFFFFFF, np.uint32)
    for hashes, rows in grams:
        if not rows.size:
            continue
        starts = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
        for number, minima in _turned(hashes, starts):
            here = values[number]
            here[rows[starts]] = np.minimum(here[rows[starts]], minima)
    return np.ascontiguousarray(values.T)


def _turned(
    hashes: NDArray[np.uint32], starts: Numbers
) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """The smallest hash of each text, by each of the permutations."""
    turned = np.empty_like(hashes)
    for number in range(VALUES):
        np.multiply(hashes, _FACTORS[number], out=turned)
        turned += _OFFSETS[number]
        yield number, np.minimum.reduceat(turned, starts)
