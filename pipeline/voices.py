"""Voices: a few posts that stand for many, each fit to be read aloud in front of customers.

Chosen from what people reported: different people, different words, what and where named if
possible. Left out are posts with coarse words (``coarse.json`` beside this file), with names of
accounts inside the sentence, with what may be a number of a person or an order, and such as are too
short to say anything or too long to be read out. Nobody's words are changed but for what was only
addressing: accounts and links at the ends, and the signs of hashtags.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from pipeline.masking import masked
from pipeline.steps.text import plain, prepare_texts

#: Characters that can be read out in one breath, and say something.
SHORTEST, LONGEST = 15, 220
#: Posts that are looked at: the choice compares each with each chosen one.
MOST = 200
#: Two posts that share more of their words say the same.
ALIKE: Final = 0.6

_ADDRESSING = re.compile(r"^(?:RT\s+@\w+:?\s*|[.]?@[\w.]+[,:]?\s+)+|(?:\s+@[\w.]+)+\s*[.!?]*$")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_INSIDE = re.compile(r"[@\[\]<>{}\\]|\d[\d\s./-]{4,}\d|\w+\.(?:com|net|org|io|co|de|uk)\b")
_UNSEEN = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d\ufffd]+")


class Voice(NamedTuple):
    """One of them: the post's id and what is read out."""

    id: str
    words: str


def choose(rows: Sequence[Mapping[str, Any]], count: int = 3) -> list[Voice]:
    """At most ``count`` of these posts, the best first.

    A row has ``id``, ``text``, ``is_report``, ``repeat_kind``, and may have ``component``,
    ``place``, ``informative`` and whose it is (``author_key`` or ``handle``). The order of the rows
    does not matter.
    """
    fit = [
        (_worth(row, words), row, words, frozenset(prepare_texts([words]).canonical[0].split()))
        for row in sorted(rows, key=lambda r: str(r["id"]))[:MOST]
        if row.get("is_report") and row.get("repeat_kind") in {"original", "near"}
        if (words := spoken(row.get("text") or "")) is not None
    ]
    fit.sort(key=lambda one: (-one[0], str(one[1]["id"])))
    chosen: list[Voice] = []
    said: list[frozenset[str]] = []
    people: set[str] = set()
    for _, row, words, tokens in fit:
        person = str(row.get("author_key") or row.get("handle") or row["id"])
        if person in people or any(_alike(tokens, other) > ALIKE for other in said):
            continue
        chosen.append(Voice(str(row["id"]), words))
        said.append(tokens)
        people.add(person)
        if len(chosen) == count:
            break
    return chosen


def spoken(text: str) -> str | None:
    """What is read out of a text, None when it is not fit to be."""
    words = _LINK.sub(" ", plain(text))
    words = _UNSEEN.sub(" ", words).strip()
    words = " ".join(_ADDRESSING.sub("", words).split())
    if not SHORTEST <= len(words) <= LONGEST or _INSIDE.search(words) or masked(words) != words:
        return None
    if not _coarse().isdisjoint(prepare_texts([words]).canonical[0].split()):
        return None
    return words.replace("#", "")


def _worth(row: Mapping[str, Any], words: str) -> float:
    """How much a post tells: what, where, in a sentence rather than a shout."""
    told = (row.get("component") is not None) + (row.get("place") is not None)
    shouted = words.isupper()
    return told + (row.get("informative") == "yes") + (40 <= len(words) <= 160) - shouted


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, min(len(one), len(other)))


@cache
def _coarse() -> frozenset[str]:
    listed: dict[str, list[str]] = orjson.loads(
        Path(__file__).with_name("coarse.json").read_bytes()
    )
    every = [word for words in listed.values() for word in words]
    return frozenset(prepare_texts(every).canonical)
