"""Settling: what was on its way when an incident changed reaches the warehouse some time later.

A worker hears of an incident within moments. What it compared before that, without the incident,
is in the warehouse once the worker has committed all mentions that stood on their topic by then,
and after that the store all feedback. However long either is away, that is waited for.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pipeline import topics
from pipeline.ports import Broker

#: The way of a mention to the warehouse: who must be done with what, in order.
ROAD: Final = (("worker", topics.MENTIONS), ("store", topics.FEEDBACK))
#: How often the broker is asked how far they are.
LOOK: Final = timedelta(seconds=1)


class Waiting(NamedTuple):
    """Up to when workers may not have heard of an incident, and since when it is not settled."""

    due: datetime
    since: datetime


class Settling:
    """Incidents for which not all that was on its way is known to be in the warehouse.

    ``hearing``: the time in which every worker that is at work hears of an incident.
    """

    def __init__(self, broker: Broker, hearing: timedelta) -> None:
        self._broker = broker
        self._hearing = hearing
        self._fresh: dict[str, Waiting] = {}  # by when they are due
        self._travelling: dict[str, Waiting] = {}
        self._stage = 0
        self._goal: dict[int, int] | None = None  # by partition of the stage's topic
        self._look_at: datetime | None = None

    def add(self, incident_id: str, now: datetime, since: datetime | None = None) -> None:
        """An incident changed now; ``since`` if it was not settled before either."""
        self._fresh.pop(incident_id, None)
        self._fresh[incident_id] = Waiting(now + self._hearing, since or now)

    def since(self) -> datetime | None:
        """From when on incidents may not be settled, None when all are."""
        waiting = (*self._fresh.values(), *self._travelling.values())
        return min((one.since for one in waiting), default=None)

    def settled(self, now: datetime) -> list[str]:
        """The incidents that have settled since the last call. Raises TryLater."""
        if self._look_at is not None and now < self._look_at:
            return []
        if not self._travelling:
            due = {name: one for name, one in self._fresh.items() if one.due <= now}
            for name in due:
                del self._fresh[name]
            self._travelling, self._stage, self._goal = due, 0, None
        if not self._travelling or not self._has_arrived():
            self._look_at = now + LOOK if self._travelling else None
            return []
        arrived, self._travelling, self._look_at = list(self._travelling), {}, None
        return arrived

    def _has_arrived(self) -> bool:
        """Whether all that stood on each topic when its stage began is done."""
        while self._stage < len(ROAD):
            marks = self._broker.marks(*ROAD[self._stage])
            if self._goal is None:
                self._goal = {partition: mark.end for partition, mark in marks.items()}
            if any(mark.done < self._goal.get(partition, 0) for partition, mark in marks.items()):
                return False
            self._stage, self._goal = self._stage + 1, None
        return True
