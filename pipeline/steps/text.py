"""Text made ready once per batch: plain for reading by models, canonical for finding repeats.

The canonical form is made for the whole batch at once, on an array of code points: a call of numpy
per batch costs less than a call of anything per post.
"""

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.model import Mention
from pipeline.steps import codepoints as cp

#: Characters of a text that the steps look at.
LOOKED_AT = 4_000
# What is cut off before anything is looked at; floods of invisible characters hide what follows.
_CUT_FIRST: Final = 4 * LOOKED_AT

_ODD = cp.as_class(cp.ranges_of((cp.CLASS == cp.INVISIBLE) | (cp.CLASS == cp.MARK)))
_HAS_ODD: Final = re.compile(f"[{_ODD}]")
_INVISIBLE: Final = re.compile(
    f"[{cp.as_class(cp.ranges_of(cp.CLASS == cp.INVISIBLE))}]+"  # controls and bidi among them
)
_MARKS = cp.as_class(cp.ranges_of(cp.CLASS == cp.MARK))
_PILED = cp.as_class(cp.PILED_MARKS)
# Two marks on a letter are a language (Vietnamese), more are decoration; scripts that build
# syllables from marks get four.
_PILE: Final = re.compile(f"([{_PILED}]{{2}})[{_PILED}]+")
_MARK_FLOOD: Final = re.compile(f"([{_MARKS}]{{4}})[{_MARKS}]+")

#: A hand-made repost: ``RT @name:`` in front, possibly several times; ``name`` is the innermost.
RETOLD: Final = re.compile(r"(?:\W{0,3}\b(?:RT|MT|rt) @(?P<name>\w+):? *)+")
_URL: Final = re.compile(r"https?:?/?/?\S*|\bwww\.\S+|\bpic\.twitter\.com/\S+", re.IGNORECASE)
_USER: Final = re.compile(r"@\w+")
_VIA: Final = re.compile(
    r"[\s(\[-]+(?:via|h/t|hat tip|cc) +@\w+(?: +@\w+)*[\s)\].!]*$", re.IGNORECASE
)
# The word before the dots was cut where a platform shortened a post.
_CUT_OFF: Final = re.compile(r"(?:\s|^)\S*\.{3}$")
_SHORTENED_FROM: Final = 100

