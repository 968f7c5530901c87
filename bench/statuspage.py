"""Four years of a status page's recorded answers, polled again, against its own list of incidents.

    python -m bench.statuspage

1,602 answers of a summary were recorded, minutes to days apart, some of them empty. A server on
this machine gives them in their order, one a poll; what the source makes of them is counted against
the page's own history. Each difference is explained by the times of the answers, or counted as
unexplained, and then the exit code is 1.
"""

import gzip
import json
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collectors.incidents.statuspage.source import Statuspage
from pipeline.clock import ManualClock
from pipeline.errors import TryLater
from pipeline.model import Incident
from pipeline.ports import Unreadable
from tests.servers.statuspage import Page, status_page

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "status_github"
PLANNED = {"Scheduled", "In progress", "Completed"}


def records(name: str) -> list[dict[str, Any]]:
    """The lines of a packed file."""
    with gzip.open(DATA / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def time_of(text: str) -> datetime:
    """A time of the files."""
    return datetime.fromisoformat(text).astimezone(UTC)


class Recording:
    """Gives one recorded answer for each look at the summary; there is no other document."""

    def __init__(self, polls: Sequence[dict[str, Any]], page: Page, clock: ManualClock) -> None:
        self._polls = iter(polls)
        self._page = page
        self._clock = clock
        self.stop = threading.Event()

    def reply(self, path: str, etag: str | None) -> tuple[int, dict[str, str], bytes]:
        """Stands in for ``Page.reply``; without validators all are sent in full."""
        del etag
        if not path.endswith("/summary.json"):
            return 404, {}, b""
        poll = next(self._polls, None)
        if poll is None:
            self.stop.set()
            return 304, {}, b""
        self._clock.set(time_of(poll["fetched_at"]))
        if "payload" in poll:
            return 200, {}, json.dumps(poll["payload"]).encode()
        return 200, {}, str(poll["raw_not_json"]).encode()


def polled(polls: Sequence[dict[str, Any]]) -> Iterator[Incident | Unreadable | TryLater]:
    """Everything the source makes of the answers, also what it is tried again for."""
    clock = ManualClock(time_of(polls[0]["fetched_at"]))
    with status_page() as page:
        recording = Recording(polls, page, clock)
        page.reply = recording.reply  # type: ignore[method-assign] # the same, recorded
        source = Statuspage("recorded", clock, page.url)
        cursor: str | None = None
        while not recording.stop.is_set():
            try:
                for item in source.items(cursor, recording.stop):
                    cursor = item.cursor
                    if isinstance(item.value, Incident | Unreadable):
                        yield item.value
            except TryLater as trouble:
                yield trouble


class Answers:
    """When answers were there, and which of them named an incident."""

    def __init__(self, polls: Sequence[dict[str, Any]]) -> None:
        good = [poll for poll in polls if "payload" in poll]
        self.times = [time_of(poll["fetched_at"]) for poll in good]
        self.naming: defaultdict[str, list[datetime]] = defaultdict(list)
        self.bodies: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
        for poll, at in zip(good, self.times, strict=True):
            for one in poll["payload"]["incidents"]:
                self.naming[one["id"]].append(at)
                self.bodies[one["id"]] |= {_words(u["body"]) for u in one["incident_updates"]}

    def any_within(self, start: datetime, end: datetime) -> bool:
        """Whether there was an answer from start to end."""
        return any(start <= at < end for at in self.times)


def why_incident(listed: dict[str, Any], answers: Answers) -> str:
    """Why a listed incident was not found."""
    if PLANNED & {update["status"] for update in listed["updates"]}:
        return "planned maintenance, told apart"
    # The list knows minutes: in the first and the last one anything may have been.
    start, end = time_of(listed["started_at"]), time_of(listed["resolved_at"])
    return "UNEXPLAINED" if answers.any_within(start, end) else "began and ended between answers"


def why_update(key: str, update: dict[str, Any], answers: Answers) -> str:
    """Why a listed update of an incident that was found is missing."""
    at, last = time_of(update["at"]), answers.naming[key][-1]
    if at > last:
        return "after the last answer that named the incident"
    if _words(update["message"]) in answers.bodies[key]:
        return "UNEXPLAINED"
    if at == _minute(last):
        return "in the very minute of that answer"
    return "in no answer: added later under an earlier time"


def missing_updates(listed: dict[str, Any], incident: Incident) -> list[dict[str, Any]]:
    """The updates of the list that the incident does not have: same minute and, if told, words."""
    has = Counter((_minute(update.display_at), _words(update.body)) for update in incident.updates)
    others = []
    for update in listed["updates"]:
        key = (time_of(update["at"]), _words(update["message"]))
        if has[key] > 0:
            has[key] -= 1
        else:
            others.append(update)
    # Texts are corrected afterwards: what is left of a minute belongs to what is left of the list.
    left = Counter(minute for minute, _ in has.elements())
    missing = []
    for update in others:
        left[time_of(update["at"])] -= 1
        if left[time_of(update["at"])] < 0:
            missing.append(update)
    return missing


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def main(_arguments: Sequence[str] | None = None) -> int:
    """The command."""
    if not DATA.exists():
        print("skipped: ../shared/data is not here")
        return 0
    polls = records("statuspage_polls.jsonl.gz")
    listed = {one["url"].rpartition("/")[2]: one for one in records("incidents.jsonl.gz")}
    came = list(polled(polls))
    found = {one.id.partition(":")[2]: one for one in came if isinstance(one, Incident)}
    versions = Counter(type(one).__name__ for one in came)
    print(f"answers                 {len(polls):>6,}, {versions['TryLater']} of them not JSON")
    print(
        f"versions of incidents   {versions['Incident']:>6,}, unreadable {versions['Unreadable']}"
    )
    answers = Answers(polls)
    both = listed.keys() & found.keys()
    reasons = Counter(why_incident(listed[key], answers) for key in listed.keys() - both)
    tell("incidents", len(listed), len(both), reasons)
    begins = min(time_of(one["started_at"]) for one in listed.values())
    early = sum(found[key].started_at < begins for key in found.keys() - both)
    print(f"  beside them           {early:>6,} from before the list begins")
    print(f"                        {len(found) - len(both) - early:>6,} that the list lacks")
    missing = Counter(
        why_update(key, update, answers)
        for key in both
        for update in missing_updates(listed[key], found[key])
    )
    wanted = sum(len(listed[key]["updates"]) for key in both)
    tell("updates of those", wanted, sum(len(found[key].updates) for key in both), missing)
    return 1 if reasons["UNEXPLAINED"] or missing["UNEXPLAINED"] else 0


def tell(what: str, wanted: int, found: int, reasons: Counter[str]) -> None:
    """A row of the table, and a line for each reason."""
    print(f"{what:<24}{wanted:>6,} listed, {found:,} found")
    for reason, count in sorted(reasons.items()):
        print(f"  not found             {count:>6,} {reason}")


if __name__ == "__main__":
    sys.exit(main())
