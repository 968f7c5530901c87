"""How alike posts and what incidents say are, by the rare stems that they share.

Every number here depends on one post and one incident alone, never on what else is open: whoever
computes it, and whenever, gets the same. All incidents stand in one inverted index, so that a post
costs what it shares with them, not how many they are.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.steps.outlines import TELLING_FROM, Outline
from pipeline.steps.stems import BITS, STEPS_PER_UNIT, rarity, stems

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Rarity that a post must share with an incident to be compared with it: less is chance.
SHARED_FROM: Final = 3.5
#: And the share of what it shares with the incident that it shares most with.
SHARED_SHARE: Final = 0.4
#: So many incidents are compared with a post at most, those that it shares most with.
CLOSEST: Final = 16
#: More words than a post has, for telling those of one post apart.
_WORDS: Final = 4_096
#: More rarity, in the steps of its table, than need be told apart.
_MOST_STEPS: Final = 4_095


class Lesson(NamedTuple):
    """What people taught about an incident: a weight for each of some columns (rising)."""

    columns: NDArray[np.int32]
    weights: Floats


NO_LESSON: Final = Lesson(np.empty(0, np.int32), np.empty(0))


class Alike(NamedTuple):
    """Pairs of posts and incidents that share what is rare, by post and then incident, and how.

    ``whole``: cosine, 0 to 1. ``what`` and ``where``: rarity shared. ``heading``: 0 to 1.
    ``phrase``: 1 if the post has all of a phrase of the incident. ``words``: how many of the
    post's words they share. ``taught``: likeness to what people confirmed, less than 0 to what
    they rejected.
    """

    rows: Ints
    columns: Ints
    whole: Floats
    what: Floats
    where: Floats
    heading: Floats
    phrase: Floats
    words: Floats
    taught: Floats


class Posts(NamedTuple):
    """Which of the index's stems each post has (1 or none), in the order of their columns.

    ``first`` and ``last``: the number of the first and of the last word with the stem. ``length``:
    of the post's whole vector.
    """

    table: sparse.csr_matrix
    first: Ints
    last: Ints
    length: Floats


def rarities(words: Sequence[str]) -> list[float]:
    """How rare each of these words in lower case is; 0 for what is no word."""
    found = stems(words, within=False)
    rare = np.zeros(len(words))
    rare[found.rows] = rarity()[found.columns]
    return [float(weight) for weight in rare]


def vectors(canonicals: Sequence[str]) -> list[Lesson]:
    """Posts as vectors of length 1 by rarity, without what tells nothing: what lessons add up."""
    found = stems(canonicals)
    cuts = np.searchsorted(found.rows, np.arange(len(canonicals) + 1)).tolist()
    made = []
    for first, last in pairwise(cuts):
        columns = np.unique(found.columns[first:last])
        rare = rarity()[columns].astype(np.float64)
        length = max(float(np.sqrt(rare @ rare)), 1e-9)
        kept = rare >= TELLING_FROM
        made.append(Lesson(columns[kept], rare[kept] / length))
    return made


class Likeness:
    """Compares posts with a fixed list of incidents."""

    def __init__(self, known: Sequence[Outline], lessons: Sequence[Lesson]) -> None:
        self._count = max(len(known), 1)
        lists = [*(p.columns for p in known), *(one.columns for one in lessons)]
        lists += [columns for p in known for columns in p.phrases]
        self._used = np.unique(np.concatenate([np.empty(0, np.int32), *lists]))
        self._place = np.full(1 << BITS, -1, np.int32)
        self._place[self._used] = np.arange(self._used.size)
        self._told = self._entries([p.columns for p in known])
        self._weights: list[Floats] = [
            _joined([p.whole for p in known]),
            _joined([p.what for p in known]),
            _joined([p.where for p in known]),
            _joined([p.heading for p in known]),
        ]
        self._taught = self._entries([one.columns for one in lessons])
        self._lessons = _joined([one.weights * rarity()[one.columns] for one in lessons])
        self._shared = self._index()
        self._make_phrases(known)

    def _entries(self, lists: Sequence[NDArray[np.int32]]) -> Ints:
        """Incident and column of each entry as one number, rising."""
        own = np.repeat(np.arange(len(lists)), [columns.size for columns in lists])
        columns = np.concatenate([np.empty(0, np.int32), *lists])
        found: Ints = own * self._used.size + self._place[columns]
        return found

    def _index(self) -> sparse.csr_matrix:
        """Which incidents have a stem, or were taught something about it: its rarity in steps."""
        entries = np.union1d(self._told, self._taught)
        own, column = np.divmod(entries, max(self._used.size, 1))
        values = np.round(rarity()[self._used[column]] * STEPS_PER_UNIT).astype(np.int32)
        return _matrix(column, own, values, (self._used.size, self._count))

    def _make_phrases(self, known: Sequence[Outline]) -> None:
        phrases = [(n, columns) for n, p in enumerate(known) for columns in p.phrases]
        self._phrase_of = np.array([n for n, _ in phrases], np.int64)
        self._phrase_size = np.array([columns.size for _, columns in phrases], np.int64)
        lists = [np.empty(0, np.int32), *(columns for _, columns in phrases)]
        rows = self._place[np.concatenate(lists)].astype(np.int64)
        own = np.repeat(np.arange(len(phrases)), self._phrase_size)
        ones = np.ones(rows.size, np.int32)
        self._phrases = _matrix(rows, own, ones, (self._used.size, len(phrases)))

    def compare(
        self, canonicals: Sequence[str], fits: Callable[[Ints, Ints], NDArray[np.bool_]]
    ) -> Alike:
        """The pairs that share enough that is rare, and that fit otherwise too."""
        posts = self._posts(canonicals)
        pairs = self._closest(posts.table, fits)
        row, column = np.divmod(pairs, self._count)
        # All stems of the post of each pair, looked up among those of its incident.
        ends = posts.table.indptr
        size = (ends[row + 1] - ends[row]).astype(np.int64)
        pair = np.repeat(np.arange(pairs.size), size)
        first = np.repeat(ends[row] - (np.cumsum(size) - size), size)
        stem = first + np.arange(pair.size)
        wanted = column[pair] * self._used.size + posts.table.indices[stem].astype(np.int64)
        told, at = _found(wanted, self._told)
        values = [_summed(pair[told], part[at], pairs.size) for part in self._weights]
        taught, at = _found(wanted, self._taught)
        lessons = _summed(pair[taught], self._lessons[at], pairs.size)
        shared = told if not taught.size else np.union1d(told, taught)
        # A stem may stand in a hashtag and in a word of its own, before or after it.
        words = np.maximum(
            _different(pair[shared], posts.first[stem[shared]], pairs.size),
            _different(pair[shared], posts.last[stem[shared]], pairs.size),
        )
        whole, what, where, heading = values
        phrase = self._has_phrase(posts.table, pairs)
        length = posts.length[row]
        return Alike(
            row, column, whole / length, what, where, heading, phrase, words, lessons / length
        )

    def _closest(
        self, posts: sparse.csr_matrix, fits: Callable[[Ints, Ints], NDArray[np.bool_]]
    ) -> Ints:
        """The pairs that share most that is rare, as numbers: post times incidents plus incident.

        However many incidents are open, a post is compared with no more than CLOSEST of them.
        """
        shared = posts @ self._shared
        enough = np.flatnonzero(shared.data >= SHARED_FROM * STEPS_PER_UNIT)
        row = np.repeat(np.arange(shared.shape[0]), np.diff(shared.indptr))[enough]
        column, value = shared.indices[enough].astype(np.int64), shared.data[enough]
        # First of all: what does not take the post must not count as what it shares most with.
        fit = fits(row, column)
        row, column, value = row[fit], column[fit], np.minimum(value[fit], _MOST_STEPS)
        if not row.size:
            return _NOWHERE
        first = _firsts(row)
        most = np.maximum.reduceat(value, np.flatnonzero(first))[np.cumsum(first) - 1]
        close = value >= SHARED_SHARE * most
        least = (row[close] * (_MOST_STEPS + 1) + _MOST_STEPS - value[close]) * self._count
        row, rest = np.divmod(np.sort(least + column[close]), (_MOST_STEPS + 1) * self._count)
        first = _firsts(row)
        rank = np.arange(row.size) - np.flatnonzero(first)[np.cumsum(first) - 1]
        kept = rank < CLOSEST
        return np.sort(row[kept] * self._count + rest[kept] % self._count)

    def _posts(self, canonicals: Sequence[str]) -> Posts:
        """Which of the index's stems each post has."""
        found = stems(canonicals)
        rare = rarity()[found.columns].astype(np.float64)
        length = np.sqrt(np.bincount(found.rows, rare * rare, len(canonicals)))
        place = self._place[found.columns]
        kept = place >= 0
        width = max(self._used.size, 1)
        # Sorting is faster here than the hashing of numpy.unique; the word rides along.
        keys = found.rows[kept].astype(np.int64) * width + place[kept]
        keys = np.sort(keys * _WORDS + found.words[kept] % _WORDS)
        keys, words = np.divmod(keys, _WORDS)
        first = _firsts(keys)
        last = np.append(first[1:], np.ones(min(keys.size, 1), np.bool_))
        row, column = np.divmod(keys[first], width)
        ends = np.searchsorted(row, np.arange(len(canonicals) + 1))
        shape = (len(canonicals), self._used.size)
        table = sparse.csr_matrix((np.ones(row.size, np.int32), column, ends), shape=shape)
        return Posts(table, words[first], words[last], length)

    def _has_phrase(self, posts: sparse.csr_matrix, pairs: Ints) -> Floats:
        """For each pair 1 if the post has all of a phrase of the incident, else 0."""
        product = posts @ self._phrases
        full = np.flatnonzero(product.data >= self._phrase_size[product.indices])
        row = np.searchsorted(product.indptr, full, side="right") - 1
        keys = row * self._count + self._phrase_of[product.indices[full]]
        found = np.zeros(pairs.size)
        place = np.searchsorted(pairs, keys)
        inside = place < pairs.size
        place, keys = place[inside], keys[inside]
        found[place[pairs[place] == keys]] = 1
        return found


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate([np.empty(0), *parts])


