"""What a report says is not as it should be, and what to do about each, the most urgent first."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

#: A group that is so many records behind is too slow; `up` makes its sources wait at 100,000.
FAR_BEHIND = 10_000
#: Posts that took longer than so many seconds from receiving to the warehouse are late.
LATE_SECONDS = 60.0
#: Dead letters that are older were seen before.
FRESH = timedelta(hours=24)

#: What was never started has no files; that is not a trouble of its own.
NOT_YET = "there is none yet"

ROLE_OF = {"worker": "work", "store": "store", "watch": "watch"}


def findings(told: Mapping[str, Any]) -> list[dict[str, str]]:
    """Pairs of ``what`` and ``mend``; nothing when all is well."""
    found = [
        *_of_process(told),
        *_of_parts(told),
        *_of_sources(told),
        *_of_lag(told),
        *_of_ages(told),
        *_of_dead(told),
    ]
    unique = {each["what"]: each for each in found}
    return list(unique.values())


def _finding(what: str, mend: str) -> dict[str, str]:
    return {"what": what, "mend": mend}


def _many(count: int) -> str:
    return "1 record" if count == 1 else f"{count:,} records"


def _of_process(told: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    if told["state"] == "not running":
        yield _finding("nothing runs here", "start it with `groundswell up`")
    if told["state"] == "silent":
        yield _finding(
            "the running process does not answer",
            "look at its log; if nothing moves there, end it and start `groundswell up` again",
        )
    for check in told["checks"]:
        name, trouble = check["name"], check["told"]
        # A source says its name itself.
        what = trouble if trouble.startswith(f"{name}: ") else f"{name}: {trouble}"
        yield _finding(what, check["mend"])


def _of_parts(told: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for part, name in (("groups", "broker"), ("warehouse", "warehouse")):
        trouble = told[part].get("trouble")
        if trouble and trouble != NOT_YET:
            yield _finding(f"{name}: {trouble}", "`groundswell check` says what to mend")


def _of_sources(told: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for source in told["sources"]:
        name = source["name"]
        if source["state"] == "not read":
            yield _finding(
                f"{name} is not being read",
                "look whether `groundswell collect` runs with this source, and at its log",
            )
        if source.get("silence"):
            yield _finding(
                f"{name}: {source['silence']}",
                "ask the platform by hand for something that must be there; has a track changed, "
                "or what the account may see?",
            )
        gap = next(iter(source["gaps"]), None)
        if gap and _goes_on(gap, source):
            yield _finding(
                f"{name} is blind now: {gap['cause'] or 'unknown cause'}",
                "silence there means nothing until it is read again; look at its log",
            )


def _goes_on(gap: Mapping[str, Any], source: Mapping[str, Any]) -> bool:
    """Whether a gap is the last that is known; one of standing still ends when it is listening."""
    if gap["cause"] == "stopped" and source["state"] == "listening":
        return False
    return bool(source["read_to"] is None or gap["to_at"] > source["read_to"])


def _of_lag(told: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    if "trouble" in told["groups"]:
        return
    for group, topics in told["groups"].items():
        waiting = sum(topics.values())
        role = ROLE_OF[group]
        if told["state"] == "not running" and waiting:
            yield _finding(
                f"waiting for {group}: {_many(waiting)}", "start it; it goes on by itself"
            )
        elif group in told.get("still", ()):
            yield _finding(
                f"{group} stands still with {_many(waiting)} waiting",
                f"look whether `groundswell {role}` runs, and at its log",
            )
        elif waiting > FAR_BEHIND:
            yield _finding(
                f"{group} is {_many(waiting)} behind",
                f"wait if it shrinks; otherwise start another `groundswell {role}`"
                if group != "watch"
                else "wait if it shrinks; otherwise look at its log",
            )


def _of_ages(told: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    median = told["ages"].get("received_p50")
    # Recorded posts were received long ago; how late they are says nothing.
    is_live = any(source["type"] not in {"recorded", None} for source in told["sources"])
    if is_live and median is not None and median > LATE_SECONDS:
        yield _finding(
            f"posts take {median:,.0f} s from receiving to the warehouse",
            "the group with the largest lag is the slow one; give it another process",
        )


def _of_dead(told: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    newest = told["deadletters"].get("newest_at")
    if newest is not None and told["at"] - newest < FRESH:
        yield _finding(
            f"{_many(told['deadletters']['count'])} could not be read",
            "`groundswell deadletter list` gives the reasons; `deadletter replay` once mended",
        )
