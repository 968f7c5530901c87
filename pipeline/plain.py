"""Mentions that are written as ours are, read in half the time that the model takes.

msgspec checks types, lengths and times as strictly as the model does; what it refuses, or might
take differently, is left to the model, right or wrong. So there is one place that says what a
mention is: the shape here is derived from it.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict
from pydantic.fields import FieldInfo

from pipeline.model import Author, Mention
from pipeline.values import MAX_NAME, MAX_TEXT_BYTES, MAX_WHOLE, UNKNOWN

#: Digits of a second that Python has no room for: the model cuts them off, msgspec rounds.
_TOO_FINE: Final = re.compile(rb"\d:\d\d\.\d{7}")
_TIMES: Final = ("said_at", "event_at", "seen_at")
_NAME: Final = Annotated[str, Meta(min_length=1)]


class _Author(Struct, gc=False, forbid_unknown_fields=True):
    id: str | None = None
    handle: str | None = None
    created_at: datetime | None = None


#: The types of fields that the model checks by more than a type.
_CHECKED: Final[dict[str, Any]] = {
    "source": _NAME,
    "external_id": _NAME,
    # Characters have up to four bytes: a longer text must be looked at.
    "text": Annotated[str, Meta(max_length=MAX_TEXT_BYTES // 4)],
    "author": _Author | None,
    "version": Annotated[int, Meta(ge=0, le=MAX_WHOLE)],
}


def _field(name: str, told: FieldInfo) -> tuple[Any, ...]:
    kind: Any = _CHECKED.get(name, told.annotation)
    if told.is_required():
        return name, kind
    if name in _TIMES or name == "author":  # None: not told
        return name, kind | None, None
    return name, kind, told.default


_Shape: Final = msgspec.defstruct(
    "_Shape",
    [_field(name, told) for name, told in Mention.model_fields.items()],
    kw_only=True,  # so that required fields may stand behind others, in the model's order
    forbid_unknown_fields=True,
    gc=False,
)
_decode: Final = msgspec.json.Decoder(_Shape).decode
_NOBODY: Final = Author()
_AUTHOR_FIELDS: Final = set(Author.model_fields)
_FIELDS: Final = set(Mention.model_fields)


def read_mention(data: bytes) -> Mention | None:
    """The mention in ``data``, which holds no escaped NUL; None for what the model must look at.

    Its ``model_fields_set`` tells which times were given; all other fields count as given.
    """
    if _TOO_FINE.search(data):
        return None
    try:
        told: Any = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if len(told.source) + len(told.external_id) >= MAX_NAME // 4:
        return None  # only the model counts bytes
    fields = asdict(told)
    given = _FIELDS
    before = None
    for name in _TIMES:
        at = fields[name]
        if at is None:
            fields[name] = before
            given = given - {name}
        elif at.tzinfo is not UTC or at == UNKNOWN:
            return None
        else:
            before = at
    if told.author is None:
        fields["author"] = _NOBODY
    elif (made := told.author.created_at) is not None and made.tzinfo is not UTC:
        return None
    else:
        fields["author"] = Author.unchecked(asdict(told.author), _AUTHOR_FIELDS)
    return Mention.unchecked(fields, given)
