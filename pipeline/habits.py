"""Habits: how many people reported in each hour of the past weeks, from the warehouse.

A running watch remembers them by itself; one that starts anew asks once. Hours in which a proposal
of the track stood tell nothing about what is usual.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from pipeline.bursts import FLOOR, HOUR, KEEP, MINUTE, Key, named_keys
from pipeline.incidents import Book
from pipeline.matters import Regions
from pipeline.ports import Warehouse
from pipeline.proposals import ended_at, shifted
from pipeline.series import WEEKS
from pipeline.values import to_ms

#: Witnesses and calm minutes by hour since 1970.
Hours = dict[int, tuple[int, int]]


def habits(
    warehouse: Warehouse, book: Book, regions: Regions, now: datetime
) -> Iterator[tuple[Key, Hours]]:
    """The series that had enough for a burst, with their hours before what a watch reads again.

    Those of whole tracks come before their parts. Raises TryLater.
    """
    end = shifted(now, -timedelta(minutes=KEEP)).replace(minute=0, second=0, microsecond=0)
    rows = warehouse.rows(
        "witnesses_hourly", from_at=shifted(end, -timedelta(weeks=WEEKS)), to_at=end
    )
    counted: defaultdict[Key, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        track, place = row["track"] or "", row["place"]
        region = regions.region(track, place) if place else ""
        for key in named_keys(track, row["topic"] or "", region):
            counted[key][_hour(row["hour"])] += row["witnesses"]
    loud = _loud(book, now)
    for key in sorted(counted):
        if sum(counted[key].values()) >= FLOOR:
            hours = {hour: (count, HOUR) for hour, count in counted[key].items()}
            first = min(hours)
            yield key, hours | {hour: (0, 0) for hour in loud[key.track] if hour >= first}


def _loud(book: Book, now: datetime) -> defaultdict[str, set[int]]:
    """The hours in which a proposal of a track stood."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for incident in book.all():
        if incident.is_proposed:
            track = incident.tracks[0] if incident.tracks else ""
            end = ended_at(incident) or now
            found[track].update(range(_hour(incident.started_at), _hour(end) + 1))
    return found


def _hour(at: datetime) -> int:
    return to_ms(at) // MINUTE // HOUR
