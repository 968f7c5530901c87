"""How hostile text is shown: what only disturbs the page or its reader is taken out.

Escaping is not done here: the page sets text as text. This is about what stays harmful even then:
controls that turn the reading direction round, characters nobody sees, towers of accents, and
texts without an end.
"""

import re
import unicodedata
from urllib.parse import urlsplit

#: What the feed shows of one text; the post's own page shows all of it.
SHOWN = 1_000
#: Marks on one letter. Vietnamese, Hebrew and Thai need up to three; the fourth is courtesy.
MARKS = 4

# England's flag and its like are a black flag followed by tag characters; elsewhere these, and the
# other invisible characters, only hide text. The joiners U+200C and U+200D stay: Persian and
# Hindi spelling and many emoji need them.
_UNSEEN = re.compile(
    "(\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f)"
    "|[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BREAKS = re.compile(r"(?:[^\S\n]*\n){3,}")


def shown(text: str, limit: int | None = SHOWN) -> str:
    """``text`` without bidi controls and unseen characters, accents capped, cut to ``limit``."""
    # Cut before the work, generously: what is taken out must not make a long text cheap to send.
    text = text if limit is None else text[: limit * 4]
    text = text.replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    text = _CONTROL.sub("\ufffd", _UNSEEN.sub(lambda found: found[1] or "", text))
    text = _BREAKS.sub("\n\n", _cap_marks(text)).strip()
    if limit is not None and len(text) > limit:
        text = text[: limit - 1].rstrip() + "…"
    return text


def line(text: str, limit: int = 200) -> str:
    """``shown`` on one line, for names and titles."""
    return " ".join(shown(text, limit).split())


def web_url(url: str | None) -> str | None:
    """``url`` if a click on it can only open a web page, else None."""
    if not url or len(url) > 2_000 or any(c.isspace() or ord(c) < 32 for c in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None


def _cap_marks(text: str) -> str:
    # Most texts have no marks at all, and few different characters to tell that by.
    if text.isascii() or not any(map(_is_mark, set(text))):
        return text
    kept: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", text):
        marks = marks + 1 if _is_mark(char) else 0
        if marks <= MARKS:
            kept.append(char)
    return "".join(kept)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in {"Mn", "Me"}
