"""Types of arguments that several commands take."""

import argparse
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
