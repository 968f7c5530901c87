"""Places in a JSON document: ``incident.labels[0].name``, a small and usual part of JSONPath.

``$.`` at the beginning may be left out. ``[*]`` stands for all elements of a list, ``['a.b']`` for
a name with dots in it. There are no filters and no scripts.
"""

import re
from functools import lru_cache
from typing import Any, Final

Step = str | int | None  # a name, a place in a list, None for all of it
_STEP: Final = re.compile(
    r"\.?(?P<name>[^.\[\]'\"]+)|\[(?P<place>-?\d{1,6})\]|\[(?P<all>\*)\]"
    r"|\[(?P<quote>['\"])(?P<quoted>.+?)(?P=quote)\]"
)


@lru_cache(maxsize=1_024)
def parsed(path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises ValueError for what is none."""
    rest = path.strip().removeprefix("$")
    steps: list[Step] = []
    while rest:
        found = _STEP.match(rest)
        if found is None:
            raise ValueError(f"no path of JSON: {path!r}")
        name = found["name"] or found["quoted"]
        place = int(found["place"]) if found["place"] else None
        steps.append(name if name is not None else place)
        rest = rest[found.end() :]
    if not steps:
        raise ValueError("a path of JSON names something")
    return tuple(steps)


def at(document: Any, path: str) -> Any:
    """What stands there, None where nothing does; with ``[*]`` a list of what stands there."""
    return _at(document, parsed(path))


def text(document: Any, path: str) -> str | None:
    """The text there, or a number as text; None for anything else and for no text at all."""
    value = at(document, path)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value) or None


def _at(value: Any, steps: tuple[Step, ...]) -> Any:
    for number, step in enumerate(steps):
        if step is None:
            if not isinstance(value, list):
                return None
            found = [_at(one, steps[number + 1 :]) for one in value]
            return [one for one in found if one is not None]
        value = _one(value, step)
    return value


def _one(value: Any, step: str | int) -> Any:
    if isinstance(step, int):
        is_there = isinstance(value, list) and -len(value) <= step < len(value)
        return value[step] if is_there else None
    return value.get(step) if isinstance(value, dict) else None
