"""Old entries among new ones, which a walk back must not take for its end."""

from collections.abc import Sequence
from datetime import datetime

from collectors.kit.polling import Entry


def without_strays(entries: Sequence[Entry], since: datetime) -> list[Entry]:
    """The entries of a page, in the platform's order, without old ones before new ones.

    The poller ends its walk at an entry from before ``since``. Platforms put one among newer ones
    now and then: then there is more behind it.
    """
    last = max((place for place, one in enumerate(entries) if one.at >= since), default=-1)
    return [one for place, one in enumerate(entries) if one.at >= since or place > last]
