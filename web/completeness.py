"""How much was read of the time that an incident's counts are of, in words a responder reads.

That time begins an hour before the incident did and goes on until its end, or now. A source tells
what it read and where it was blind; until it has told, nobody knows.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from collectors.kit.causes import BUDGET_SPENT
from web.crowd import clock, several

Row = Mapping[str, Any]
#: Sources that work tell what they read at least so often: the slowest asks every ten minutes.
LAG: Final = timedelta(minutes=15)
#: What is shorter is told in no word, a hole of which nobody told less readily than a gap.
LEAST: Final = timedelta(seconds=1)
HOLE: Final = timedelta(minutes=1)
_UNKNOWN: Final = "Nothing tells how much was read: counts may be lower bounds."


def told(rows: Iterable[Row], now: datetime) -> dict[str, Any]:
    """What the API tells of one incident's rows of ``incident_coverage``, with its sources.

    ``share`` (0 to 1), ``is_complete`` and ``seconds_blind`` are those of the source that was read
    least; share and is_complete are None when nothing tells. ``is_sample``: reading was capped.
    ``words``: one line of what is missing, None when all was read but ``LAG`` before now.
    """
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_source[row["source"]].append(row)
    sources = [_source(name, _least(found), now) for name, found in by_source.items()]
    is_sample = any(BUDGET_SPENT in (source["causes"] or "") for source in sources)
    return {
        "share": min((source["share"] for source in sources), default=None),
        "is_complete": all(source["is_complete"] for source in sources) if sources else None,
        "is_sample": is_sample,
        "seconds_blind": max((source["seconds_blind"] for source in sources), default=0.0),
        "words": _line(sources, is_sample) if sources else _UNKNOWN,
        "sources": sources,
    }


def brief(rows: Iterable[Row], now: datetime) -> dict[str, Any]:
    """The same without the sources, for lists."""
    return {name: value for name, value in told(rows, now).items() if name != "sources"}


def by_incident(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows of several incidents by their id."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["incident_id"]].append(row)
    return found


def _share(row: Row) -> float:
    """How much of the whole time was read, 0 to 1, in hundredths so that it seldom changes."""
    whole: timedelta = row["to_at"] - row["from_at"]
    read: float = max(row["seconds_told"] - row["seconds_blind"], 0)
    return round(read / whole.total_seconds(), 2)


def _least(rows: Sequence[Row]) -> Row:
    """The row that speaks for a source: of its tracks the one read least, or all that it reads."""
    by_track = [row for row in rows if row["track"] is not None]
    of_all = [row for row in rows if row["track"] is None]
    least = [min(by_track, key=_share)] if by_track else []
    return max([*least, *of_all], key=_share)


def _source(name: str, row: Row, now: datetime) -> dict[str, Any]:
    missing = _missing(row, now)
    told_of = {column: row[column] for column in ("told_from_at", "told_to_at", "causes")}
    return {
        "source": name,
        "share": _share(row),
        "is_complete": not missing,
        "seconds_read": row["seconds_told"] - row["seconds_blind"],
        "seconds_blind": row["seconds_blind"],
        **told_of,
        "words": missing or None,
    }


def _missing(row: Row, now: datetime) -> str:
    """What is missing of a source, as it stands after "was"; nothing for nothing."""
    start, end = row["told_from_at"], row["told_to_at"]
    if start is None:
        return f"not read (last {clock(end, now)})"
    blind, missing = timedelta(seconds=row["seconds_blind"]), []
    if blind >= LEAST:
        missing.append(f"not read for {duration(blind)} ({row['causes'] or 'unknown cause'})")
    late, early = start - row["from_at"], row["to_at"] - end
    # Only what is going on now may still be told of.
    is_awaited = row["to_at"] >= now - LAG and early <= LAG
    ends = [f"from {clock(start, now)} on"] if late >= HOLE else []
    ends += [f"until {clock(end, now)}"] if early >= HOLE and not is_awaited else []
    if ends:
        missing.append(f"read only {' '.join(ends).replace(' on until', ' until')}")
    hole = end - start - timedelta(seconds=row["seconds_told"])
    if hole >= HOLE:
        missing.append(f"read with holes of {duration(hole)} that nobody told of")
    return " and ".join(missing)


def _line(sources: Sequence[Row], is_sample: bool) -> str | None:
    """What is missing of all sources: those that miss the same together."""
    names: dict[str, list[str]] = defaultdict(list)
    for source in sources:
        if source["words"]:
            names[source["words"]].append(source["source"])
    if not names:
        return None
    parts = [
        f"{several(who)} {'was' if len(who) == 1 else 'were'} {what}" for what, who in names.items()
    ]
    left = len(parts) - 3
    more = [f"{left} more {'was' if left == 1 else 'were'} not read in full"] if left > 0 else []
    end = "counts are of a sample" if is_sample else "counts are lower bounds"
    return f"{'; '.join([*parts[:3], *more, end])}."


def duration(span: timedelta) -> str:
    """A span in words, as short as a glance wants it."""
    seconds = round(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours >= 48:
        return f"{round(hours / 24)} days"
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{minutes} min"] if minutes else [])])
