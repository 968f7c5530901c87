"""Claims: what people say about the cause that only its owner could know ("hacked", "data leaked").

They are collected as rumours, with counts and first seen, and never taken as facts: no other step
and no proposal looks at them. What an official word states itself is a rumour no longer
(``stated``). The phrases stand in ``claims.json`` beside this file, by claim and language, those of
people in whole words, those of official words by their beginnings; all of them are looked for in
every text, since languages borrow from each other.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from ahocorasick_rs import AhoCorasick, MatchKind

from pipeline.model import Evidence, Label
from pipeline.steps.text import Texts, prepare_texts

HEAD: Final = "claim"
#: Words before a phrase in which a denial takes the claim back: "has not really been hacked".
DENIED_WITHIN: Final = 3
#: Official words deny in longer sentences: "no evidence that any customer data was exposed".
OFFICIALLY_WITHIN: Final = 12
#: How much a phrase says that its claim is meant; an estimate by hand, nothing is decided by it.
P: Final = 0.6


_END: Final = re.compile(r"[.!?;:\n؟।]+")


class _Known(NamedTuple):
    finder: AhoCorasick
    phrases: Sequence[str]
    claims: Mapping[str, Sequence[str]]  # the claims that a phrase makes


def names() -> tuple[str, ...]:
    """The claims that are looked for."""
    return tuple(_data()["claims"])


def find(texts: Texts) -> list[dict[str, Label]]:
    """For each text a label ``claim`` if it makes one, with a reason for each claim it makes.

    The first claim is the label's name; it is never sure. The reasons' kind is the claim, their
    value the words that make it.
    """
    known = _of_people()
    return [_label(_made(f" {text} ", known, DENIED_WITHIN)) for text in texts.canonical]


def stated(texts: Sequence[str]) -> list[str]:
    """The claims that an official word makes itself, in these texts of one incident, in order."""
    known = _of_officials()
    sentences = [sentence for text in texts for sentence in _END.split(text)]
    made = [
        _made(f" {text} ", known, OFFICIALLY_WITHIN) for text in prepare_texts(sentences).canonical
    ]
    return sorted({claim for claims in made for claim in claims})


def _made(text: str, known: _Known, within: int) -> dict[str, str]:
    """The claims that a text makes, each with the longest words that make it.

    A denial so many words ``within`` before takes them back.
    """
    found: dict[str, str] = {}
    for which, start, _ in known.finder.find_matches_as_indexes(text, overlapping=True):
        if _denials().isdisjoint(text[:start].split()[-within:]):
            phrase = known.phrases[which]
            for claim in known.claims[phrase]:
                found[claim] = max(found.get(claim, ""), phrase.strip(), key=len)
    return found


def _label(found: Mapping[str, str]) -> dict[str, Label]:
    if not found:
        return {}
    reasons = tuple(Evidence(kind=claim, value=words, weight=P) for claim, words in found.items())
    return {HEAD: Label(name=reasons[0].kind, p=P, sure=False, evidence=reasons)}


@cache
def _data() -> dict[str, dict[str, dict[str, list[str]]]]:
    data: dict[str, dict[str, dict[str, list[str]]]] = orjson.loads(
        Path(__file__).with_name("claims.json").read_bytes()
    )
    return data


@cache
def _of_people() -> _Known:
    return _known("claims", " ")


@cache
def _of_officials() -> _Known:
    return _known("official", "")


def _known(who: str, end: str) -> _Known:
    """The phrases of people or officials; ``end`` is what must follow them."""
    claims: dict[str, list[str]] = {}
    for claim, languages in _data()[who].items():
        given = [phrase for phrases in languages.values() for phrase in phrases]
        for phrase in prepare_texts(given).canonical:
            of = claims.setdefault(f" {phrase}{end}", [])
            if claim not in of:
                of.append(claim)
    phrases = sorted(claims)
    finder = AhoCorasick(phrases, matchkind=MatchKind.Standard, store_patterns=False)
    return _Known(finder, phrases, claims)


@cache
def _denials() -> frozenset[str]:
    return frozenset(prepare_texts(list(_data()["denials"])).canonical)