def _matrix(
    rows: Ints, columns: Ints, values: NDArray[np.int32], shape: tuple[int, int]
) -> sparse.csr_matrix:
    return sparse.csr_matrix(sparse.coo_matrix((values, (rows, columns)), shape=shape))


def _found(wanted: Ints, rising: Ints) -> tuple[Ints, Ints]:
    """Which of the wanted numbers there are, and where."""
    if not rising.size:
        return _NOWHERE, _NOWHERE
    at = np.minimum(np.searchsorted(rising, wanted), rising.size - 1)
    there = np.flatnonzero(rising[at] == wanted)
    return there, at[there]


def _summed(pairs: Ints, values: Floats, count: int) -> Floats:
    """The sum of the values of each pair."""
    found: Floats = np.bincount(pairs, values, count).astype(np.float64)
    return found


def _different(pairs: Ints, words: Ints, count: int) -> Floats:
    """How many different words each pair has."""
    keys = np.sort(pairs * _WORDS + words)
    return np.bincount(keys[_firsts(keys)] // _WORDS, minlength=count).astype(np.float64)


_NOWHERE: Final = np.empty(0, np.int64)


def _firsts(keys: Ints) -> NDArray[np.bool_]:
    """Which of keys in order are not the same as the one before."""
    first = np.ones(keys.size, np.bool_)
    first[1:] = keys[1:] != keys[:-1]
    return first
