"""What a source was told and cannot read: set aside with as much of it as a person looks at."""

import json
from typing import Any, Final

import orjson

from pipeline.ports import Unreadable

#: Bytes kept of what cannot be read.
KEPT: Final = 64 * 1024


def kept(raw: Any) -> bytes:
    """What is kept of it: bytes as they came, anything else as JSON."""
    if isinstance(raw, bytes):
        return raw[:KEPT]
    try:
        return orjson.dumps(raw, default=str)[:KEPT]
    except orjson.JSONEncodeError:  # half of a character, or a number of more than 64 bits
        return json.dumps(raw, default=str).encode()[:KEPT]


def unreadable(raw: Any, reason: object, origin: str) -> Unreadable:
    """It becomes a dead letter; ``origin`` says where it stood, the same each time it is read."""
    return Unreadable(kept(raw), str(reason), origin)
