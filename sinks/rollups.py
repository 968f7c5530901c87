"""A roll-up: counts by hour and by incident, made anew where anything changed since the last one.

It runs in a transaction of its own and sees the warehouse as it stood at its first statement;
writes go on meanwhile. The rules stand in ``rollup_views.sql``.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from sinks.batches import naive

#: Runs one section of ``rollups.sql``; gives the rows that it answers, if it asks.
Step = Callable[..., list[tuple[Any, ...]]]

DAY: Final = timedelta(days=1)
#: Incidents that are counted by one statement: what it holds in memory are their mentions.
AT_ONCE: Final = 20
#: Takes all counts back, for views whose rules are others now. The mark comes first: on PostgreSQL
#: a roll-up that still counts by the old ones then either is waited for or fails.
UNCOUNTED: Final = (
    "UPDATE rollup SET arrival = -1",
    *(f"DELETE FROM {n}" for n in ("agg_mentions_hourly", "agg_incident", "agg_incident_settled")),
)


def roll_up(step: Step, arrival: int, at: datetime) -> int:
    """Counts anew what was touched; ``arrival`` is the last number that the transaction sees.

    Gives how many hours and incidents that were.
    """
    step("rollup_note_hours")
    step("rollup_note_incidents")
    days: list[datetime] = [row[0] for row in step("rollup_days")]
    incidents: list[str] = [row[0] for row in step("rollup_incidents")]
    if days:
        step("rollup_forget_hours")
    for day in days:
        step("rollup_count_hours", from_at=day, to_at=day + DAY)
    if incidents:
        step("rollup_forget_incidents")
    names = iter(incidents)
    while several := list(islice(names, AT_ONCE)):
        step("rollup_count_incidents", first=several[0], last=several[-1])
    step("rollup_forget_settled")
    step("rollup_settled")
    step("rollup_no_hours")
    step("rollup_no_incidents")
    step("rollup_mark", arrival=arrival, at=naive(at))
    return len(days) + len(incidents)
