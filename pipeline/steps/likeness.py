"""How alike a post and what an incident says are, by rare words and pieces of words.

Both are hashed into word tokens and runs of four characters, and each counts by how rare it is in
ordinary posts and in the boilerplate of status pages. That rarity is a fixed table shipped beside
this file, so that the likeness of a pair depends on the pair alone, never on what else is open:
whoever computes it, and whenever, gets the same number. ``bench/background.py`` makes the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy import sparse

from pipeline.steps.features import hashed

Floats = NDArray[np.float32]
BITS = 18
TABLE = Path(__file__).with_name("background.safetensors")
#: Rarity is kept in a byte: 0 for what everybody says, 255 for what nobody said yet.
STEPS_PER_UNIT = 25.0
#: What is less rare than this tells no incident from another (and would cost most of the time).
TELLING_FROM = 1.5


@cache
def rarity() -> Floats:
    """The weight of each column, 0 to 10.2: ln(posts / posts that have it) - 1."""
    table: NDArray[np.uint8] = load_file(TABLE)["rarity"]
    return table.astype(np.float32) / np.float32(STEPS_PER_UNIT)


def grams(texts: Sequence[str]) -> sparse.csr_matrix:
    """The hashed tokens and runs of four characters of plain texts; 8 µs a post."""
    return hashed(texts, bits=BITS, words=(1, 1), chars=(4, 4))


def rarities(words: Sequence[str]) -> list[float]:
    """How rare each of these words is; 0 for what is no word."""
    found = hashed(words, bits=BITS, words=(1, 1), chars=None)
    weights = np.zeros(len(words))
    weights[np.diff(found.indptr) > 0] = rarity()[
        found.indices[found.indptr[:-1][np.diff(found.indptr) > 0]]
    ]
    return [float(weight) for weight in weights]


@dataclass(frozen=True, slots=True)
class Row:
    """One sparse vector: columns and their values."""

    columns: NDArray[np.int32]
    values: Floats


@dataclass(frozen=True, slots=True)
class Profile:
    """What an incident says, to be compared: its whole text, and what must not be missing."""

    whole: Row
    heading: Row


def profile(heading: str, whole: str) -> Profile:
    """The vectors of one incident: of its heading alone and of everything it says."""
    said = _weighted(grams([whole]))
    first = grams([heading])
    weights = np.where(rarity()[first.indices] >= TELLING_FROM, rarity()[first.indices] ** 2, 0)
    share = weights / max(float(weights.sum()), 1e-9)
    return Profile(
        _telling(said.indices, said.data.astype(np.float32)),
        _telling(first.indices, share.astype(np.float32)),
    )


def _telling(columns: NDArray[np.int32], values: Floats) -> Row:
    kept = rarity()[columns] >= TELLING_FROM
    return Row(columns[kept].astype(np.int32), values[kept])


class Likeness:
    """Compares posts with a fixed list of incidents."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._whole = _columns([p.whole for p in profiles])
        self._heading = _columns([p.heading for p in profiles])

    def compare(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """Two arrays of posts × incidents, both 0 to 1.

        The likeness to the whole (cosine), and the share of the heading's weight in the post.
        """
        posts = grams(texts)
        whole = (_weighted(posts) @ self._whole).toarray()
        present = posts.copy()
        present.data[:] = 1
        heading = (present @ self._heading).toarray()
        return whole.astype(np.float32), heading.astype(np.float32)


def _weighted(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows weighted by rarity, each of length 1 (or empty); what weighs nothing is left out."""
    values = matrix.data * rarity()[matrix.indices]
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    length = np.sqrt(np.bincount(rows, values * values, matrix.shape[0]))
    values = (values / np.maximum(length, 1e-9)[rows]).astype(np.float32)
    kept: Any = sparse.csr_matrix((values, matrix.indices, matrix.indptr), shape=matrix.shape)
    kept.eliminate_zeros()
    return sparse.csr_matrix(kept)


def _columns(rows: Sequence[Row]) -> sparse.csr_matrix:
    """The vectors as columns of one matrix, ready to be multiplied from the left."""
    size = np.array([row.columns.size for row in rows], np.int64)
    ends = np.concatenate(([0], np.cumsum(size)))
    indices = np.concatenate([row.columns for row in rows]) if rows else np.empty(0, np.int32)
    values = np.concatenate([row.values for row in rows]) if rows else np.empty(0, np.float32)
    shape = (len(rows), 1 << BITS)
    return sparse.csr_matrix(sparse.csr_matrix((values, indices, ends), shape=shape).T)
