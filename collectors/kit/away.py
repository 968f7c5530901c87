"""Posts that are not where we found them: hidden until they are back, erased if they stay away."""

from typing import Any, Final, Literal

#: How many posts that are away a cursor remembers; of older ones it is not told that they are back.
MOST: Final = 2_000
_KEY: Final = "away"
#: ``missing``: the platform does not know it, which may be so for a day (a place that is closed, a
#: right that was lost), so it is hidden first, and erased only when it is looked at again.
State = Literal["here", "hidden", "erased", "missing"]


def told(own: dict[str, Any], number: str, state: State) -> str | None:
    """The kind of removal to tell, if any. ``own`` is ``Progress.own``, which remembers."""
    away: dict[str, str] = own.get(_KEY) or {}
    was = away.get(number)
    is_gone = state == "erased" or (state == was == "missing")
    rest = {name: since for name, since in away.items() if name != number}
    if not is_gone and state != "here":
        rest[number] = state
    if rest != away:
        own[_KEY] = dict(list(rest.items())[-MOST:])
    if is_gone:
        return "erased"
    if state == "here":
        return None if was is None else "shown"
    return "hidden" if was is None else None
