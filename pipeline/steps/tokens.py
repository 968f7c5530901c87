"""Words and signs of a whole batch at once, as numbers.

All texts of a batch stand in one array of code points. A word's hash is a sum of powers over its
characters, so that every word of the batch comes out of a few numpy calls. Hashes depend on nothing
but the text: no seed, no platform.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.steps import codepoints as cp
from pipeline.steps.hashing import BASE, Hashes, mixed

Ints: TypeAlias = NDArray[np.int64]

# A URL and a user name become one character each, of the private use area, which is cleared of
# what posts bring of it.
_URL, _USER = "\ue000", "\ue001"
# Each begins with a set of characters, which the search for it skips to; what must not stand before
# comes second.
_URLS: Final = re.compile(r"[hw](?<!\w.)(?:ttps?://|ww\.)\S+", re.IGNORECASE)
_USERS: Final = re.compile(r"@\w+")
_PRIVATE: Final = re.compile("[\ue000-\uf8ff]")
# Faces made of signs, as the emoji that says the same.
_FACE: Final = re.compile(r"[:;=<](?<![\w(].)(?:(?<!<)['-]?[()\[\]DdPp/\\|*oO]|(?<=<)3)(?!\w)")
_EMOJI: Final = {
    ")": "🙂", "]": "🙂", "D": "😀", "d": "😀", "P": "😋", "p": "😋", "*": "😘", "3": "❤",
    "(": "🙁", "[": "🙁", "/": "😕", "\\": "😕", "|": "😑", "o": "😮", "O": "😮",
}  # fmt: skip

#: What a code point is to the tokeniser: part of a word, a token by itself, or nothing.
_NOTHING, _WORD, _ALONE, _APOSTROPHE = range(4)


class Tokens(NamedTuple):
    """The tokens of a batch, text by text in order.

    ``codes`` are the small letters of the whole batch; token i is
    ``codes[starts[i] : starts[i] + sizes[i]]`` of text ``rows[i]``. ``loud`` marks words in
    capitals, ``word`` what is a word and no sign. Equal hashes are equal tokens; all numbers are
    one token.
    """

    hashes: Hashes
    rows: Ints
    starts: Ints
    sizes: Ints
    word: NDArray[np.bool_]
    loud: NDArray[np.bool_]
    codes: cp.Codes


def tokenised(texts: Sequence[str]) -> Tokens:
    """The words and signs of plain texts.

    A URL, a user name and a number count as one token each; ``!``, ``?``, ``#``, quotation marks,
    emoji and each ideograph are tokens of their own; of a run of one character two stay.
    """
    codes = _normalised(texts)
    kind = _KIND[codes]
    at = np.flatnonzero(kind)
    if not at.size:
        return _NO_TOKENS
    word = kind[at] == _WORD
    starts = np.ones(at.size, np.bool_)
    starts[1:] = (np.diff(at) > 1) | ~word[1:] | ~word[:-1]
    first = np.flatnonzero(starts)
    size = np.diff(np.append(first, at.size))
    place = np.arange(at.size) - np.repeat(first, size)
    small = cp.LOWER[codes]
    inside = small[at]
    powers = _powers(int(size.max()))
    hashes = mixed(
        np.add.reduceat((inside.astype(np.uint64) + np.uint64(1)) * powers[place], first)
    )
    digits = np.logical_and.reduceat(cp.CLASS[inside] == cp.DIGIT, first)
    hashes[digits] = _NUMBER
    loud = np.logical_and.reduceat(codes[at] != inside, first) & (size > 1)
    breaks = np.flatnonzero(codes == ord("\n"))
    begins = at[first]
    rows = np.searchsorted(breaks, begins) - 1
    return Tokens(hashes, rows, begins, size, word[first] & ~digits, loud, small)


def _normalised(texts: Sequence[str]) -> cp.Codes:
    """The code points of the texts, each behind a line feed, which marks its beginning.

    URLs and user names as one character each, no apostrophes (don't and dont are one word).
    """
    whole = "\n".join(["", *(t.replace("\n", " ") if "\n" in t else t for t in texts)])
    if not whole.isascii():
        whole = _PRIVATE.sub(" ", whole)
    whole = _URLS.sub(f" {_URL} ", whole)
    whole = _FACE.sub(_as_emoji, _USERS.sub(f" {_USER} ", whole))
    codes = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    keep = _KIND[codes] != _APOSTROPHE
    same = codes[1:] == codes[:-1]
    keep[2:] &= ~(same[1:] & same[:-1]) | (codes[2:] == ord("\n"))
    kept: cp.Codes = codes[keep]
    return kept


def _as_emoji(face: re.Match[str]) -> str:
    return f" {_EMOJI[face[0][-1]]} "


def _kinds() -> NDArray[np.uint8]:
    kinds = np.full(cp.SIZE, _NOTHING, np.uint8)
    kinds[np.isin(cp.CLASS, (cp.LETTER, cp.MARK, cp.DIGIT))] = _WORD
    kinds[np.isin(cp.CLASS, (cp.SYMBOL, cp.CJK))] = _ALONE
    for sign in f'!?#%"“”«»¡¿؟…{_URL}{_USER}':
        kinds[ord(sign)] = _ALONE
    for sign in "'’ʼ`´":
        kinds[ord(sign)] = _APOSTROPHE
    for sign in "=+<>|~^":
        kinds[ord(sign)] = _NOTHING
    # Skin tones say nothing, and would stand between two equal emoji.
    kinds[0x1F3FB:0x1F400] = _APOSTROPHE
    return kinds


_KIND: Final = _kinds()


def _powers(count: int) -> Hashes:
    powers = np.full(count, BASE, np.uint64)
    powers[0] = 1
    np.cumprod(powers, out=powers)
    return powers


_NUMBER: Final = mixed(np.array([0xE002], np.uint64))[0]
_NONE: Final = np.empty(0, np.int64)
_NO_TOKENS: Final = Tokens(
    np.empty(0, np.uint64), _NONE, _NONE, _NONE,
    np.empty(0, np.bool_), np.empty(0, np.bool_), np.empty(0, np.uint32),
)  # fmt: skip
