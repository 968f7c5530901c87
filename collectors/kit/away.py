"""Posts that are not where we found them: hidden until they are back, erased if they stay away."""

from datetime import datetime, timedelta
from typing import Any, Final, Literal

from collectors.kit.times import to_us

#: How many posts that are away a cursor remembers; of older ones it is not told that they are back.
MOST: Final = 2_000
#: What was missing for so long and is missing still has gone: terms ask for a day or two.
GONE_AFTER: Final = timedelta(hours=12)
_KEY: Final = "away"
#: ``missing``: the platform does not know it, which may be so for a day (a place that is closed, a
#: right that was lost), so it is hidden first, and erased when it is looked at much later.
State = Literal["here", "hidden", "erased", "missing"]


def told(own: dict[str, Any], number: str, state: State, now: datetime) -> str | None:
    """The kind of removal to tell, if any. ``own`` is ``Progress.own``, which remembers."""
    away: dict[str, tuple[str, int]] = own.get(_KEY) or {}
    was, since = away.get(number, (None, 0))
    at = since if was == state else to_us(now)
    is_gone = state == "erased" or (
        state == "missing" and to_us(now) - at >= GONE_AFTER // timedelta(microseconds=1)
    )
    rest = {name: known for name, known in away.items() if name != number}
    if not is_gone and state != "here":
        rest[number] = (state, at)
    if is_gone or rest != away:
        own[_KEY] = dict(list(rest.items())[-MOST:])
    if is_gone:
        return "erased"
    if state == "here":
        return None if was is None else "shown"
    return "hidden" if was is None else None
