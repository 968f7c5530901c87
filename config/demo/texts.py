"""The texts of the demo: written by hand, and parts that are put together."""

import random
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
# In posts/parts.toml "question" is about things to buy; about the failure people ask otherwise.
_PARTS_OF = {("failure", "question"): "question_failure"}
_MOST_TRIES = 200


class Said(NamedTuple):
    """A text in a language, and whether it says the same as an earlier one (its number)."""

    text: str
    lang: str
    same_as: int | None = None


@cache
def scenario() -> Mapping[str, Any]:
    """What scenario.toml says."""
    return tomllib.loads((HERE / "scenario.toml").read_text("utf-8"))


@cache
def sections(file: str) -> Mapping[str, Mapping[str, str]]:
    """The sections of a file of texts: by kind, then by language."""
    return tomllib.loads((HERE / "posts" / f"{file}.toml").read_text("utf-8"))


def lines(section: Mapping[str, str], key: str) -> list[str]:
    """The texts under a key, one a line; a tail keeps the blank in front of it."""
    return [line for line in section[key].split("\n") if line.strip()]


class Pool:
    """The texts of one kind: each hand-written one once, then new combinations of parts.

    A combination that shares two of its three parts with an earlier one says the same as that.
    Kinds without parts come again, with other words before and behind: as people who repeat.
    """

    def __init__(self, file: str, kind: str, chance: random.Random) -> None:
        self._chance = chance
        section = sections(file)[kind]
        written = [
            (line, lang) for lang in section if lang != "quote" for line in lines(section, lang)
        ]
        self._left = chance.sample(written, len(written))
        self._parts = sections("parts").get(_PARTS_OF.get((file, kind), kind))
        self._given: list[Said] = []
        #: Which text had two parts first: their places and numbers.
        self._pairs: dict[tuple[int, int, int, int], int] = {}

    def next(self, towns: Sequence[str]) -> Said:
        """The next text, with its blanks filled in."""
        if self._left:
            text, lang = self._left.pop()
            said = Said(fill(text, self._chance, towns), lang)
        elif self._parts is not None:
            said = self._combined(self._parts, towns)
        else:
            said = self._again(towns)
        self._given.append(said)
        return said

    def _combined(self, section: Mapping[str, str], towns: Sequence[str]) -> Said:
        choices = [lines(section, place) for place in ("start", "middle", "end")]
        for _ in range(_MOST_TRIES):
            chosen = [self._chance.randrange(len(parts)) for parts in choices]
            pairs = [(i, chosen[i], j, chosen[j]) for i, j in ((0, 1), (1, 2), (0, 2))]
            same_as = min(
                (self._pairs[pair] for pair in pairs if pair in self._pairs), default=None
            )
            if same_as is None:
                break
        for pair in pairs:
            self._pairs.setdefault(pair, len(self._given) if same_as is None else same_as)
        text = joined([parts[number] for parts, number in zip(choices, chosen, strict=True)])
        return Said(fill(text, self._chance, towns), "en", same_as)

    def _again(self, towns: Sequence[str]) -> Said:
        number = self._chance.randrange(len(self._given))
        earlier = self._given[number]
        first = number if earlier.same_as is None else earlier.same_as
        text = alike(self._given[first].text, earlier.lang, self._chance, towns)
        return Said(text, earlier.lang, first)


def joined(parts: Sequence[str]) -> str:
    """Parts with blanks between them, but none before punctuation."""
    text = parts[0]
    for part in parts[1:]:
        text += part if part[0] in ".,?!" else f" {part}"
    return text


def alike(text: str, lang: str, chance: random.Random, towns: Sequence[str]) -> str:
    """Nearly the same words, as of somebody who agrees."""
    if lang != "en":
        return text + chance.choice(["!!", " …", " 😤", " 😩", " 🙄"])
    opener = chance.choice(lines(sections("failure")["opener"], "en"))
    tail = chance.choice(lines(sections("failure")["tail"], "en"))
    form = chance.randrange(3)
    before, behind = ("" if form == 0 else f"{opener} "), ("" if form == 1 else tail)
    return fill(f"{before}{text}{behind}", chance, towns)


def fill(text: str, chance: random.Random, towns: Sequence[str]) -> str:
    """Fills the blanks: a town, a thing to buy, a small number."""
    items = scenario()["items"]
    return (
        text.replace("{place}", chance.choice(towns))
        .replace("{item}", chance.choice(items))
        .replace("{n}", str(chance.randint(5, 40)))
    )
