"""The report of ``groundswell status``: what an operator at night wants to see on one screen.

Made by the running process itself (``/api/health``), or from files and servers by the command.
Plain values, fit for JSON. A part that cannot be asked says so under ``trouble``.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from collectors.kit.rechecks import checked
from config import sources
from config.operating.findings import NOT_YET, findings
from config.operating.health import live, ready
from config.operating.meters import GROUPS, Meters, standing_of
from config.settings import Settings
from pipeline import deadletters, topics
from pipeline.decoding import read
from pipeline.errors import GroundswellError, SetAside
from pipeline.intake import Intake
from pipeline.model import Cursor
from pipeline.ports import Broker, Clock, Collector, Row, Warehouse
from pipeline.reading import batches

#: A group that has not moved for so many seconds, with records waiting, stands still. The watch may
#: rest longer: it commits when late links are scored.
STILL_SECONDS, STILL = 5.0, ("worker", "store")
#: Posts written in this time tell how long the way takes now.
LATELY = timedelta(minutes=10)
#: How far back gaps are told.
DAY = timedelta(hours=24)
#: Reasons of dead letters that are shown, and the characters of each.
MOST_REASONS, LONGEST_REASON = 10, 120


@dataclass(frozen=True, slots=True)
class Sight:
    """What can be seen: ``state`` is running, not running or silent; ``meters`` of this process.

    ``age`` is how many seconds old the warehouse's copy is, None for the warehouse itself.
    """

    known: Settings
    clock: Clock
    state: str
    broker: Broker | None = None
    warehouse: Warehouse | None = None
    meters: Meters | None = None
    age: float | None = None
    troubles: Mapping[str, str] | None = None


def report(sight: Sight) -> dict[str, Any]:
    """Everything, with ``findings``: what is not as it should be, and what to do about each."""
    now = sight.clock.now()
    told: dict[str, Any] = {"at": now, "state": sight.state}
    told["checks"] = _checks(sight.meters)
    told["groups"] = _asked(sight, "broker", sight.broker, _groups)
    told["ages"] = _asked(sight, "warehouse", sight.warehouse, lambda kept: _ages(kept, now))
    told["warehouse"] = _asked(sight, "warehouse", sight.warehouse, _standing)
    if sight.age is not None:
        told["warehouse"]["copy_seconds"] = round(sight.age)
    told["deadletters"] = _asked(sight, "broker", sight.broker, _dead)
    told["sources"] = _sources(sight, now)
    told["still"] = _still(sight, told["groups"])
    told["findings"] = findings(told)
    return told


def _asked(
    sight: Sight, name: str, part: Any, ask: Callable[[Any], dict[str, Any]]
) -> dict[str, Any]:
    """What a part says, or its trouble."""
    if part is None:
        return {"trouble": (sight.troubles or {}).get(name, NOT_YET)}
    try:
        return ask(part)
    except GroundswellError as error:
        return {"trouble": str(error)}


def _checks(meters: Meters | None) -> list[dict[str, Any]]:
    """What the process itself finds wrong with its parts."""
    if meters is None:
        return []
    told = [*ready(meters, True).told["checks"], *live(meters).told["stuck"]]
    return [check for check in told if not check.get("ok")]


def _groups(broker: Broker) -> dict[str, Any]:
    """Lag by group and topic, topics without any left out."""
    return {
        group: {topic: lag for topic, lag in sorted(broker.lag(group).items()) if lag}
        for group in GROUPS
    }


def _still(sight: Sight, groups: Mapping[str, Any]) -> list[str]:
    """The groups that have records waiting and do not move; takes some seconds if any waits."""
    waiting = {group: groups[group] for group in STILL if groups.get(group)}
    if sight.broker is None or sight.state == "not running" or not waiting:
        return []
    try:
        before = {group: _done(sight.broker, group, waiting[group]) for group in waiting}
        time.sleep(STILL_SECONDS)
        after = {group: _done(sight.broker, group, waiting[group]) for group in waiting}
    except GroundswellError:
        return []  # the part `groups` says what is wrong with the broker
    return [group for group in waiting if before[group] == after[group]]


def _done(broker: Broker, group: str, topics_of: Iterable[str]) -> list[int]:
    """How far the group is in each partition of these topics."""
    return [mark.done for topic in topics_of for mark in broker.marks(group, topic).values()]


def _ages(warehouse: Warehouse, now: datetime) -> dict[str, Any]:
    """How old the posts of the last minutes were when they stood in the warehouse."""
    (row,) = warehouse.rows("newest_ages", since=now - LATELY)
    return {
        name: round(float(value), 3) if isinstance(value, float | int) else value
        for name, value in row.items()
    }


def _standing(warehouse: Warehouse) -> dict[str, Any]:
    row = standing_of(warehouse)
    platforms = {found["source"]: found["event_at"] for found in warehouse.rows("newest_by_source")}
    return {**row, "platforms": platforms}


def _dead(broker: Broker) -> dict[str, Any]:
    """Dead letters by stage and reason, the most frequent first; numbers in reasons become N."""
    classes: dict[tuple[str, str], dict[str, Any]] = {}
    letters = deadletters.listing(broker)
    for letter in letters:
        reason = re.sub(r"\d+", "N", letter.reason)[:LONGEST_REASON]
        known = classes.setdefault(
            (letter.stage, reason),
            {"stage": letter.stage, "reason": reason, "count": 0, "newest_at": letter.at},
        )
        known["count"] += 1
        known["newest_at"] = max(known["newest_at"], letter.at)
    by_count = sorted(classes.values(), key=lambda each: -each["count"])
    newest = max((letter.at for letter in letters), default=None)
    return {"count": len(letters), "newest_at": newest, "reasons": by_count[:MOST_REASONS]}


# ---- sources -----------------------------------------------------------------------------------


def _sources(sight: Sight, now: datetime) -> list[dict[str, Any]]:
    """Every source that is configured, running or remembered: how it is, and its gaps."""
    given = dict(sources.configured(sight.known))
    feeds = sight.meters.feeds() if sight.meters is not None else {}
    remembered = _cursors(sight.broker)
    cursors = {name: cursor.at for name, cursor in (remembered or {}).items()}
    rechecks = {name: checked(cursor.cursor) for name, cursor in (remembered or {}).items()}
    gaps = _rows(sight.warehouse, "coverage_gaps", since=now - DAY)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    bills = _rows(sight.warehouse, "spend_now", day=day, month=day.replace(day=1))
    spent = {bill.pop("source"): bill for bill in bills}
    read_to = {row["source"]: row["read_to"] for row in _rows(sight.warehouse, "coverage_now")}
    lines = []
    for name in sorted({*given, *feeds, *cursors}):
        line: dict[str, Any] = {"name": name, "type": given[name].type if name in given else None}
        line |= {"cursor_at": cursors.get(name), "read_to": read_to.get(name)}
        if name in feeds:
            line |= _of_process(sight, name)
        else:
            line["state"] = _seen_from_outside(line, sight, now, remembered is not None)
        line["gaps"] = [
            {"from_at": gap["from_at"], "to_at": gap["to_at"], "cause": gap["cause"]}
            for gap in gaps
            if gap["source"] == name
        ]
        if name in spent:
            line["spend"] = spent[name]
        if (told := rechecks.get(name)) is not None:
            line["rechecks"] = told._asdict()
        lines.append(line)
    return lines


def _of_process(sight: Sight, name: str) -> dict[str, Any]:
    """What its own process knows of a source."""
    assert sight.meters is not None  # noqa: S101  # it has this source
    watched, intake = sight.meters.feeds()[name]
    return {
        "state": watched.state,
        "trouble": watched.trouble,
        "trouble_since": watched.trouble_since,
        "heard_at": intake.heard_at,
        "silence": _silence(intake.source) or _expected(sight, name, intake),
        "event_at": intake.newest_event_at,
    }


def _silence(source: Collector) -> str | None:
    """What a source says of itself that knows how much usually comes."""
    told: Callable[[], str | None] | None = getattr(source, "trouble", None)
    return None if told is None else told()


def _expected(sight: Sight, name: str, intake: Intake) -> str | None:
    """What there is to be said of a silence where the settings tell how much is usual."""
    from collectors.kit.silence import strange

    given = dict(sources.configured(sight.known)).get(name)
    if given is None or given.expected_per_hour is None:
        return None
    return strange(given.expected_per_hour, sight.clock.now() - intake.posted_at)


def _seen_from_outside(
    line: dict[str, Any], sight: Sight, now: datetime, is_remembered: bool
) -> str:
    """What the topics tell: a live source moves its cursor all the time."""
    kind, at = line["type"], line["cursor_at"]
    if kind is None:
        return "not configured here"
    if sight.state == "not running":
        return "not running"
    if kind == "recorded":
        return "files"
    if not is_remembered:
        return "unknown"
    given = dict(sources.configured(sight.known))[line["name"]]
    patience = timedelta(seconds=max(300.0, 3 * float(given.own.get("poll_seconds", 60))))
    return "listening" if at is not None and now - at < patience else "not read"


def _cursors(broker: Broker | None) -> dict[str, Cursor] | None:
    """Each source's newest cursor; None when the broker cannot be asked."""
    found: dict[str, Cursor] = {}
    if broker is None:
        return None
    try:
        reader = broker.reader([topics.CURSORS])
    except GroundswellError:
        return None  # the part `groups` says what is wrong with the broker
    try:
        for records in batches(reader, 1_000):
            for record in records:
                if record.value is not None and not record.key.startswith("role:"):
                    with suppress(SetAside):  # the source itself begins anew then, and says so
                        found[record.key] = read(Cursor, record.value)
    except GroundswellError:
        return None
    finally:
        reader.close()
    return found


def _rows(warehouse: Warehouse | None, query: str, **values: Any) -> list[Row]:
    """A query's rows; nothing while the warehouse is away, which its own part tells."""
    if warehouse is None:
        return []
    try:
        return warehouse.rows(query, **values)
    except GroundswellError:
        return []
