"""Concepts: words that say the same thing in several languages count as one feature too.

The lists stand in ``words/*.toml``, a table for each concept, a string of words for each language.
A concept is a small number, 0 stands for none.
"""

import tomllib
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

WORDS: Final = Path(__file__).with_name("words")
#: More than there are concepts; the number of a pair of concepts is one times this plus the other.
MOST: Final = 64
_SHORTEST_STEM: Final = 3
# The article and the small words that Arabic writes together with the next one.
_ARABIC: Final = ("وال", "بال", "لل", "ال", "و", "ب", "ف")
_ARABIC_LETTERS: Final = str.maketrans("أإآٱىةؤئ", "ااااي" + "هوي")
_MARKED_SCRIPTS: Final = "\u0900"


class _Lists(NamedTuple):
    words: dict[str, int]
    stems: dict[str, int]
    longest_stem: int


def concept(word: str) -> int:
    """The concept of a word or sign in small letters, 0 for none."""
    lists = _lists()
    folded = _folded(word)
    found = _in(lists, folded)
    if found == 0 and folded and "\u0600" <= folded[0] <= "\u06ff":
        for front in _ARABIC:
            if folded.startswith(front) and len(folded) > len(front) + 1:
                found = _in(lists, folded[len(front) :])
                if found:
                    break
    return found


def names() -> list[str]:
    """The concepts by number, beginning with 1."""
    return list(_tables())


@cache
def number_of(name: str) -> int:
    """The number of the concept of that name."""
    return names().index(name) + 1


def _in(lists: _Lists, word: str) -> int:
    found = lists.words.get(word)
    if found is None:
        found = 0
        for size in range(min(len(word), lists.longest_stem), _SHORTEST_STEM - 1, -1):
            stem = lists.stems.get(word[:size])
            if stem is not None:
                found = stem
                break
    return found


def _folded(word: str) -> str:
    """Without accents; letters that Arabic writers exchange as one. Indic vowels stay."""
    if word.isascii() or word[0] >= _MARKED_SCRIPTS:
        return word
    word = word.translate(_ARABIC_LETTERS)
    parts = unicodedata.normalize("NFKD", word)
    return "".join(part for part in parts if not unicodedata.combining(part))


@lru_cache(maxsize=1)
def _tables() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name in ("feeling", "matters"):
        found |= tomllib.loads((WORDS / f"{name}.toml").read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=1)
def _lists() -> _Lists:
    words: dict[str, int] = {}
    stems: dict[str, int] = {}
    for number, table in enumerate(_tables().values(), start=1):
        for listed in table.values():
            for word in listed.split():
                if word.endswith("*"):
                    stems.setdefault(_folded(word[:-1]), number)
                else:
                    words.setdefault(_folded(word), number)
    return _Lists(words, stems, max(map(len, stems), default=0))