# Letters of Greek and Cyrillic that look like a Latin one; folded only in words that mix scripts,
# so that Russian stays Russian and "раypal" becomes "paypal".
_LOOK_ALIKE: Final = dict(
    zip(
        "авсԁеһіјкӏмпорԛстухѕԝьгαβεικνορτυχωѵёї",
        "abcdehijklmnopqctyxswbraveiknoptuxwvei",
        strict=True,
    )
) | {"в": "b", "н": "h", "β": "b", "ο": "o", "ν": "v", "γ": "y", "η": "n", "з": "3"}


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a batch, aligned with it.

    ``plain``: NFKC, entities read, without invisible characters and bidi controls, at most two
    marks piled on a letter, whitespace folded, cut to ``LOOKED_AT``; case, URLs, @, #, punctuation
    and emoji kept.
    ``canonical``: casefolded words and digits with single spaces, without URLs, ``RT @name:``,
    user names, ``via @name``, emoji, punctuation and a word cut off at the end; look-alike letters
    of other scripts folded, runs of a letter shortened to two. Equal for what people call a copy.
    """

    plain: list[str]
    canonical: list[str]


def prepare(mentions: Sequence[Mention]) -> Texts:
    """The texts of a batch of mentions."""
    return prepare_texts([mention.text for mention in mentions])


def prepare_texts(texts: Sequence[str]) -> Texts:
    """The same for bare texts, for training and for what incidents say."""
    plains = [plain(text) for text in texts]
    return Texts(plains, canonicals(plains))


def plain(text: str) -> str:
    """One text, cleaned for reading by models."""
    if len(text) > _CUT_FIRST:
        text = text[:_CUT_FIRST]
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        if _HAS_ODD.search(text):
            text = _tamed(text)
        text = unicodedata.normalize("NFKC", text)
        # A decomposition may bring marks and spaces of its own.
        if _HAS_ODD.search(text):
            text = _tamed(text)
    elif not text.isprintable():
        text = _INVISIBLE.sub("", text)
    if "  " in text or not text.isprintable():
        text = " ".join(text.split())
    return text[:LOOKED_AT].strip()


def _tamed(text: str) -> str:
    """Without invisible characters and floods of marks.

    Before NFKC as well as after it, whose time grows with the square of a pile of marks.
    """
    return _MARK_FLOOD.sub(r"\1", _PILE.sub(r"\1", _INVISIBLE.sub("", text)))


def canonicals(plains: Sequence[str]) -> list[str]:
    """The canonical form of each plain text."""
    if not plains:
        return []
    whole = "\n".join(_without_frame(text) for text in plains)
    if "@" in whole:
        whole = _USER.sub(" ", whole)
    codes = np.frombuffer((whole.casefold() + "\n").encode("utf-32-le", "surrogatepass"), "<u4")
    kept = _KEEP[codes]
    kept = kept[kept != _DROP]
    kept = _unmixed(kept)
    return cp.cut(_folded(kept))


def _without_frame(text: str) -> str:
    """Without what a retelling puts around a text: the RT in front, URLs, via, a cut last word."""
    retold = RETOLD.match(text) if "@" in text else None
    if retold:
        text = text[retold.end() :]
    if "http" in text or "www." in text or "pic.t" in text:
        text = _URL.sub(" ", text)
    if "@" in text:
        text = _VIA.sub("", text)
    text = text.rstrip()
    if text.endswith("...") and (retold or len(text) >= _SHORTENED_FROM):
        text = _CUT_OFF.sub("", text)
    return text


_DROP: Final = 0xFFFFFFFF


def _keep() -> NDArray[np.uint32]:
    """What a canonical text makes of each code point: itself, a space, or nothing."""
    table = np.arange(cp.SIZE, dtype=np.uint32)
    table[np.isin(cp.CLASS, (cp.OTHER, cp.SPACE, cp.SYMBOL))] = ord(" ")
    table[cp.CLASS == cp.INVISIBLE] = _DROP
    for first, last in cp.PILED_MARKS:
        table[first : last + 1] = _DROP
    for sign in "'’`´ʼ":  # don't, don’t and dont are one word
        table[ord(sign)] = _DROP
    table[ord("\n")] = ord("\n")
    return table


_KEEP: Final = _keep()


def _scripts() -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """The look-alike of each code point, and its script: 1 Latin, 2 Greek or Cyrillic, else 0."""
    alike = np.arange(cp.SIZE, dtype=np.uint32)
    for foreign, latin in _LOOK_ALIKE.items():
        alike[ord(foreign)] = ord(latin)
    script = np.zeros(cp.SIZE, np.uint8)
    script[ord("a") : ord("z") + 1] = 1
    script[0x00DF:0x0250] = 1
    script[0x0370:0x0530] = 2
    return alike, script


_ALIKE, _SCRIPT = _scripts()


def _unmixed(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Look-alikes folded in words that hold Latin letters as well as Greek or Cyrillic ones."""
    script = _SCRIPT[codes]
    foreign = script == 2
    if not foreign.any():
        return codes
    word = np.cumsum((codes == ord(" ")) | (codes == ord("\n")))
    latin_words = np.zeros(int(word[-1]) + 1, np.bool_)
    latin_words[word[script == 1]] = True
    latin: NDArray[np.uint32] = np.where(foreign & latin_words[word], _ALIKE[codes], codes)
    return latin


def _folded(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Runs of a letter shortened to two, runs of spaces to one, none at the ends of a text."""
    before = np.empty_like(codes)
    before[0], before[1:] = ord("\n"), codes[:-1]
    again = codes == before
    third = again.copy()
    third[1:] &= again[:-1]
    third &= cp.CLASS[codes] == cp.LETTER
    space = codes == ord(" ")
    codes = codes[~(third | (space & (again | (before == ord("\n")))))]
    after = np.empty_like(codes)
    after[-1], after[:-1] = ord("\n"), codes[1:]
    folded: NDArray[np.uint32] = codes[(codes != ord(" ")) | (after != ord("\n"))]
    return folded
