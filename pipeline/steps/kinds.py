"""Kinds: what kind of event a text speaks of (a flood, a fire, payments), in many languages.

Two incidents in one place share most of their words; what tells them apart is the kind. The words
stand in ``kinds.json`` beside this file. A set of kinds is a number with a bit for each of them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import orjson
from ahocorasick_rs import AhoCorasick
from numpy.typing import NDArray

Kinds = NDArray[np.int64]
_FILE: Final = Path(__file__).with_name("kinds.json")


class _Known(NamedTuple):
    finder: AhoCorasick
    bits: Sequence[int]  # of each pattern
    names: tuple[str, ...]


def kinds(canonicals: Sequence[str]) -> Kinds:
    """The kinds that each canonical text names; 0: none."""
    known = _known()
    starts = list(accumulate((len(text) + 2 for text in canonicals), initial=0))
    found = [0] * len(canonicals)
    whole = "".join(f" {text} " for text in canonicals)
    for pattern, start, _ in known.finder.find_matches_as_indexes(whole, overlapping=True):
        found[bisect_right(starts, start) - 1] |= known.bits[pattern]
    return np.array(found, np.int64)


def names(kinds: int) -> tuple[str, ...]:
    """The names of the kinds in a set."""
    return tuple(name for bit, name in enumerate(_known().names) if kinds >> bit & 1)


@cache
def _known() -> _Known:
    told = orjson.loads(_FILE.read_bytes())["kinds"]
    patterns: dict[str, int] = {}
    for bit, ways in enumerate(told.values()):
        for form in _forms(ways):
            patterns[form] = patterns.get(form, 0) | 1 << bit
    return _Known(AhoCorasick(list(patterns)), list(patterns.values()), tuple(told))


def _forms(ways: dict[str, list[str]]) -> Iterable[str]:
    """What is looked for in a text with a space on either side of each word."""
    yield from ways["anywhere"]
    yield from (f" {word}" for word in ways["begins"])
    yield from (f"{word} " for word in ways.get("ends", ()))
    yield from (f" {word} " for word in ways["word"])
