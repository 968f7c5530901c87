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

from pipeline.disguise import LOOK_ALIKE, PILED_MARKS
from pipeline.model import Mention
from pipeline.steps import codepoints as cp

#: Characters of a text that the steps look at.
LOOKED_AT = 4_000
# What is cut off before anything is looked at; floods of invisible characters hide what follows.
_CUT_FIRST: Final = 4 * LOOKED_AT

# ASCII controls but for white space.
_CONTROLS: Final = dict.fromkeys(np.flatnonzero(cp.CLASS[:128] == cp.INVISIBLE).tolist())
_MARKS = cp.as_class(cp.ranges_of(cp.CLASS == cp.MARK))
_PILED = cp.as_class(PILED_MARKS)
# Two marks on a letter are a language (Vietnamese), more are decoration; scripts that build
# syllables from marks get four.
_PILE: Final = re.compile(f"([{_PILED}]{{2}})[{_PILED}]+")
_MARK_FLOOD: Final = re.compile(f"([{_MARKS}]{{4}})[{_MARKS}]+")

#: A hand-made repost: ``RT @name:`` in front, possibly several times; ``name`` is the innermost.
RETOLD: Final = re.compile(r"(?:\W{0,3}\b(?:RT|MT|rt) @(?P<name>\w+):? *)+")
_URL: Final = re.compile(r"https?:?/?/?\S*|\bwww\.\S+|\bpic\.twitter\.com/\S+", re.IGNORECASE)
# The same for nearly all; a pattern that begins with plain letters is found ten times as fast.
_HTTP: Final = re.compile(r"https?:?/?/?\S*")
_OTHER_URLS: Final = ("www.", "pic.t", "HTTP", "Http")
_USER: Final = re.compile(r"@\w+")
_VIA: Final = re.compile(
    r"[\s(\[-]+(?:via|h/t|hat tip|cc) +@\w+(?: +@\w+)*[\s)\].!]*$", re.IGNORECASE
)
_CREDITS: Final = ("via ", "cc ", "h/t ", "hat tip ")
# The word before the dots was cut where a platform shortened a post.
_CUT_OFF: Final = re.compile(r"(?:\s|^)\S*\.{3}$")
_SHORTENED_FROM: Final = 100


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a batch, aligned with it.

    ``plain``: NFKC, entities read, without invisible characters and bidi controls, at most two
    marks piled on a letter, whitespace folded, cut to ``LOOKED_AT``; case, URLs, @, #, punctuation
    and emoji kept.
    ``canonical``: casefolded words and digits with single spaces, without URLs, ``RT @name:``,
    user names, ``via @name``, emoji, punctuation and a word cut off at the end; look-alike letters
    of other scripts folded, runs of a letter shortened to two. Equal for what people call a copy.
    ``retold``: whom the post retells by hand (``RT @name: …``), without the @, None if it doesn't.
    """

    plain: list[str]
    canonical: list[str]
    retold: list[str | None]


def prepare(mentions: Sequence[Mention]) -> Texts:
    """The texts of a batch of mentions."""
    return prepare_texts([mention.text for mention in mentions])


def prepare_texts(texts: Sequence[str]) -> Texts:
    """The same for bare texts, for training and for what incidents say."""
    plain = plains(texts)
    told = [RETOLD.match(text) if "@" in text else None for text in plain]
    return Texts(
        plain, _canonicals(plain, told), [found["name"] if found else None for found in told]
    )


def plain(text: str) -> str:
    """One text, cleaned for reading by models."""
    return plains([text])[0]


def plains(texts: Sequence[str]) -> list[str]:
    """Texts, cleaned for reading by models."""
    cut = [text if len(text) <= _CUT_FIRST else text[:_CUT_FIRST] for text in texts]
    read = [html.unescape(text) if "&" in text else text for text in cut]
    wide = [number for number, text in enumerate(read) if not text.isascii()]
    for number, text in zip(wide, _tamed([read[number] for number in wide]), strict=True):
        read[number] = text
    return [_folded_spaces(text) for text in read]


def _folded_spaces(text: str) -> str:
    if text.isprintable():
        if "  " in text:
            text = " ".join(text.split())
    elif text.isascii():
        text = " ".join(text.translate(_CONTROLS).split())
    else:
        text = " ".join(text.split())
    return text[:LOOKED_AT].strip()


def _tamed(texts: list[str]) -> list[str]:
    """NFKC, without invisible characters and floods of marks.

    They go before NFKC, whose time grows with the square of a pile of marks, and after it: a
    decomposition may bring marks and spaces of its own.
    """
    before = _visible(texts)
    after = [unicodedata.normalize("NFKC", text) for text in before]
    changed = [number for number, text in enumerate(after) if text is not before[number]]
    for number, text in zip(changed, _visible([after[n] for n in changed]), strict=True):
        after[number] = text
    return after


def _visible(texts: list[str]) -> list[str]:
    """Without invisible characters (controls and bidi among them) and floods of marks."""
    if not texts:
        return texts
    whole = "".join(texts).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(whole, "<u4")
    kind = cp.CLASS[codes]
    ends = np.cumsum([len(text) for text in texts])
    hidden = kind == cp.INVISIBLE
    if hidden.any():
        gone = np.cumsum(hidden)
        ends -= np.where(ends > 0, gone[ends - 1], 0)
        codes, kind = codes[~hidden], kind[~hidden]
        left = codes.astype("<u4", copy=False).tobytes().decode("utf-32-le", "surrogatepass")
        starts = np.concatenate(([0], ends[:-1]))
        texts = [left[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    mark = kind == cp.MARK
    piles = np.flatnonzero(mark[:-2] & mark[1:-1] & mark[2:])
    for number in np.unique(np.searchsorted(ends, piles, side="right")).tolist():
        texts[number] = _MARK_FLOOD.sub(r"\1", _PILE.sub(r"\1", texts[number]))
    return texts


def _canonicals(plains: Sequence[str], told: Sequence[re.Match[str] | None]) -> list[str]:
    """The canonical form of each plain text; ``told`` is what begins a retelling."""
    if not plains:
        return []
    whole = "\n".join(map(_without_frame, plains, told))
    if "@" in whole:
        whole = _USER.sub(" ", whole)
    codes = np.frombuffer((whole.casefold() + "\n").encode("utf-32-le", "surrogatepass"), "<u4")
    kept = _KEEP[codes]
    kept = kept[kept != _DROP]
    kept = _unmixed(kept)
    return cp.cut(_folded(kept))


def _without_frame(text: str, told: re.Match[str] | None) -> str:
    """Without what a retelling puts around a text: the RT in front, URLs, via, a cut last word."""
    if told:
        text = text[told.end() :]
    if any(sign in text for sign in _OTHER_URLS):
        text = _URL.sub(" ", text)
    elif "http" in text:
        text = _HTTP.sub(" ", text)
    if "@" in text:
        small = text.lower()
        if any(credit in small for credit in _CREDITS):
            text = _VIA.sub("", text)
    text = text.rstrip()
    if text.endswith("...") and (told or len(text) >= _SHORTENED_FROM):
        text = _CUT_OFF.sub("", text)
    return text


_DROP: Final = 0xFFFFFFFF


def _keep() -> NDArray[np.uint32]:
    """What a canonical text makes of each code point: itself, a space, or nothing."""
    table = np.arange(cp.SIZE, dtype=np.uint32)
    table[np.isin(cp.CLASS, (cp.OTHER, cp.SPACE, cp.SYMBOL))] = ord(" ")
    table[cp.CLASS == cp.INVISIBLE] = _DROP
    for first, last in PILED_MARKS:
        table[first : last + 1] = _DROP
    for sign in "'’`´ʼ":  # don't, don’t and dont are one word
        table[ord(sign)] = _DROP
    table[ord("\n")] = ord("\n")
    return table


_KEEP: Final = _keep()


def _scripts() -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """The look-alike of each code point, and its script: 1 Latin, 2 Greek or Cyrillic, else 0."""
    alike = np.arange(cp.SIZE, dtype=np.uint32)
    for foreign, latin in LOOK_ALIKE.items():
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
