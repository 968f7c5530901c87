"""A stream that loses nothing while it holds: looks only fill in what was said without it."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from collectors.kit.progress import Place, Progress
from collectors.kit.times import to_us


class Streaming(Protocol):
    """What a feed has for that, besides ``Pushing``."""

    def opening(self, progress: Progress, stop: threading.Event) -> Iterator[Enum]:
        """Before each look: opens the stream if it is not open. Yields a ``Call`` before each call.

        Raises TryLater or GiveUp.
        """
        ...

    def streamed(self) -> tuple[datetime, datetime] | None:
        """From when to when the present connection has told everything; None without one."""
        ...


def opening(feed: Any, progress: Progress, stop: threading.Event) -> Iterator[Enum]:
    """The same of any feed: nothing where there is no stream."""
    if hasattr(feed, "opening"):
        yield from feed.opening(progress, stop)


def streamed_on(feed: Any, place: Place | None, overlap: int | None) -> Place | None:
    """Where a question stands by what its feed's stream has told; None: it has to be asked.

    A stream tells only what is said while it is open, so all before it must have been read.
    """
    span = feed.streamed() if hasattr(feed, "streamed") else None
    if span is None or place is None or place.read is None or place.read < to_us(span[0]):
        return None
    read = max(place.read, to_us(span[1]))
    ids = {number: at for number, at in place.ids.items() if at >= read - (overlap or 0)}
    return replace(place, ids=ids, read=read)
