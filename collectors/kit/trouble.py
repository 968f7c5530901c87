"""Errors of the network in words for a person."""

import re

#: A host that answers with a novel must not fill the log.
LONGEST = 200
_NUMBER = re.compile(r"\[Errno -?\d+\] ?")


def told(error: BaseException) -> str:
    """The error on one line, without its number; its type where it says nothing."""
    text = " ".join(_NUMBER.sub("", str(error)).split())
    return text[:LONGEST] or type(error).__name__
