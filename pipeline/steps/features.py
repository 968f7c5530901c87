"""Hashed n-grams of a whole batch at once: what the linear models see.

All texts of a batch stand in one array of code points. A word's hash is a sum of powers over its
characters, an n-gram's hash a combination of its parts, so that every n-gram of the batch comes
out of a few numpy calls. Hashes depend on nothing but the text: no seed, no platform.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.steps import codepoints as cp

Hashes: TypeAlias = NDArray[np.uint64]

# A URL and a user name become one character each, of the private use area, which is cleared of
# what posts bring of it.
_URL, _USER = "\ue000", "\ue001"
_URLS: Final = re.compile(r"https?://\S+|\bwww\.\S+", re.IGNORECASE)
_USERS: Final = re.compile(r"@\w+")
_PRIVATE: Final = re.compile("[\ue000-\uf8ff]")

# An odd multiplier spreads characters over 64 bits; the constants are those of splitmix64.
_BASE: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_PAIR: Final = np.uint64(0xD6E8FEB86659FD93)
# A batch is worked through in parts of so many characters, so that memory does not follow it.
_CHARACTERS_AT_ONCE: Final = 400_000


class Grams(NamedTuple):
    """n-grams of a batch: the hash of each and the text (its number in the batch) it stands in."""

    hashes: Hashes
    rows: NDArray[np.int64]


def hashed(
    texts: Sequence[str],
    *,
    bits: int = 18,
    words: tuple[int, int] = (1, 2),
    chars: tuple[int, int] | None = (3, 5),
) -> sparse.csr_matrix:
    """A row of 2^``bits`` columns for each plain text: its word and character n-grams, hashed.

    ``words`` and ``chars`` are the shortest and longest n-grams. A URL, a user name and a number
    count as one token each; ``!``, ``?``, emoji and each ideograph are tokens of their own; a text
    with words in capitals has a token that says so. Values are 1 + ln(count), float32, each row of
    Euclidean length 1 (an empty text has an empty row); columns of a row are sorted.
    """
    parts = [_matrix(texts[first:last], bits, words, chars) for first, last in _parts(texts)]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return _rows([], 0, bits)
    return sparse.csr_matrix(sparse.vstack(parts, format="csr"))


def mixed(hashes: Hashes) -> Hashes:
    """Every bit of the result depends on every bit of the argument (the end of splitmix64)."""
    h = hashes ^ (hashes >> np.uint64(30))
    h *= _MIX_1
    h ^= h >> np.uint64(27)
    h *= _MIX_2
    h ^= h >> np.uint64(31)
    return h


def _parts(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Where to cut the batch so that each part has a bounded number of characters."""
    parts, first, held = [], 0, 0
    for number, text in enumerate(texts):
        held += len(text) + 1
        if held >= _CHARACTERS_AT_ONCE:
            parts.append((first, number + 1))
            first, held = number + 1, 0
    if first < len(texts):
        parts.append((first, len(texts)))
    return parts


def _matrix(
    texts: Sequence[str], bits: int, words: tuple[int, int], chars: tuple[int, int] | None
) -> sparse.csr_matrix:
    codes = _normalised(texts)
    tokens, capitals = _tokens(codes, _lines(codes) - 1)
    grams = [capitals]
    grams += [_word_grams(tokens, n) for n in range(words[0], words[1] + 1)]
    if chars is not None:
        small = cp.LOWER[codes]
        line = _lines(codes) - 1
        for n, hashes in _windows(small, *chars).items():
            inside = _spans(line, n)
            grams.append(Grams(hashes[inside], line[: inside.size][inside]))
    return _rows(grams, len(texts), bits)


def _normalised(texts: Sequence[str]) -> cp.Codes:
    """The code points of the texts, each behind a line feed, which marks its beginning.

    URLs and user names as one character each, no apostrophes (don't and dont are one word), single
    spaces.
    """
    whole = "\n".join(["", *(t.replace("\n", " ") if "\n" in t else t for t in texts)])
    if not whole.isascii():
        whole = _PRIVATE.sub(" ", whole)
    if "http" in whole or "www." in whole.lower():
        whole = _URLS.sub(f" {_URL} ", whole)
    whole = _USERS.sub(f" {_USER} ", whole)
    codes = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    keep = _KIND[codes] != _APOSTROPHE
    space = codes == ord(" ")
    keep[1:] &= ~(space[1:] & space[:-1])
    kept: cp.Codes = codes[keep]
    return kept


#: What a code point is to the tokeniser: part of a word, a token by itself, or nothing.
_NOTHING, _WORD, _ALONE, _APOSTROPHE = range(4)


def _kinds() -> NDArray[np.uint8]:
    kinds = np.full(cp.SIZE, _NOTHING, np.uint8)
    kinds[np.isin(cp.CLASS, (cp.LETTER, cp.MARK, cp.DIGIT))] = _WORD
    kinds[np.isin(cp.CLASS, (cp.SYMBOL, cp.CJK))] = _ALONE
    for sign in f"!?{_URL}{_USER}":
        kinds[ord(sign)] = _ALONE
    for sign in "'’ʼ`´":
        kinds[ord(sign)] = _APOSTROPHE
    return kinds


