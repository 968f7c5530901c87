"""What is wrong with a record or a setting, in one line: the field, what it wants, what was given.

Of what was given only the kind is told, unless the caller says that it may be shown: a record's
values are what strangers wrote.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MOST_FAULTS: Final = 5
#: Of what was given so much is shown.
MOST_SHOWN: Final = 60
_SECRET: Final = re.compile(r"from|secret|password|token|key|url|servers", re.IGNORECASE)
_NAME: Final = re.compile(r"[A-Za-z][\w-]{0,60}")

#: By the beginning of pydantic's type of an error, the longest first; values are its context's.
_WANTS: Final = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "date": "a time like YYYY-MM-DDThh:mm:ssZ",
    "timezone": "a time like YYYY-MM-DDThh:mm:ssZ",
    "path": "a path",
    "tuple": "a list",
    "list": "a list",
    "set": "a list",
    "iterable": "a list",
    "dict": "a table of names and values",
    "mapping": "a table of names and values",
    "model": "a table of names and values",
    "finite_number": "a number that ends",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "too_short": "{min_length} or more of them",
    "too_long": "{max_length} of them at most",
    "string_too_short": "{min_length} characters or more",
    "string_too_long": "{max_length} characters at most",
    "string_pattern_mismatch": "text of the form {pattern}",
}
_BY_LENGTH: Final = sorted(_WANTS, key=len, reverse=True)
#: Fields whose form is easier said than written down.
_FORMS: Final = {
    r"^[^\x00]+$": "text that is not empty",
    r"^(127\.\d+\.\d+\.\d+|localhost|::1)$": "an address of this machine, as 127.0.0.1",
}
#: What JSON and TOML have, by Python's name for it.
_KINDS: Final = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "a table",
    "NoneType": "nothing",
}


def explain(error: ValidationError, *, show: bool = False) -> str:
    """The first faults as one line. ``show``: what was given may be shown, it is the user's own."""
    problems = error.errors(include_url=False)
    told = [_fault(problem, show=show) for problem in problems[:MOST_FAULTS]]
    if len(problems) > MOST_FAULTS:
        told.append(f"and {len(problems) - MOST_FAULTS} more")
    return "; ".join(told)


def _fault(problem: "ErrorDetails", *, show: bool) -> str:
    # A name may be a stranger's, too: in a table of counts any will do.
    where = ".".join(
        str(part) if isinstance(part, int) or _NAME.fullmatch(part) else "?"
        for part in problem["loc"]
    )
    return ": ".join(filter(None, [where, _says(problem, show=show)]))


def _says(problem: "ErrorDetails", *, show: bool) -> str:
    """What is wrong, in the words of whoever wrote the settings or the record."""
    kind = problem["type"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "there is no such key here; look for a typing error"
    if kind == "value_error":  # our own words, which quote nothing
        return problem["msg"].removeprefix("Value error, ")
    wants = _wants(kind, problem.get("ctx", {}))
    # A secret may stand where the name of its variable should.
    is_open = show and not _SECRET.search(str((problem["loc"] or ("",))[-1]))
    given = _given(problem["input"], show=is_open)
    return f"wants {wants or 'something else'}{given}"


def _wants(kind: str, context: Mapping[str, Any]) -> str | None:
    begins = next((begin for begin in _BY_LENGTH if kind.startswith(begin)), None)
    if begins is None:
        return None
    if (pattern := context.get("pattern")) in _FORMS:
        return _FORMS[pattern]
    return _WANTS[begins].format_map(context)


def _given(value: Any, *, show: bool) -> str:
    kind = _KINDS.get(type(value).__name__)
    if kind is None:
        return ""
    if kind == "text" and not value:
        return ", was given an empty text"
    if show and isinstance(value, str | int | float):
        shown = repr(value) if isinstance(value, str) else str(value).lower()
        return f", was given {shown if len(shown) <= MOST_SHOWN else shown[:MOST_SHOWN] + '…'}"
    return f", was given {kind}"
