"""Which posts and authors of a live source concern us: those that were ever passed on."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pipeline.clock import SystemClock
from pipeline.errors import TryLater
from pipeline.ports import Broker, Clock, Warehouse
from pipeline.settling import ROAD, Settling

log = logging.getLogger(__name__)

#: A warehouse that does not answer is left alone for so long: a stream must not wait for it.
ALONE_FOR: Final = timedelta(seconds=30)
#: Each source remembers at least the last 20,000 posts that it passed on; with fewer than this on
#: their way, whatever it has forgotten stands in the warehouse. How often that is looked at.
MOST: Final = 15_000
LOOK: Final = timedelta(seconds=30)
#: Posts so young stand on the live page for whoever scrolls.
SHOWN: Final = timedelta(hours=24)
#: Stands for what an earlier process left on its way.
_EARLIER: Final = "earlier"


class PassedOn:
    """Answers for one process whether something under an id may have been passed on before it.

    The warehouse knows all that came through; what an earlier process left on its way there is
    waited for once. Until then, and while the warehouse is away, everything may have been: too much
    is harmless. What this process passed on itself is for the source to remember; where more than
    ``most`` posts may be on their way, which a source does not, everything may have been again.
    """

    def __init__(self, clock: Clock | None = None, most: int = MOST) -> None:
        self._clock = clock or SystemClock()
        self._most = most
        self._broker: Broker | None = None
        self._is_behind = False
        self._look_at: datetime | None = None
        self._open: Callable[[], Warehouse] | None = None
        self._warehouse: Warehouse | None = None
        self._settling: Settling | None = None
        self._is_settled = False
        self._ask_from: datetime | None = None

    def bind(self, broker: Broker, warehouse: Callable[[], Warehouse]) -> None:
        """From now on these are asked; the warehouse is opened with the first question."""
        self._broker = broker
        self._settling = Settling(broker, timedelta())
        self._settling.add(_EARLIER, self._clock.now())
        self._open = warehouse

    def __call__(self, number: str) -> bool:
        """Whether a mention's id, or ``source:author_id``, may be known. Raises GiveUp."""
        now = self._clock.now()
        if self._open is None or (self._ask_from is not None and now < self._ask_from):
            return True
        try:
            if not self._has_settled(now) or self._is_far_behind(now):
                return True
            if self._warehouse is None:
                self._warehouse = self._open()
            return bool(self._warehouse.rows("is_known", id=number))
        except TryLater as trouble:
            log.warning("%s; until it can be asked, all removals are passed on", trouble)
            self._ask_from = now + ALONE_FOR
            return True

    @property
    def held(self) -> "Held":
        """What is kept, for sources that look at it again."""
        return Held(self._rows, self._clock)

    def _rows(self, query: str, **asked: Any) -> Sequence[Mapping[str, Any]]:
        """Rows of the warehouse. Raises TryLater while nobody can be asked."""
        now = self._clock.now()
        if self._open is None or (self._ask_from is not None and now < self._ask_from):
            raise TryLater("the warehouse cannot be asked yet for what is held")
        if self._warehouse is None:
            self._warehouse = self._open()
        return self._warehouse.rows(query, **asked)

    def _has_settled(self, now: datetime) -> bool:
        """Whether all that earlier processes sent stands in the warehouse. Raises TryLater."""
        if not self._is_settled and self._settling is not None:
            self._is_settled = bool(self._settling.settled(now))
        return self._is_settled

    def _is_far_behind(self, now: datetime) -> bool:
        """Whether more may be on its way than sources remember. Raises TryLater."""
        if self._broker is not None and (self._look_at is None or now >= self._look_at):
            self._is_behind = sum(_behind(self._broker, *stage) for stage in ROAD) > self._most
            self._look_at = now + LOOK
        return self._is_behind


class Held:
    """External ids of what is kept of a platform, a page of them (``kit.rechecks.Held``).

    Both raise TryLater while nobody can be asked.
    """

    def __init__(self, rows: Callable[..., Sequence[Mapping[str, Any]]], clock: Clock) -> None:
        self._rows = rows
        self._clock = clock

    def __call__(self, platform: str, since: datetime, after: str, most: int) -> list[str]:
        """All of it from a moment on, in the order of the ids, after one of them."""
        return self._page("held_posts", platform, after, since=since, limit=most)

    def first(self, platform: str, since: datetime, after: str, most: int) -> list[str]:
        """Those that people see: linked to an incident, or new enough for the live page."""
        shown = max(since, self._clock.now() - SHOWN)
        return self._page("held_first", platform, after, since=since, limit=most, shown=shown)

    def _page(self, query: str, platform: str, after: str, **asked: Any) -> list[str]:
        start = f"{platform}:"
        rows = self._rows(query, source=platform, after=start + after, **asked)
        return [str(row["id"]).removeprefix(start) for row in rows]


def _behind(broker: Broker, group: str, topic: str) -> int:
    """How many posts have come since the oldest that the group is not done with."""
    marks = broker.marks(group, topic).values()
    # One partition may stand still; posts are spread evenly over all of them.
    return len(marks) * max((mark.end - mark.done for mark in marks), default=0)
