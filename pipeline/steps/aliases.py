"""What and where: the component, the place and the version that a post names.

One automaton over all names, aliases and places of all tracks runs over each text once; what it
finds inside of words is dropped (60–70 % of raw hits). Measured: see bench/links.py.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from pipeline.model import Evidence, Label, Mention
from pipeline.steps import places
from pipeline.steps.edges import is_in_tag, joins
from pipeline.steps.spellings import spellings
from pipeline.steps.text import Texts
from pipeline.tracks import Track

#: From here on a label may be acted on.
SURE = 0.8
#: Systems whose version is told by number. The app's own version goes before them.
_SYSTEMS = {
    "ios": "iOS",
    "ipados": "iPadOS",
    "android": "Android",
    "macos": "macOS",
    "watchos": "watchOS",
    "windows": "Windows",
}
_NUMBER = r"(\d{1,6}(?:\.\d{1,6}){0,3})(?!\w|\.\d)"
_SYSTEM = re.compile(rf"\s{{0,2}}v?{_NUMBER}")
_SPELT = re.compile(rf"[ .:#]{{0,3}}v?{_NUMBER}")
_SHORT = re.compile(rf"{_NUMBER}")
#: How likely a name is a place that something leads to: "in Leeds", "#leeds", a postcode.
LED = 0.9
#: A British postcode, whole or its first half, which is taken only where a place is to be expected.
_POSTCODE = re.compile(r"[A-Z]{1,2}\d[A-Z\d]?(?P<rest> ?\d[A-Z]{2})?(?!\w)", re.IGNORECASE)
#: Words before a number that make it a version; ``v`` is looked for together with its digit.
_CUES = ("version", "versión", "versione", "versão", "build", "ver")


#: Kinds of patterns, and the head of the label that they lead to.
_HEAD = {
    "component": "component",
    "place": "place",
    "postcode": "place",
    "system": "version",
    "version": "version",
    "short": "version",
}


class _Target(NamedTuple):
    """What a pattern stands for, to mentions of which tracks (None: to all)."""

    kind: str  # component | place | postcode | system | version | short
    tracks: frozenset[str] | None
    name: str
    place: places.Place | None = None


#: What the automaton finds: the number of the pattern, and where it begins and ends.
_Raw = tuple[int, int, int]


class _Hit(NamedTuple):
    """A pattern found in a text at [start, end), not inside a word."""

    target: _Target
    start: int
    end: int


@dataclass(slots=True)
class _Tally:
    """How often and in what longest form a component was named."""

    form: str
    hits: int = 0
    order: int = 0
    taken: set[int] = field(default_factory=set)


class Aliases:
    """Finds the heads component, place and version. Built once, kept for the process.

    The automaton and the places are built at the first call (about 0.4 s, once).
    """

    def __init__(self, tracks: Sequence[Track] = ()) -> None:
        self._tracks = tuple(tracks)

    def find(self, mentions: Sequence[Mention], texts: Texts) -> list[dict[str, Label]]:
        """For each mention the heads that were found, with what they were found by.

        A component counts only for mentions of its track, a place only where the track's regions
        allow it (anywhere for mentions without a track).
        """
        found: list[dict[str, Label]] = [{} for _ in mentions]
        hits = self._raw(texts.plain)
        given = {row for row, one in enumerate(mentions) if one.place or one.app_version}
        for row in sorted(given.union(hits)):
            found[row] = self._labels(mentions[row], texts.plain[row], hits.get(row, ()))
        return found

    def _raw(self, texts: Sequence[str]) -> dict[int, list[_Raw]]:
        """What the automaton finds in each text that has anything, but for most of what is no word.

        All texts are looked through at once: a call for each costs as much as the search.
        """
        cased = [_of_one_length(text) for text in texts]
        starts = list(accumulate((len(text) + 1 for text in cased), initial=1))
        whole = "\n".join(("", *cased, ""))
        found: dict[int, list[_Raw]] = {}
        ends = self._whole_words
        for number, start, end in self._automaton.find_matches_as_indexes(
            whole.lower(), overlapping=True
        ):
            # Most lies inside of words of small letters, or is how one begins.
            if "a" <= whole[start] <= "z" and joins(whole[start - 1], "a"):
                continue
            if number in ends and "a" <= whole[end] <= "z" and "a" <= whole[end - 1] <= "z":
                continue
            row = bisect_right(starts, start) - 1
            found.setdefault(row, []).append((number, start - starts[row], end - starts[row]))
        return found

    def _labels(self, mention: Mention, text: str, raw: Sequence[_Raw]) -> dict[str, Label]:
        """The heads of one mention, from what the automaton found in its text."""
        labels: dict[str, Label] = {}
        sorts: dict[str, list[_Hit]] = {}
        for hit in self._hits(text, raw, mention.tracks):
            sorts.setdefault(_HEAD[hit.target.kind], []).append(hit)
        if sorts:
            for head, read in (("component", _component), ("place", _place), ("version", _version)):
                label = read(sorts[head], text) if head in sorts else None
                if label is not None:
                    labels[head] = label
        if mention.place and (given := self._given(mention)):
            # "Down in Leeds", written in Manchester, is about Leeds; a bare name may be anything.
            said = labels.get("place")
            if said is None or said.p < LED or places.holds(said.name, given.name):
                labels["place"] = given
        if mention.app_version:
            labels["version"] = _label("version", (told := mention.app_version[:50]), 1.0, told)
        return labels

    def _given(self, mention: Mention) -> Label | None:
        """The place that the platform says the post was made at, if it is one we know."""
        given = (mention.place or "")[:200]
        raw = self._raw([given]).get(0, ())
        hits = [h for h in self._hits(given, raw, mention.tracks) if h.target.kind == "place"]
        if not hits:
            return None
        best = max(hits, key=lambda h: (_NARROW[_where(h).kind], h.end - h.start, -h.start))
        return _placed(_where(best), 0.95, given[best.start : best.end])

    def _hits(self, text: str, raw: Sequence[_Raw], tracks: Iterable[str]) -> list[_Hit]:
        text = _of_one_length(text)
        found: list[_Hit] = []
        for number, start, end in raw:
            for target in self._targets[number]:
                if target.tracks is not None and target.tracks.isdisjoint(tracks or _NO_TRACK):
                    continue
                if _stands_alone(text, start, end, target.kind):
                    last = _postcode_end(text, start) if target.kind == "postcode" else end
                    if last:
                        found.append(_Hit(target, start, last))
        return found

    @cached_property
    def _patterns(self) -> dict[str, list[_Target]]:
        """What is looked for, and what it stands for."""
        patterns: dict[str, list[_Target]] = {}
        for form, target in self._all_targets():
            patterns.setdefault(form.lower(), []).append(target)
        return patterns

    @cached_property
    def _targets(self) -> list[list[_Target]]:
        return list(self._patterns.values())

    @cached_property
    def _whole_words(self) -> frozenset[int]:
        """The patterns that are names of places alone: these have no plural and no number."""
        kinds = ({target.kind for target in targets} for targets in self._targets)
        return frozenset(number for number, some in enumerate(kinds) if some == {"place"})

    @cached_property
    def _automaton(self) -> AhoCorasick:
        return AhoCorasick(list(self._patterns), matchkind=MatchKind.Standard)

    def _all_targets(self) -> Iterator[tuple[str, _Target]]:
        for track in self._tracks:
            mine = frozenset([track.name])
            for component in track.component:
                names = [form.strip() for form in (component.name, *component.aliases)]
                for form in dict.fromkeys(way for name in names for way in spellings(name)):
                    yield form, _Target("component", mine, component.name)
        yield from self._place_targets()
        for form in _SYSTEMS:
            yield form, _Target("system", None, form)
        for form in _CUES:
            yield form, _Target("version", None, form)
        for digit in "0123456789":
            yield f"v{digit}", _Target("short", None, "v")

    def _place_targets(self) -> Iterator[tuple[str, _Target]]:
        by_regions: dict[tuple[str, ...], set[str]] = {(): {_ANYWHERE}}
        for track in self._tracks:
            by_regions.setdefault(tuple(sorted(track.regions)), set()).add(track.name)
        for regions, names in by_regions.items():
            allowed = places.allowed(regions)
            for form, place in allowed.items():
                if len(form) > 1:
                    yield form, _Target("place", frozenset(names), place.name, place)
            known = set(allowed.values())
            for area, place in places.knowledge().postcodes.items():
                for digit in "0123456789" if place in known else "":
                    target = _Target("postcode", frozenset(names), place.name, place)
                    yield f"{area.lower()}{digit}", target


#: Stands for the tracks of a mention that has none.
_ANYWHERE = "\0anywhere"
_NO_TRACK = (_ANYWHERE,)
#: The narrower a place, the more it says.
_NARROW = {"continent": 0, "country": 1, "region": 2, "named": 3, "city": 3}


def _where(hit: _Hit) -> places.Place:
    if hit.target.place is None:
        raise ValueError("this hit is no place")
    return hit.target.place


def _of_one_length(text: str) -> str:
    """The text; in small letters if it has one of the few that change their length with case."""
    if text.isascii():
        return text
    low = text.lower()
    return text if len(low) == len(text) else low


def _stands_alone(text: str, start: int, end: int, kind: str) -> bool:
    """Whether [start, end) is no part of a longer word, a user name or an address.

    A hashtag has words inside: ``#LeedsOutage``.
    """
    if start and joins(text[start - 1], text[start]):
        return is_in_tag(text, start) and text[start].isupper() and text[start - 1].islower()
    if (
        end < len(text)
        and kind not in {"system", "short", "postcode"}
        and joins(text[end - 1], text[end])
    ):
        if is_in_tag(text, start):
            return text[end].isupper() and text[end - 1].islower()
        # A plural of a component is the component.
        plural = kind == "component" and end - start > 3 and text[end] in "sS"
        return plural and (end + 1 == len(text) or not joins(text[end], text[end + 1]))
    word = text[text.rfind(" ", 0, start) + 1 : start]
    return not word or (word[0] != "@" and "://" not in word and not word.startswith("www."))


def _postcode_end(text: str, start: int) -> int:
    """Where a postcode that begins here ends, 0 if it is none.

    The whole of one is told by its form. The first half alone ("LS6") may be anything else, so it
    wants capitals, and a word before it that leads to a place.
    """
    match = _POSTCODE.match(text, start)
    if match is None:
        return 0
    if match["rest"]:
        return match.end()
    word = text[:start].rstrip(" ").rpartition(" ")[2].lower()
    leads = word in places.knowledge().lead_ins or word == "postcode"
    # "the EH3 shop", but "the M1" is a road.
    leads |= word == "the" and match[0][1].isalpha()
    return match.end() if leads and match[0].isupper() else 0


def _outermost(hits: Sequence[_Hit]) -> list[_Hit]:
    """The hits that lie in no longer one: "card payment" is not also "card"."""
    if len(hits) < 2:
        return list(hits)
    kept: list[_Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        if not kept or hit.end > kept[-1].end or hit[1:] == kept[-1][1:]:
            kept.append(hit)
    return kept


def _component(hits: Sequence[_Hit], text: str) -> Label | None:
    """The component named by the longest form, then the most often, then the first."""
    tallies: dict[str, _Tally] = {}
    for hit in _outermost(hits):
        form = text[hit.start : hit.end]
        tally = tallies.setdefault(hit.target.name, _Tally(form, order=hit.start))
        tally.hits += hit.start not in tally.taken
        tally.taken.add(hit.start)
        if len(form) > len(tally.form):
            tally.form = form
    if not tallies:
        return None
    ranked = sorted(tallies.items(), key=lambda t: (-len(t[1].form), -t[1].hits, t[1].order, t[0]))
    name, best = ranked[0]
    # One named part is nearly always the one that is meant; among several we merely guess.
    p = 0.92 if len(ranked) == 1 else 0.6
    return _label("component", name, p, best.form)


def _place(hits: Sequence[_Hit], text: str) -> Label | None:
    """The narrowest place, told by the best sign ("in Leeds", "#leeds", "Leeds", "leeds")."""
    best: tuple[tuple[float, ...], _Hit, float] | None = None
    for hit in _outermost(hits):
        p = _place_p(hit, text)
        if p == 0:
            continue
        rank = (_NARROW[_where(hit).kind], p, hit.end - hit.start, -hit.start)
        if best is None or rank > best[0]:
            best = (rank, hit, p)
    if best is None:
        return None
    _, hit, p = best
    return _placed(_where(hit), p, text[hit.start : hit.end])


@lru_cache(maxsize=20_000)
def _placed(place: places.Place, p: float, found: str) -> Label:
    """The label of a place; of a city also what it lies in.

    Views tell by the latter whether an official word about a region covers the place.
    """
    label, wider = _label("place", place.name, p, found), places.wider(place)
    if not wider:
        return label
    lies_in = Evidence(kind="within", value=", ".join(wider), weight=0.0)
    return label.model_copy(update={"evidence": (*label.evidence, lies_in)})


def _place_p(hit: _Hit, text: str) -> float:
    """How likely the name is meant as a place; 0 when there is no reason to think so.

    The values are estimates by hand: a name after "in" or "#" is a place more often than a bare
    one, and a town called Reading needs such a sign.
    """
    found = text[hit.start : hit.end]
    before = text[max(0, hit.start - 24) : hit.start]
    if _where(hit).kind == "named" or hit.target.kind == "postcode":
        return LED  # the settings name it themselves
    capital = found[:1].isupper() or not found[:1].islower()
    common = found.lower() in places.knowledge().common_words or len(found) <= 3
    word = before.rstrip().rpartition(" ")[2].lstrip("(\"“‘'").lower()
    if text[hit.end :] == "...":
        return 0.0  # the platform cut the post short, maybe within the word
    if before.endswith("#") or (word in places.knowledge().lead_ins and before[-1:] == " "):
        return LED if capital or not common else 0.0
    if common:
        return 0.85 if found.isupper() and not text.isupper() and len(found) <= 3 else 0.0
    return 0.82 if capital else 0.7


def _version(hits: Sequence[_Hit], text: str) -> Label | None:
    """The app's version if it is told, else that of the system: ``4.1.2``, ``iOS 17.2``."""
    system: tuple[str, str] | None = None
    for hit in hits:
        if hit.target.kind == "system":
            if system is None and (match := _SYSTEM.match(text, hit.end)):
                name = f"{_SYSTEMS[hit.target.name]} {match[1]}"
                system = name, text[hit.start : match.end()]
        elif hit.target.kind == "version":
            if match := _SPELT.match(text, hit.end):
                return _label("version", match[1], 0.9, text[hit.start : match.end()])
        elif (match := _SHORT.match(text, hit.end - 1)) and "." in match[1]:
            return _label("version", match[1], 0.85, text[hit.start : match.end()])
    return None if system is None else _label("version", system[0], 0.9, system[1])


@lru_cache(20_000)
def _label(head: str, name: str, p: float, found: str) -> Label:
    """Labels are frozen and much the same from post to post: one object serves all."""
    reason = Evidence(kind=head, value=found, weight=p)
    return Label(name=name, p=p, sure=p >= SURE, evidence=(reason,))
