"""The scores of linear heads, by looking words up.

A word's share of the scores depends on the word alone. It is computed when the word is met for the
first time and kept in a table of fixed size, in which a newer word takes the place of an older one
with the same slot; what a text scores does not depend on what the table holds.
"""

import threading
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.steps import grams
from pipeline.steps.grams import Floats, Grams
from pipeline.steps.hashing import Hashes
from pipeline.steps.tokens import Ints, Tokens, tokenised

# A batch is worked through in parts of so many characters, so that memory does not follow it.
_CHARACTERS_AT_ONCE: Final = 400_000
_SLOT_BITS: Final = 16


class Scorer:
    """Sums of weights over the features of texts.

    ``rows`` are the buckets that carry weight, ascending, ``weights`` their rows × columns.
    """

    def __init__(
        self, rows: Ints, weights: Floats, *, bits: int, chars: tuple[int, int] | None
    ) -> None:
        self._bits, self._chars = bits, chars
        self._at = np.full(1 << bits, -1, np.int32)
        self._at[rows] = np.arange(rows.size)
        self._weights = weights
        self._slots = 1 << _SLOT_BITS
        self._keys: Hashes = np.zeros(self._slots, np.uint64)
        self._keys[0] = 1  # no word's: a hash of 1 belongs to slot 1
        # Behind the slots there is room for the words of a batch that have no slot yet.
        self._words: Floats = np.zeros((self._slots, weights.shape[1]), np.float32)
        self._meant: NDArray[np.int64] = np.zeros(self._slots, np.int64)
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Texts × columns, for plain texts."""
        with self._lock:
            found = [self._part(texts[first:last]) for first, last in _parts(texts)]
        if len(found) == 1:
            return found[0]
        return np.concatenate([np.zeros((0, self._weights.shape[1]), np.float32), *found])

    def _part(self, texts: Sequence[str]) -> Floats:
        tokens = tokenised(texts)
        slots = (tokens.hashes & np.uint64(self._slots - 1)).astype(np.int64)
        index = slots.copy()
        missed = np.flatnonzero(self._keys[slots] != tokens.hashes)
        _, first, new = np.unique(tokens.hashes[missed], return_index=True, return_inverse=True)
        which = missed[first]
        index[missed] = self._slots + new
        self._look_at(tokens, which)
        known = self._meant[index]
        words = Grams(index, tokens.rows, 1.0)
        sums: Floats = grams.incidence(words, len(texts), len(self._words)) @ self._words
        for kind in grams.around(tokens, known, self._bits):
            sums += self._summed(kind, len(texts))
        self._keep(slots[which], tokens.hashes[which])
        count = np.bincount(tokens.rows, minlength=len(texts))
        sums *= (1 / np.sqrt(np.maximum(count, 1))).astype(np.float32)[:, None]
        return sums

    def _look_at(self, tokens: Tokens, which: Ints) -> None:
        """Puts new words behind the slots."""
        end = self._slots + which.size
        if end > len(self._words):
            room = end + which.size
            self._words = np.resize(self._words, (room, self._words.shape[1]))
            self._meant = np.resize(self._meant, room)
        known = grams.concepts(tokens, which)
        parts = grams.words(tokens, which, known, bits=self._bits, chars=self._chars)
        self._words[self._slots : end] = self._weighed(parts)
        self._meant[self._slots : end] = known

    def _keep(self, slots: Ints, hashes: Hashes) -> None:
        new = slice(self._slots, self._slots + slots.size)
        self._words[slots] = self._words[new]
        self._meant[slots] = self._meant[new]
        self._keys[slots] = hashes

    def _summed(self, kind: Grams, count: int) -> Floats:
        rows = self._at[kind.buckets]
        weighty = rows >= 0
        left = Grams(rows[weighty].astype(np.int64), kind.rows[weighty], kind.value)
        sums: Floats = grams.incidence(left, count, len(self._weights)) @ self._weights
        return sums

    def _weighed(self, parts: csr_matrix) -> Floats:
        """The product with the weights; buckets without any are left out."""
        rows = self._at[parts.indices]
        weighty = rows >= 0
        before = np.concatenate(([0], np.cumsum(weighty)))
        left = (parts.data[weighty], rows[weighty], before[parts.indptr])
        shape = (parts.shape[0], len(self._weights))
        product: Floats = csr_matrix(left, shape=shape) @ self._weights
        return product


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
