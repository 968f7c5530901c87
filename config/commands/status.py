"""``status``: one screen for an operator at night, and what to do."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from config import settings
from config.commands.asking import printable

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

STATES = {
    "running": "running",
    "not running": "not running",
    "silent": "running, but it does not answer",
    "servers": "on Kafka and a server warehouse",
}
#: Units of time, largest first: seconds in one, and its name.
UNITS = ((86400, "d"), (3600, "h"), (60, "min"))
#: Gaps of a source that are named.
MOST_GAPS = 3


def register(commands: Commands) -> None:
    """Adds the commands of this file."""
    status = commands.add_parser(
        "status",
        help="how it runs, and what to do about what does not",
        description="One screen: what is behind, how old posts are when they are kept, each source "
        "and its gaps of the last 24 hours, incidents, dead letters, the warehouse; and above all "
        "what is not as it should be, with what to do. Asks the running process, or reads the "
        "files or servers of the settings. Exit code 0: all is well, 1: something is to be mended.",
    )
    status.add_argument("file", nargs="?", type=Path, metavar="CONFIG", help="settings file")
    status.add_argument("--json", action="store_true", help="the same as one JSON document")
    status.set_defaults(run=run_status)


def run_status(options: argparse.Namespace) -> int:
    """Prints the report; 1 when something is to be mended."""
    from config.operating.looking import look

    told = look(settings.load(options.file or options.config))
    if options.json:
        import orjson

        sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        for line in screen(told):
            print(line)
    return 1 if told["findings"] else 0


def screen(told: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the screen; nothing in them is obeyed by a terminal."""
    now = _time(told["at"])
    found = told["findings"]
    count = f"{len(found)} to mend" if found else "all is well"
    yield f"groundswell: {STATES.get(told['state'], 'unknown')}; {count}"
    for finding in found:
        yield f"  ! {printable(finding['what'])}"
        yield f"    → {printable(finding['mend'])}"
    yield from _parts(told, now)


def _parts(told: Mapping[str, Any], now: datetime) -> Iterator[str]:
    for title, lines in (
        ("sources", [_source(source, now) for source in told["sources"]]),
        ("waiting", _lags(told["groups"])),
        ("age", _ages(told["ages"])),
        ("warehouse", _warehouse(told["warehouse"], now)),
        ("unreadable", _dead(told["deadletters"], now)),
    ):
        for position, line in enumerate(lines or ["none"]):
            yield f"{title if not position else '':<11} {printable(line)}"


def _source(source: Mapping[str, Any], now: datetime) -> str:
    told = [f"{source['name']}: {source['state']}"]
    if source.get("trouble"):
        trouble = source["trouble"].removeprefix(f"{source['name']}: ")
        told.append(f"since {_ago(source.get('trouble_since'), now)}: {trouble}")
    if source.get("event_at"):
        told.append(f"last post {_ago(source['event_at'], now)}")
    if source.get("cursor_at"):
        told.append(f"read on {_ago(source['cursor_at'], now)}")
    if rechecks := source.get("rechecks"):
        told.append(_rechecks(rechecks, now))
    if spend := source.get("spend"):
        told.append(f"spent {spend['cost_today']:.2f} today, {spend['cost_month']:.2f} this month")
    gaps = source["gaps"]
    told += [
        f"blind from {_clock(gap['from_at'])} to {_clock(gap['to_at'])}"
        f" ({gap['cause'] or 'unknown cause'})"
        for gap in gaps[:MOST_GAPS]
    ]
    if len(gaps) > MOST_GAPS:
        told.append(f"and {len(gaps) - MOST_GAPS} more gaps in 24 h")
    return ", ".join(told)


def _rechecks(told: Mapping[str, Any], now: datetime) -> str:
    """How old the last look at what is kept is, and since when this round of looks goes on."""
    if told["is_over"]:
        return f"kept posts all looked at again {_ago(told['looked_at'], now)}"
    looked, began = _ago(told["looked_at"], now), _ago(told["began_at"], now)
    return f"kept posts looked at again {looked}, in a round that began {began}"


def _lags(groups: Mapping[str, Any]) -> list[str]:
    if "trouble" in groups:
        return [f"? {groups['trouble']}"]
    return [
        f"{group}: {sum(topics.values()):,} records"
        + (f" ({', '.join(f'{topic} {lag:,}' for topic, lag in topics.items())})" if topics else "")
        for group, topics in groups.items()
    ]


def _ages(ages: Mapping[str, Any]) -> list[str]:
    if "trouble" in ages:
        return [f"? {ages['trouble']}"]
    if not ages["mentions"]:
        return ["no post was written in the last 10 minutes"]
    return [
        f"{name}: {_span(ages[f'{key}_p50'])} median, {_span(ages[f'{key}_p99'])} at most for 99 %"
        for name, key in (("from receiving to the warehouse", "received"), ("since said", "said"))
        if ages[f"{key}_p50"] is not None
    ]


def _warehouse(warehouse: Mapping[str, Any], now: datetime) -> list[str]:
    if "trouble" in warehouse:
        return [f"? {warehouse['trouble']}"]
    newest = warehouse["written_at"]
    told = f"{warehouse['mentions']:,} posts, {_size(warehouse['bytes'])}"
    told += f", newest written {_ago(newest, now)}" if newest else ""
    if "copy_seconds" in warehouse:
        told += f" (a copy, {_span(warehouse['copy_seconds'])} old)"
    is_open = f"{warehouse['incidents_open']} open, {warehouse['proposals_open']} proposed"
    return [told, f"incidents: {is_open}"]


def _dead(dead: Mapping[str, Any], now: datetime) -> list[str]:
    if "trouble" in dead:
        return [f"? {dead['trouble']}"]
    return [
        f"{each['count']:,} by {each['stage']}, newest {_ago(each['newest_at'], now)}: "
        f"{each['reason']}"
        for each in dead["reasons"]
    ]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _clock(text: str) -> str:
    """Day and time in UTC, as everywhere in this program."""
    return f"{_time(text):%b %d %H:%M} UTC"


def _ago(text: str | None, now: datetime) -> str:
    return "?" if text is None else f"{_span((now - _time(text)).total_seconds())} ago"


def _span(seconds: float) -> str:
    for size, name in UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{max(0.0, seconds):.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _size(count: float) -> str:
    for power, name in ((3, "GB"), (2, "MB")):
        if count >= 1000**power:
            return f"{count / 1000**power:.1f} {name}"
    return f"{count / 1000:.0f} kB"
