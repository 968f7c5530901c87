"""Words in disguise: what makes two spellings look alike to people and differ to a computer."""

import re
import unicodedata
from typing import Final

#: Marks that are piled on Latin letters; writing systems that need marks use others.
PILED_MARKS: Final = (
    (0x0300, 0x036F),
    (0x0483, 0x0489),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE20, 0xFE2F),
)
#: Letters of Greek and Cyrillic that look like a Latin one; folded only in words that mix scripts,
#: so that Russian stays Russian and "раypal" becomes "paypal".
LOOK_ALIKE: Final = dict(
    zip(
        "авсԁеһіјкӏмпорԛстухѕԝьгαβεικνορτυχωѵёї",
        "abcdehijklmnopqctyxswbraveiknoptuxwvei",
        strict=True,
    )
) | {"в": "b", "н": "h", "β": "b", "ο": "o", "ν": "v", "γ": "y", "η": "n", "з": "3"}

# Characters that nobody sees: soft hyphens, joiners, fillers, bidi controls, selectors, tags.
_UNSEEN: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
_PILED: Final = "".join(f"{chr(first)}-{chr(last)}" for first, last in PILED_MARKS)
_SUSPECT: Final = re.compile(f"[{_UNSEEN}{_PILED}]")
# NFKC needs time with the square of a pile of marks; no letter has more than two.
_PILE: Final = re.compile(f"([{_PILED}]{{2}})[{_PILED}]+")
_LATIN, _FOREIGN = "a-z\u00df-\u024f", "\u0370-\u052f"
_MIXED: Final = re.compile(f"[{_LATIN}][{_FOREIGN}]|[{_FOREIGN}][{_LATIN}]")
_WORD: Final = re.compile(r"\w+")
_TO_LATIN: Final = str.maketrans(LOOK_ALIKE)


def unmasked(text: str) -> str:
    """The text in NFKC and without case, as people read it.

    Invisible characters and marks that form no letter of their own are gone; in words that mix
    Latin with Greek or Cyrillic the look-alikes are Latin. "é" stays apart from "e".
    """
    if _SUSPECT.search(text):
        text = _PILE.sub(r"\1", text)
    text = unicodedata.normalize("NFKC", text).casefold()
    if _SUSPECT.search(text):  # normalising and folding bring marks of their own
        text = _SUSPECT.sub("", text)
    return _WORD.sub(_in_one_script, text) if _MIXED.search(text) else text


def _in_one_script(word: re.Match[str]) -> str:
    return word[0].translate(_TO_LATIN) if _MIXED.search(word[0]) else word[0]
