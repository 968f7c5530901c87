"""Matters: whether two bursts of one track are the same thing, and what to call it.

What is lost in a large failure shows in all its parts at once, and labels are only nearly right.
So whatever begins together is one matter; later it is one unless topic or region tell otherwise.
Names come from tracks and labels, never from what people wrote.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from pipeline.bursts import Burst
from pipeline.model import Incident
from pipeline.steps.places import within
from pipeline.tracks import Track
from pipeline.values import from_ms

#: A name speaks for a burst when so many of its reports give it.
LEAST_NAMED = 3
#: Topics that say no more than that something is wrong.
VAGUE = frozenset({"other", "service", "outage"})
#: What begins so close to another is the same failure seen from another side.
TOGETHER = timedelta(minutes=30)


class Matter(NamedTuple):
    """What a burst or a proposal is about, and since when; empty where nothing is known."""

    topic: str
    region: str
    since: datetime

    def agrees(self, other: "Matter") -> bool:
        """Whether nothing that both name tells them apart."""
        if self.topic and other.topic and self.topic != other.topic:
            return False
        return not (self.region and other.region) or _is_one_place(self.region, other.region)

    def is_one_with(self, other: "Matter") -> bool:
        """Whether both are the same thing."""
        return abs(self.since - other.since) <= TOGETHER or self.agrees(other)


def of_burst(burst: Burst) -> Matter:
    """What the reports of a burst are about."""
    return Matter(telling(topic(burst)), region(burst) or "", from_ms(burst.onset_ms))


def of_proposal(proposal: Incident) -> Matter:
    """What a proposal is about."""
    where = proposal.regions[0] if proposal.regions else ""
    return Matter(telling(proposal.topic), where, proposal.started_at)


def telling(name: str | None) -> str:
    """A topic that can tell matters apart, else nothing."""
    return name if name and name not in VAGUE else ""


def topic(burst: Burst) -> str | None:
    """The topic of a burst: its series', else the one most of its reports name."""
    return burst.key.topic or most(burst, "topic")


def region(burst: Burst) -> str | None:
    """The place that most reports name, else the region of the series."""
    return most(burst, "place") or burst.key.region or None


def title(burst: Burst) -> str:
    """What the reports are about, in the words of labels and tracks."""
    named, component = telling(topic(burst)), most(burst, "component")
    what = f"{named.replace('_', ' ')} trouble" if named else "trouble"
    around = f" around {burst.track}" if burst.track else ""
    where = ", ".join(name for name in (component, region(burst)) if name)
    return f"Reports of {what}{around}" + (f": {where}" if where else "")


def most(burst: Burst, head: str) -> str | None:
    """The name on which most reports that name any agree, a quarter of all at least."""
    named: Counter[str] = Counter(
        {name: count for (of, name), count in burst.names.items() if of == head}
    )
    if not named:
        return None
    name, count = max(named.items(), key=lambda pair: (pair[1], pair[0]))
    if count < LEAST_NAMED or 2 * count <= named.total() or 4 * count < burst.witnesses:
        return None
    return name


class Regions:
    """The regions that tracks tell apart: the places of a report, in the words of the settings."""

    def __init__(self, tracks: Sequence[Track] = ()) -> None:
        self._of: Mapping[str, tuple[str, ...]] = {track.name: track.regions for track in tracks}

    def region(self, track: str, place: str) -> str:
        """The region of the track in which a place lies.

        The place itself where the track has no regions to tell apart, or none that holds it.
        """
        regions = self._of.get(track, ())
        return _held_by(place, regions) if len(regions) > 1 else place


@lru_cache(maxsize=20_000)
def _held_by(place: str, regions: tuple[str, ...]) -> str:
    return next((name for name in regions if within(place, name)), place)


@lru_cache(maxsize=20_000)
def _is_one_place(one: str, other: str) -> bool:
    return one == other or bool(within(one, other))
