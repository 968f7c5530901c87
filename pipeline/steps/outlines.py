"""What an incident says, as the rare stems by which posts are compared with it.

Which of them name a place is told apart from those that tell what happens: names of places alone
make no link, however many there are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.steps import places
from pipeline.steps.kinds import kinds
from pipeline.steps.stems import LETTERS, rarity, stems
from pipeline.steps.text import prepare_texts

Floats = NDArray[np.float64]
Columns = NDArray[np.int32]
#: What is less rare than this tells no incident from another (and would cost most of the time).
TELLING_FROM: Final = 2.0
#: A phrase is short, and rare enough that a post that has all of it hardly has it by chance.
PHRASE_WORDS: Final = 4
PHRASE_FROM: Final = 5.0
_PHRASE_ENDS: Final = ".,;:!?|\n"
#: Words in the longest name of a place that is looked for.
_NAME_WORDS: Final = 3
_SHORTEST_PLACE: Final = 3
#: So many towns of a region count for an incident there, the largest.
_TOWNS: Final = 40
#: Parts of names of places ("West Texas", "New South Wales"); by themselves they name none.
_DIRECTIONS: Final = frozenset(
    {"north", "south", "east", "west", "northern", "southern", "eastern", "western", "central"}
)
#: "Russian" is of Russia: the same beginning, and about as long.
_ADJECTIVE: Final = 2


class Said(NamedTuple):
    """What an incident says: its heading, everything, and its regions."""

    heading: str
    whole: str
    regions: tuple[str, ...]


class Outline(NamedTuple):
    """An incident's stems (columns, rising) and what each weighs; made by ``outlines``.

    ``whole`` is a vector of length 1 over all stems; ``what`` and ``where`` are the rarity of
    those that tell what happens and those that name a place; ``heading`` is the share of the
    heading's rarity. ``phrases``: the columns of each that is more than a place. ``kinds``: a
    set of the kinds of event it names (see ``kinds``).
    """

    columns: Columns
    whole: Floats
    what: Floats
    where: Floats
    heading: Floats
    phrases: tuple[Columns, ...]
    kinds: int


def outlines(said: Sequence[Said]) -> list[Outline]:
    """The outlines of incidents, all at once."""
    marks = str.maketrans(_PHRASE_ENDS, "\n" * len(_PHRASE_ENDS))
    phrases = [one.whole.translate(marks).split("\n") for one in said]
    told = [text for one in said for text in (one.heading, one.whole, " ".join(one.regions))]
    canonical = prepare_texts(told + [part for parts in phrases for part in parts]).canonical
    for number, one in enumerate(said):
        whole, regions = canonical[3 * number + 1 : 3 * number + 3]
        canonical[3 * number + 2] = " ".join((regions, *place_words(whole.split(), one.regions)))
    named = kinds(canonical[1 : len(told) : 3]).tolist()
    each = _each(canonical[: len(told)], within=False)
    towns = _each([" ".join(_towns(one.regions)) for one in said], within=False)
    whats = zip(each[::3], each[1::3], each[2::3], towns, strict=True)
    # A long word is in a post only if all of it is: its beginning may be a word like any other.
    short = [part if part.count(" ") < PHRASE_WORDS else "" for part in canonical[len(told) :]]
    parts = iter(_each(short, within=True))
    return [
        _outline(heading, whole, where, towns, [next(parts) for _ in own])._replace(kinds=some)
        for (heading, whole, where, towns), own, some in zip(whats, phrases, named, strict=True)
    ]


def place_words(words: Sequence[str], regions: Sequence[str]) -> set[str]:
    """Those of these words that name a place.

    Countries, what is of them, their regions, large cities, whatever lies in ``regions``, and names
    of several words, written together or not. Directions count beside a name.
    """
    known = places.knowledge()
    found = set(_wide().intersection(words)) | _inside(words, tuple(regions))
    found.update(w for w in words if w in _written_together() or _is_of_country(w))
    for size in range(2, _NAME_WORDS + 1):
        for first in range(len(words) - size + 1):
            name = words[first : first + size]
            if " ".join(name) in known.forms:
                found.update(name)
    beside = {
        word
        for left, right in pairwise(words)
        for word, other in ((left, right), (right, left))
        if word in _DIRECTIONS and other in found
    }
    return found | beside


def _towns(regions: Sequence[str]) -> list[str]:
    """The proper names of regions, and of the largest towns of parts of countries."""
    known, found = places.knowledge(), list[str]()
    for region in regions:
        place = next(iter(places.locate(region)), None)
        if place is not None:
            found.append(places.fold(place.name))
            found.extend(_largest(place) if place.kind == "region" else ())
    return [name for name in found if name not in known.common_words]


@cache
def _largest(region: places.Place) -> list[str]:
    """The names of one word of the largest towns of a region."""
    inside = {
        place
        for meant in places.knowledge().forms.values()
        for place in meant
        if place.kind == "city" and places.contains(region, place)
    }
    largest = sorted(inside, key=lambda place: (-place.population, place.name))[:_TOWNS]
    return [places.fold(place.name) for place in largest if " " not in place.name]


def _inside(words: Iterable[str], regions: tuple[str, ...]) -> set[str]:
    """The words that are names of towns in the regions."""
    known = places.knowledge()
    return {
        word
        for word in set(words)
        if len(word) >= _SHORTEST_PLACE
        and word in known.forms
        and word not in known.common_words
        and any(places.within(word, region) for region in regions)
    }


@cache
def _wide() -> frozenset[str]:
    """Names of one word of countries, their regions and large cities."""
    words = {form for form in _large() if " " not in form and len(form) >= _SHORTEST_PLACE}
    known = places.knowledge()
    return frozenset(words - known.common_words) | known.us_states


@cache
def _beginnings() -> Mapping[str, int]:
    """The first letters of countries, and the letters of the longest that begins so."""
    found: dict[str, int] = {}
    for place in places.knowledge().codes.values():
        name = place.name.lower()
        if name.isalpha() and len(name) >= LETTERS:
            found[name[:LETTERS]] = max(len(name), found.get(name[:LETTERS], 0))
    return found


def _is_of_country(word: str) -> bool:
    """Whether the word is a country's name with another ending."""
    size = _beginnings().get(word[:LETTERS])
    return size is not None and abs(len(word) - size) <= _ADJECTIVE