_KIND: Final = _kinds()


def _tokens(codes: cp.Codes, line: NDArray[np.int64]) -> tuple[Grams, Grams]:
    """The words and signs of each text in order, and the words in capitals, as one token.

    ``line`` says which text each code point stands in.
    """
    kind = _KIND[codes]
    at = np.flatnonzero((kind == _WORD) | (kind == _ALONE))
    if not at.size:
        return _NO_GRAMS, _NO_GRAMS
    starts = np.ones(at.size, np.bool_)
    word = kind[at] == _WORD
    starts[1:] = (np.diff(at) > 1) | ~word[1:] | ~word[:-1]
    first = np.flatnonzero(starts)
    size = np.diff(np.append(first, at.size))
    place = np.arange(at.size) - np.repeat(first, size)
    big = codes[at]
    small = cp.LOWER[big]
    powers = _powers(int(size.max()))
    hashes = mixed(np.add.reduceat((small.astype(np.uint64) + np.uint64(1)) * powers[place], first))
    digits = np.minimum.reduceat((cp.CLASS[small] == cp.DIGIT).astype(np.int8), first) == 1
    hashes[digits] = _NUMBER
    rows = line[at[first]]
    loud = (np.minimum.reduceat((big != small).astype(np.int8), first) == 1) & (size > 1)
    return Grams(hashes, rows), Grams(np.full(int(loud.sum()), _CAPITALS), rows[loud])


def _powers(count: int) -> Hashes:
    powers = np.full(count, _BASE, np.uint64)
    powers[0] = 1
    np.cumprod(powers, out=powers)
    return powers


def _word_grams(tokens: Grams, n: int) -> Grams:
    """``n`` tokens of one text in a row."""
    count = tokens.hashes.size - n + 1
    if count <= 0:
        return _NO_GRAMS
    hashes = tokens.hashes[:count].copy()
    for shift in range(1, n):
        hashes *= _PAIR
        hashes += tokens.hashes[shift : shift + count]
    if n > 1:
        hashes = mixed(hashes)
    inside = tokens.rows[:count] == tokens.rows[n - 1 :]
    return Grams(hashes[inside], tokens.rows[:count][inside])


def _windows(codes: cp.Codes, shortest: int, longest: int) -> dict[int, Hashes]:
    """The hash of every ``n`` code points in a row, by n; those across texts included."""
    terms = codes.astype(np.uint64)
    terms += np.uint64(1)
    found, running = {}, terms
    for n in range(1, longest + 1):
        count = max(0, codes.size - n + 1)
        if n > 1:
            running = running[:count] * _BASE + terms[n - 1 :][:count]
        if n >= shortest:
            found[n] = mixed(running + np.uint64(n))
    return found


def _lines(codes: cp.Codes) -> NDArray[np.int64]:
    """How many line feeds stand before or at each code point."""
    lines: NDArray[np.int64] = np.cumsum(codes == ord("\n"))
    return lines


def _spans(line: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    """For each start of ``n`` code points in a row: whether they stand in one text."""
    count = max(0, line.size - n + 1)
    inside: NDArray[np.bool_] = line[:count] == line[n - 1 :][:count]
    return inside


def _rows(grams: Sequence[Grams], count: int, bits: int) -> sparse.csr_matrix:
    """The matrix of ``count`` rows in which each n-gram counts in the column of its hash."""
    shift = np.uint64(64 - bits)
    hashes = np.concatenate([g.hashes for g in (_NO_GRAMS, *grams)])
    rows = np.concatenate([g.rows for g in (_NO_GRAMS, *grams)])
    keys = (hashes >> shift) | (rows.astype(np.uint64) << np.uint64(bits))
    keys.sort()
    first = np.ones(keys.size, np.bool_)
    first[1:] = keys[1:] != keys[:-1]
    at = np.flatnonzero(first)
    times = np.diff(np.append(at, keys.size))
    kept = keys[at]
    row = (kept >> np.uint64(bits)).astype(np.int64)
    columns = (kept & np.uint64((1 << bits) - 1)).astype(np.int32)
    values = _DAMPED[np.minimum(times, _DAMPED.size - 1)]
    length = np.sqrt(np.bincount(row, values * values, count))
    values = (values / length[row]).astype(np.float32)
    ends = np.zeros(count + 1, np.int32)
    np.cumsum(np.bincount(row, minlength=count), out=ends[1:])
    return sparse.csr_matrix((values, columns, ends), shape=(count, 1 << bits))


_NO_GRAMS: Final = Grams(np.empty(0, np.uint64), np.empty(0, np.int64))
_NUMBER: Final = mixed(np.array([0xE002], np.uint64))[0]
_CAPITALS: Final = mixed(np.array([0xE003], np.uint64))[0]
# 1 + ln(count); index 0 is never used.
_DAMPED: Final = 1 + np.log(np.maximum(np.arange(4_096), 1))
