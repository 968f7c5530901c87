"""What the heads see of a text: its words, pairs of words, parts of words, concepts.

A text is the sum of its tokens. A token stands for itself (1), for the parts of its letters
(together ``_PARTS`` long) and for its concept (``_CONCEPT``); on top come pairs of neighbours,
pairs of concepts that stand near each other, and words soon after a negation. The sum is divided by
the root of the number of tokens. What a token stands for by itself depends on the word alone, so
that a word's share of a score is computed once and then looked up (``pipeline.steps.scores``).
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.steps.concepts import MOST, concept, number_of
from pipeline.steps.hashing import BASE, Hashes, mixed
from pipeline.steps.tokens import Ints, Tokens, tokenised

Buckets = NDArray[np.int64]
Floats = NDArray[np.float32]

_PAIR: Final = np.uint64(0xD6E8FEB86659FD93)
# Lengths of the vectors of a word's parts and of its concept beside its own, 1.
_PARTS: Final = 0.6
_CONCEPT: Final = 1.5
_CONCEPT_PAIR: Final = 1.0
_LOUD: Final = 0.5
# Concepts that many tokens apart are a pair: "no me funciona", "geht heute wieder nicht".
_NEAR: Final = 4
# "not working", "doesn't even load": a negation reaches that many tokens.
_REACH: Final = 3
_NEGATED: Final = 0.7
_FIRST, _LAST = np.uint32(2), np.uint32(3)


class Grams(NamedTuple):
    """Features of one kind, in the order of the texts: bucket and text (its number) of each."""

    buckets: Buckets
    rows: Ints
    value: float


def matrix(texts: Sequence[str], *, bits: int, chars: tuple[int, int] | None) -> csr_matrix:
    """Plain texts as rows of 2^``bits`` columns, float32; an empty text has an empty row.

    ``chars``: shortest and longest parts of words, whose beginning and end count as a letter.
    """
    tokens = tokenised(texts)
    shape = (len(texts), 1 << bits)
    _, first, word = np.unique(tokens.hashes, return_index=True, return_inverse=True)
    known = concepts(tokens, first)
    whole = incidence(Grams(word, tokens.rows, 1.0), len(texts), len(first))
    result = whole @ words(tokens, first, known, bits=bits, chars=chars)
    for kind in around(tokens, known[word], bits):
        result = result + incidence(kind, *shape)
    scale = 1 / np.sqrt(np.maximum(np.bincount(tokens.rows, minlength=len(texts)), 1))
    result = csr_matrix(result.multiply(scale[:, None]), dtype=np.float32)
    result.sort_indices()
    return result


def incidence(grams: Grams, rows: int, columns: int) -> csr_matrix:
    """Each feature as one entry; a feature that occurs twice has two of them."""
    ends = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bincount(grams.rows, minlength=rows), out=ends[1:])
    values = np.full(grams.buckets.size, grams.value, np.float32)
    return csr_matrix((values, grams.buckets, ends), shape=(rows, columns))


def concepts(tokens: Tokens, which: Ints) -> NDArray[np.int64]:
    """The concept of each of these tokens, 0 for none."""
    found = np.zeros(which.size, np.int64)
    ends = tokens.starts + tokens.sizes
    for number, at in enumerate(which.tolist()):
        letters = tokens.codes[tokens.starts[at] : ends[at]]
        found[number] = concept(letters.tobytes().decode("utf-32-le", "surrogatepass"))
    return found


def words(
    tokens: Tokens,
    which: Ints,
    known: NDArray[np.int64],
    *,
    bits: int,
    chars: tuple[int, int] | None,
) -> csr_matrix:
    """These tokens as rows: themselves, their parts, their concepts (``known``)."""
    own = _bucket(tokens.hashes[which], bits)
    buckets, rows = [own], [np.arange(which.size)]
    values = [np.ones(which.size, np.float32)]
    if chars is not None:
        part, of, value = _parts(tokens, which, bits, chars)
        buckets.append(part)
        rows.append(of)
        values.append(value)
    meant = np.flatnonzero(known)
    buckets.append(_bucket(_CONCEPTS[known[meant]], bits))
    rows.append(meant)
    values.append(np.full(meant.size, _CONCEPT, np.float32))
    row = np.concatenate(rows)
    order = np.argsort(row, kind="stable")
    ends = np.zeros(which.size + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=which.size), out=ends[1:])
    parts = (np.concatenate(values)[order], np.concatenate(buckets)[order], ends)
    return csr_matrix(parts, shape=(which.size, 1 << bits))


def _parts(
    tokens: Tokens, which: Ints, bits: int, chars: tuple[int, int]
) -> tuple[Buckets, Ints, Floats]:
    """Runs of characters inside of words: bucket, number of the word, value."""
    at = np.flatnonzero(tokens.word[which])
    size = tokens.sizes[which[at]] + 2
    first = np.cumsum(size) - size
    place = np.arange(int(size.sum())) - np.repeat(first, size)
    source = np.repeat(tokens.starts[which[at]] - 1, size) + place
    codes = tokens.codes[np.minimum(source, max(tokens.codes.size - 1, 0))]
    codes[first], codes[first + size - 1] = _FIRST, _LAST
    of = np.repeat(at, size)
    terms = codes.astype(np.uint64) + np.uint64(1)
    found, owners, running = [], [], terms
    for n in range(1, chars[1] + 1):
        count = max(0, codes.size - n + 1)
        if n > 1:
            running = running[:count] * BASE + terms[n - 1 :][:count]
        if n >= chars[0]:
            inside = of[:count] == of[n - 1 :][:count]
            found.append(_bucket(mixed(running[inside] + np.uint64(n)), bits))
            owners.append(of[:count][inside])
    owner = np.concatenate(owners)
    each = np.bincount(owner, minlength=which.size)
    value = _PARTS / np.sqrt(np.maximum(each, 1))
    return np.concatenate(found), owner, value[owner].astype(np.float32)


def around(tokens: Tokens, known: NDArray[np.int64], bits: int) -> Iterator[Grams]:
    """All that depends on more than the token itself; ``known`` are the concepts of all tokens."""
    yield pairs(tokens, bits)
    yield concept_pairs(tokens, known, bits)
    yield negated(tokens, known, bits)
    yield loud(tokens, bits)


def pairs(tokens: Tokens, bits: int) -> Grams:
    """Two tokens of one text in a row."""
    inside = tokens.rows[:-1] == tokens.rows[1:]
    hashes = mixed(tokens.hashes[:-1][inside] * _PAIR + tokens.hashes[1:][inside])
    return Grams(_bucket(hashes, bits), tokens.rows[:-1][inside], 1.0)


def concept_pairs(tokens: Tokens, known: NDArray[np.int64], bits: int) -> Grams:
    """Concepts near each other, in whatever order: languages differ in that."""
    at = np.flatnonzero(known)
    one = np.concatenate((at[:-1], at[:-2]))
    two = np.concatenate((at[1:], at[2:]))
    near = (tokens.rows[one] == tokens.rows[two]) & (two - one <= _NEAR)
    order = np.argsort(one[near], kind="stable")
    one, two = one[near][order], two[near][order]
    low, high = np.minimum(known[one], known[two]), np.maximum(known[one], known[two])
    return Grams(_bucket(_PAIRS[low * MOST + high], bits), tokens.rows[one], _CONCEPT_PAIR)


def negated(tokens: Tokens, known: NDArray[np.int64], bits: int) -> Grams:
    """Words soon after a negation, however many negations."""
    no = number_of("not")
    at = np.flatnonzero(known == no)
    near = (at[:, None] + np.arange(1, _REACH + 1)).ravel()
    of = np.repeat(tokens.rows[at], _REACH)
    inside = near < tokens.rows.size
    near, of = near[inside], of[inside]
    near = np.unique(near[(tokens.rows[near] == of) & (known[near] != no)])
    return Grams(_bucket(mixed(tokens.hashes[near] ^ _NOT), bits), tokens.rows[near], _NEGATED)


def loud(tokens: Tokens, bits: int) -> Grams:
    """Words in capitals."""
    rows = tokens.rows[tokens.loud]
    return Grams(np.repeat(_bucket(_CAPITALS, bits), rows.size), rows, _LOUD)


def _bucket(hashes: Hashes, bits: int) -> Buckets:
    return (hashes >> np.uint64(64 - bits)).astype(np.int64)


_CAPITALS: Final = mixed(np.array([0xE003], np.uint64))
_NOT: Final = mixed(np.array([0xE004], np.uint64))[0]
_CONCEPTS: Final = mixed(np.arange(MOST, dtype=np.uint64) + np.uint64(0xF_0000))
_PAIRS: Final = mixed(np.arange(MOST * MOST, dtype=np.uint64) + np.uint64(0xFF_0000))
