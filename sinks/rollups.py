"""A roll-up: counts by hour and by incident, made anew where anything changed since the last one.

It runs in a transaction of its own and sees the warehouse as it stood at its first statement;
writes go on meanwhile. The rules stand in ``rollup_views.sql``.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from sinks.batches import naive
from sinks.dialect import VIEWS, Dialect

#: Runs one section of ``rollups.sql``; gives the rows that it answers, if it asks.
Step = Callable[..., list[tuple[Any, ...]]]

DAY: Final = timedelta(days=1)
#: Incidents that are counted by one statement: what it holds in memory are their mentions.
AT_ONCE: Final = 20
#: In ``meta`` the rules by which the counts at rest were made.
RULES: Final = "counted_by"
#: Takes all counts back, when they follow other rules now. The mark comes first: on PostgreSQL a
#: roll-up that still counts by the old ones then either is waited for or fails.
UNCOUNTED: Final = (
    "UPDATE rollup SET arrival = -1",
    *(f"DELETE FROM {n}" for n in ("agg_mentions_hourly", "agg_incident", "agg_incident_settled")),
)


def rules(dialect: Dialect) -> str:
    """A digest of all SQL that the counts at rest follow from.

    A view that they do not read may change without millions of posts being counted anew.
    """
    views = dialect.views(*VIEWS)
    texts = [query.text for query in dialect.load("rollups").values()]
    read: set[str] = set()
    for text in texts:
        found = {name for name in re.findall(r"\w+", text) if name in views} - read
        read |= found
        texts += [views[name].text for name in sorted(found)]  # the loop goes on over these
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


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
