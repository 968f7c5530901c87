"""The ways in which people write the name of a component."""

import re
import unicodedata
from collections.abc import Iterator

#: How German is written without its letters, and from what length on words are joined.
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_JOINED_FROM = 6


def spellings(name: str) -> Iterator[str]:
    """The ways in which people write a name: in one word or several, with or without accents."""
    plain = name.lower()
    for spelt in dict.fromkeys((plain, _unaccented(plain), plain.translate(_SPELT_OUT))):
        words = re.split(r"[\s-]+", spelt)
        for glue in (" ", "-", "") if len(words) > 1 and len(spelt) >= _JOINED_FROM else ():
            yield glue.join(words)
        if spelt:
            yield spelt


def _unaccented(text: str) -> str:
    parts = unicodedata.normalize("NFD", text)
    return "".join(char for char in parts if not unicodedata.combining(char))
