"""How alike posts and what incidents say are, by the rare stems that they share.

Every number here depends on one post and one incident alone, never on what else is open: whoever
computes it, and whenever, gets the same. All incidents stand in one inverted index, so that a post
costs what it shares with them, not how many they are.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.steps import places
from pipeline.steps.stems import BITS, rarity, stems
from pipeline.steps.text import prepare_texts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: What is less rare than this tells no incident from another (and would cost most of the time).
TELLING_FROM: Final = 2.0
#: Rarity that a post must share with an incident to be compared with it: less is chance.
SHARED_FROM: Final = 3.5
#: And the share of what it shares with the incident that it shares most with.
SHARED_SHARE: Final = 0.4
#: A phrase is short, and rare enough that a post that has all of it hardly has it by chance.
PHRASE_WORDS: Final = 4
PHRASE_FROM: Final = 5.0
_PHRASE_ENDS: Final = re.compile(r"[.,;:!?|\n]+")


class Said(NamedTuple):
    """What an incident says: its heading, everything, and its regions."""

    heading: str
    whole: str
    regions: str


class Outline(NamedTuple):
    """An incident's stems (columns, rising) and what each weighs; made by ``outlines``.

    ``whole`` is a vector of length 1 over all stems; ``what`` and ``where`` are the rarity of
    those that tell what happens and those that name a place; ``heading`` is the share of the
    heading's rarity. ``phrases``: the columns of each that is more than a place.
    """

    columns: NDArray[np.int32]
    whole: Floats
    what: Floats
    where: Floats
    heading: Floats
    phrases: tuple[NDArray[np.int32], ...]


class Lesson(NamedTuple):
    """What people taught about an incident: a weight for each of some columns (rising)."""

    columns: NDArray[np.int32]
    weights: Floats


NO_LESSON: Final = Lesson(np.empty(0, np.int32), np.empty(0))


class Alike(NamedTuple):
    """Pairs of posts and incidents that share what is rare, by post and then incident, and how.

    ``whole``: cosine, 0 to 1. ``what`` and ``where``: rarity shared. ``heading``: 0 to 1.
    ``phrase``: 1 if the post has all of a phrase of the incident. ``taught``: likeness to what
    people confirmed, less than 0 to what they rejected.
    """

    rows: Ints
    columns: Ints
    whole: Floats
    what: Floats
    where: Floats
    heading: Floats
    phrase: Floats
    taught: Floats


@cache
def _place_words() -> frozenset[str]:
    """Words of the names of countries, their regions and large cities."""
    known = places.knowledge()
    words = {
        word
        for form, meant in known.forms.items()
        if form not in known.common_words
        and any(p.kind != "city" or p.population >= places.WORLD_CITY for p in meant)
        for word in form.split()
        if len(word) > 2
    }
    return frozenset(words - known.common_words) | known.us_states


def rarities(words: Sequence[str]) -> list[float]:
    """How rare each of these words in lower case is; 0 for what is no word."""
    found = stems(words, within=False)
    rare = np.zeros(len(words))
    rare[found.rows] = rarity()[found.columns]
    return [float(weight) for weight in rare]


def outlines(said: Sequence[Said]) -> list[Outline]:
    """The outlines of incidents, all at once."""
    phrases = [_PHRASE_ENDS.split(one.whole) for one in said]
    texts = [text for one in said for text in one]
    canonical = prepare_texts(texts + [part for parts in phrases for part in parts]).canonical
    regions = [
        " ".join((canonical[3 * n + 2], *_place_words().intersection(canonical[3 * n + 1].split())))
        for n in range(len(said))
    ]
    canonical[2 : 3 * len(said) : 3] = regions
    each = _each(canonical[: len(texts)], within=False)
    whats = zip(each[::3], each[1::3], each[2::3], strict=True)
    # A long word is in a post only if all of it is: its beginning may be a word like any other.
    short = [part if part.count(" ") < PHRASE_WORDS else "" for part in canonical[len(texts) :]]
    parts = iter(_each(short, within=True))
    return [
        _outline(heading, whole, where, [next(parts) for _ in own])
        for (heading, whole, where), own in zip(whats, phrases, strict=True)
    ]


def _each(canonicals: Sequence[str], *, within: bool) -> list[NDArray[np.int32]]:
    """The columns of each text."""
    found = stems(canonicals, within=within)
    cuts = np.searchsorted(found.rows, np.arange(len(canonicals) + 1)).tolist()
    return [found.columns[a:b] for a, b in pairwise(cuts)]


def _outline(
    heading: NDArray[np.int32],
    whole: NDArray[np.int32],
    where: NDArray[np.int32],
    parts: Sequence[NDArray[np.int32]],
) -> Outline:
    columns, times = np.unique(whole, return_counts=True)
    rare = rarity()[columns].astype(np.float64)
    vector = rare * (1 + np.log(times))
    vector /= max(float(np.sqrt(vector @ vector)), 1e-9)
    is_place = np.isin(columns, where)
    first = np.isin(columns, heading)
    share = np.where(first, rare, 0) / max(float(rare[first].sum()), 1e-9)
    kept = rare >= TELLING_FROM
    return Outline(
        columns[kept],
        (vector * rare)[kept],
        np.where(is_place, 0, rare)[kept],
        np.where(is_place, rare, 0)[kept],
        share[kept],
        _phrases(parts, where),
    )


def _phrases(
    parts: Sequence[NDArray[np.int32]], where: NDArray[np.int32]
) -> tuple[NDArray[np.int32], ...]:
    """The columns of those parts that are rare enough, and more than a place."""
    table, place, found = rarity(), set(where.tolist()), dict[bytes, NDArray[np.int32]]()
    for part in parts:
        if not part.size:
            continue
        rare = table[part]
        columns = part[rare >= TELLING_FROM]
        if rare.sum() >= PHRASE_FROM and not place.issuperset(columns.tolist()):
            columns = np.unique(columns)
            if table[columns].sum() >= PHRASE_FROM:
                found[columns.tobytes()] = columns
    return tuple(found.values())


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
        """Which incidents have a stem, or were taught something about it: its rarity."""
        entries = np.union1d(self._told, self._taught)
        own, column = np.divmod(entries, max(self._used.size, 1))
        values = rarity()[self._used[column]].astype(np.float64)
        return _matrix(column, own, values, (self._used.size, self._count))

    def _make_phrases(self, known: Sequence[Outline]) -> None:
        phrases = [(n, columns) for n, p in enumerate(known) for columns in p.phrases]
        self._phrase_of = np.array([n for n, _ in phrases], np.int64)
        self._phrase_size = np.array([columns.size for _, columns in phrases], np.int64)
        lists = [np.empty(0, np.int32), *(columns for _, columns in phrases)]
        rows = self._place[np.concatenate(lists)].astype(np.int64)
        own = np.repeat(np.arange(len(phrases)), self._phrase_size)
        ones = np.ones(rows.size)
        self._phrases = _matrix(rows, own, ones, (self._used.size, len(phrases)))

    def compare(
        self, canonicals: Sequence[str], fits: Callable[[Ints, Ints], NDArray[np.bool_]]
    ) -> Alike:
        """The pairs that share enough that is rare, and that fit otherwise too."""
        posts, length = self._posts(canonicals)
        shared = posts @ self._shared
        enough = np.flatnonzero(shared.data >= SHARED_FROM)
        row = np.searchsorted(shared.indptr, enough, side="right") - 1
        # First of all: what does not take the post must not count as what it shares most with.
        fit = fits(row, shared.indices[enough].astype(np.int64))
        enough, row = enough[fit], row[fit]
        most = np.zeros(len(canonicals))
        np.maximum.at(most, row, shared.data[enough])
        close = shared.data[enough] >= SHARED_SHARE * most[row]
        pairs = np.sort(row[close] * self._count + shared.indices[enough[close]])
        row, column = np.divmod(pairs, self._count)
        # All stems of the post of each pair, looked up among those of its incident.
        size = np.diff(posts.indptr)[row]
        pair = np.repeat(np.arange(pairs.size), size)
        within = np.arange(pair.size) - np.repeat(np.cumsum(size) - size, size)
        stem = posts.indices[posts.indptr[row][pair] + within]
        wanted = column[pair] * self._used.size + stem
        there, at = _found(wanted, self._told)
        values = [_summed(pair[there], part[at], pairs.size) for part in self._weights]
        there, at = _found(wanted, self._taught)
        taught = _summed(pair[there], self._lessons[at], pairs.size) / length[row]
        whole, what, where, heading = values
        phrase = self._has_phrase(posts, pairs)
        return Alike(row, column, whole / length[row], what, where, heading, phrase, taught)

    def _posts(self, canonicals: Sequence[str]) -> tuple[sparse.csr_matrix, Floats]:
        """Which of the index's stems each post has, and the length of the post's whole vector."""
        found = stems(canonicals)
        rare = rarity()[found.columns].astype(np.float64)
        length = np.sqrt(np.bincount(found.rows, rare * rare, len(canonicals)))
        place = self._place[found.columns]
        kept = place >= 0
        width = max(self._used.size, 1)
        # Sorting is faster here than the hashing of numpy.unique.
        keys = np.sort(found.rows[kept].astype(np.int64) * width + place[kept])
        row, column = np.divmod(keys[_firsts(keys)], width)
        ends = np.searchsorted(row, np.arange(len(canonicals) + 1))
        shape = (len(canonicals), self._used.size)
        return sparse.csr_matrix((np.ones(row.size), column, ends), shape=shape), length

    def _has_phrase(self, posts: sparse.csr_matrix, pairs: Ints) -> Floats:
        """For each pair 1 if the post has all of a phrase of the incident, else 0."""
        product = posts @ self._phrases
        full = np.flatnonzero(product.data >= self._phrase_size[product.indices] - 0.5)
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


def _matrix(rows: Ints, columns: Ints, values: Floats, shape: tuple[int, int]) -> sparse.csr_matrix:
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


_NOWHERE: Final = np.empty(0, np.int64)


def _firsts(keys: Ints) -> NDArray[np.bool_]:
    """Which of keys in order are not the same as the one before."""
    first = np.ones(keys.size, np.bool_)
    first[1:] = keys[1:] != keys[:-1]
    return first
