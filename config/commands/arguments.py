"""Types of arguments that several commands take."""

import argparse
import unicodedata
from datetime import datetime

from pipeline.values import in_utc


def port(text: str) -> int:
    """A port to listen on; 0 takes a free one."""
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def moment(text: str) -> datetime:
    """A time; without a zone it is UTC."""
    try:
        return in_utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"a time looks like 2026-03-02 or 2026-03-02T09:00Z, not {text!r}"
        ) from error


def identity(text: str) -> str:
    """An id, without the blanks and line ends around it that files and tables bring."""
    bare = text.strip()
    if any(unicodedata.category(sign) == "Cc" for sign in bare):
        raise argparse.ArgumentTypeError(f"an id has no control characters, as {bare!r} has")
    return bare
