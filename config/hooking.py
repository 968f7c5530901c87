"""Which running source others push to, by its name."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.errors import TryLater

if TYPE_CHECKING:
    from pipeline.intake import Intake
    from web.hooks import Hook


def hooks_of(feeds: "Callable[[], Mapping[str, Intake]]") -> "Callable[[str], Hook | None]":
    """Finds among what runs now; None for a source that is not pushed to.

    Raises TryLater while nothing runs yet: a sender must not take that for an answer.
    """

    def find(name: str) -> "Hook | None":
        running = feeds()
        if not running:
            raise TryLater("still starting: try again in a few seconds")
        feed = running.get(name)
        source: Any = None if feed is None else feed.source
        return source if hasattr(source, "receive") else None

    return find
