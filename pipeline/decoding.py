"""Foreign JSON becomes words, here and nowhere else; what cannot be read is set aside."""

import json
from typing import Any, TypeVar, cast

import orjson
from pydantic import ValidationError

from pipeline import plain
from pipeline.errors import SetAside
from pipeline.explaining import explain
from pipeline.model import Decision, Mention, Removal, Word
from pipeline.values import sound

W = TypeVar("W", bound=Word)
NUL_ESCAPED = b"\\u0000"


def load(data: bytes | str) -> Any:
    """The JSON value in ``data``; lone surrogates and NUL become U+FFFD.

    Raises SetAside when it is no JSON.
    """
    try:
        value = orjson.loads(data)
        return _mend(value) if _has_nul(data) else value
    except orjson.JSONDecodeError as strict:
        try:
            # orjson refuses lone surrogates, which real platforms send; the standard library reads
            # them, and they are mended here. NaN and Infinity stay refused.
            return _mend(json.loads(data, parse_constant=_no_constant))
        except (ValueError, RecursionError):
            raise SetAside(f"no JSON: {strict}") from strict


def _has_nul(data: bytes | str) -> bool:
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    # Most have no backslash at all, which is found out sooner.
    return b"\\" in data and NUL_ESCAPED in data


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _mend(value: Any) -> Any:
    if isinstance(value, str):
        return sound(value)
    if isinstance(value, list):
        return [_mend(item) for item in value]
    if isinstance(value, dict):
        return {sound(k): _mend(v) for k, v in value.items()}
    return value


def read(kind: type[W], data: bytes | str) -> W:
    """The word in ``data``. Raises SetAside with a reason that says what is missing or wrong."""
    if not _has_nul(data):
        if kind is Mention and isinstance(data, bytes):
            mention = plain.read_mention(data)
            if mention is not None:
                return cast(W, mention)
        try:
            return kind.model_validate_json(data)
        except ValidationError:
            pass  # it also refuses lone surrogates, and null where a default would do
    return check(kind, load(data))


def check(kind: type[W], value: Any) -> W:
    """The word in an already decoded JSON value. Raises SetAside as ``read`` does."""
    if not isinstance(value, dict):
        raise SetAside(f"{_named(kind)} is a JSON object, this is not")
    try:
        return kind.model_validate({k: v for k, v in value.items() if v is not None})
    except ValidationError as error:
        raise SetAside(f"not {_named(kind)}: {explain(error)}") from error


def _named(kind: type[Word]) -> str:
    name = kind.__name__.lower()
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def read_post(data: bytes | str) -> Mention | Removal | Decision:
    """One line of a recorded file or one record of ``mentions``: the word its fields name."""
    value = load(data)
    if isinstance(value, dict) and "removal" in value:
        return check(Removal, value)
    if isinstance(value, dict) and "verb" in value and "text" not in value:
        return check(Decision, value)
    return check(Mention, value)
