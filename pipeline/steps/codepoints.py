"""What a code point is, as numpy tables: the batch steps look characters up instead of asking.

The tables cover all of Unicode (0 .. 0x10FFFF) and are built once, on import, in some 20 ms.
"""

import unicodedata
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]

#: Classes of code points, the values of ``CLASS``.
OTHER, LETTER, MARK, DIGIT, SPACE, SYMBOL, CJK, INVISIBLE = range(8)
SIZE: Final = 0x110000
# Beyond this plane only ideographs, tags and private use are assigned.
_ASKED: Final = 0x20000

#: Characters without a look of their own that Unicode files under letters, marks or symbols.
_BLANKS: Final = (
    (0x034F, 0x034F),  # grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian selectors
    (0x2800, 0x2800),  # blank Braille pattern
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
    (0xE0000, 0xE0FFF),  # tags and more selectors
)
#: Scripts written without spaces, where one character is about a word.
_IDEOGRAPHS: Final = (
    (0x2E80, 0x2FDF),
    (0x3005, 0x3007),
    (0x3040, 0x30FF),
    (0x3100, 0x312F),
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x1B000, 0x1B16F),
    (0x20000, 0x3FFFF),
)
_BY_CATEGORY: Final = {"L": LETTER, "M": MARK, "N": DIGIT, "Z": SPACE, "S": SYMBOL}


def _classes() -> NDArray[np.uint8]:
    known: dict[str, int] = {}
    table = np.full(SIZE, OTHER, np.uint8)
    for code in range(_ASKED):
        category = unicodedata.category(chr(code))
        found = known.get(category)
        if found is None:
            found = INVISIBLE if category in {"Cf", "Cc"} else _BY_CATEGORY.get(category[0], OTHER)
            known[category] = found
        table[code] = found
    for first, last in _IDEOGRAPHS:
        span = table[first : last + 1]
        span[(span == LETTER) | (span == DIGIT) | (first >= _ASKED)] = CJK
    for first, last in _BLANKS:
        table[first : last + 1] = INVISIBLE
    for control in "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85":
        table[ord(control)] = SPACE
    return table


def _lower() -> Codes:
    table = np.arange(SIZE, dtype=np.uint32)
    for code in range(_ASKED):
        small = chr(code).lower()
        if len(small) == 1:
            table[code] = ord(small)
    return table


#: The class of each code point.
CLASS: Final = _classes()
#: The small letter of each code point, itself where there is none.
LOWER: Final = _lower()


def joined(texts: Sequence[str]) -> Codes:
    """The code points of all texts, each followed by a line feed. No text holds a line feed."""
    whole = "\n".join(texts) + "\n" if texts else ""
    return np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def cut(codes: Codes) -> list[str]:
    """The texts that ``joined`` made one."""
    whole = codes.astype("<u4", copy=False).tobytes().decode("utf-32-le", "surrogatepass")
    return whole.split("\n")[:-1]


def as_class(ranges: Sequence[tuple[int, int]]) -> str:
    """Ranges of code points as the inside of a character class of a regular expression."""
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


def ranges_of(wanted: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The ranges of code points for which ``wanted`` (one flag for each) is set."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], wanted, [False])).astype(np.int8)))
    return [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]