@cache
def _written_together() -> frozenset[str]:
    """Names of several words without the spaces, as hashtags have them."""
    return frozenset(form.replace(" ", "") for form in _large() if " " in form)


def _large() -> Iterator[str]:
    """The names of all places but for towns."""
    for form, meant in places.knowledge().forms.items():
        if any(p.kind != "city" or p.population >= places.WORLD_CITY for p in meant):
            yield form


def _each(canonicals: Sequence[str], *, within: bool) -> list[Columns]:
    """The columns of each text."""
    found = stems(canonicals, within=within)
    cuts = np.searchsorted(found.rows, np.arange(len(canonicals) + 1)).tolist()
    return [found.columns[a:b] for a, b in pairwise(cuts)]


def _outline(
    heading: Columns, whole: Columns, where: Columns, towns: Columns, parts: Sequence[Columns]
) -> Outline:
    said, times = np.unique(whole, return_counts=True)
    phrases = _phrases(parts, where)
    # What stands inside of a hashtag is looked for, but weighs only as a whole phrase.
    columns = np.unique(np.concatenate([said, towns, *phrases]))
    rare = rarity()[columns].astype(np.float64)
    often = np.zeros(columns.size)
    often[np.searchsorted(columns, said)] = 1 + np.log(times)
    vector = rare * often
    vector /= max(float(np.sqrt(vector @ vector)), 1e-9)
    is_place = np.isin(columns, where) | np.isin(columns, towns)
    first = np.isin(columns, heading)
    share = np.where(first, rare, 0) / max(float(rare[first].sum()), 1e-9)
    kept = rare >= TELLING_FROM
    return Outline(
        columns[kept],
        (vector * rare)[kept],
        np.where(is_place | (often == 0), 0, rare)[kept],
        np.where(is_place, rare, 0)[kept],
        share[kept],
        phrases,
        kinds=0,
    )


def _phrases(parts: Sequence[Columns], where: Columns) -> tuple[Columns, ...]:
    """The columns of those parts that are rare enough, and more than a place."""
    table, place, found = rarity(), set(where.tolist()), dict[bytes, Columns]()
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
