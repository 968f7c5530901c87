"""Batch compliance jobs of X: what became of thousands of posts at once, and no read is paid.

Only some plans have them. A job is made, the ids are put where it says, and after a while there is
a list of those that are gone. One runs at a time, so which one it is stands in the cursor.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from collectors.kit.polling import Call, Value
from collectors.kit.progress import Progress
from collectors.kit.rechecks import Rechecks
from collectors.kit.times import from_us, to_us
from collectors.kit.web import Web
from collectors.x.checks import REMEMBERED, removal
from collectors.x.client import Api
from pipeline.decoding import load
from pipeline.errors import SetAside, TryLater
from pipeline.ports import Clock

log = logging.getLogger(__name__)

#: What a job's reasons mean for a post. Others (a place was taken back) leave it as it is.
MEANS: Final = {
    "deleted": "erased",
    "deactivated": "hidden",
    "protected": "hidden",
    "suspended": "hidden",
}
#: Posts a job.
MOST: Final = 10_000
#: How often it is looked whether a job is done; how long until another one after a failure.
EVERY: Final = timedelta(minutes=1)
AFTER_FAILURE: Final = timedelta(hours=1)


class Jobs:
    """Looks after what we hold by jobs, round after round. ``url`` is the API's address."""

    def __init__(self, name: str, clock: Clock, api: Api, rounds: Rechecks, url: str) -> None:
        self._name = name
        self._clock = clock
        self._api = api
        self._rounds = rounds
        self._host = urlsplit(url).netloc
        self._web = Web(name, clock)

    def some(self, progress: Progress, stop: threading.Event) -> Iterator[Value | Call]:
        """The next step: a job is made, or looked after. Raises TryLater or GiveUp."""
        job = progress.own.get("job")
        if isinstance(job, dict) and self._clock.now() < from_us(int(job["next"])):
            return
        if isinstance(job, dict) and "id" in job:
            yield from self._look(job, progress, stop)
        else:
            yield from self._make(progress, stop)

    def close(self) -> None:
        """Lets go of the connection."""
        self._web.close()

    def _make(self, progress: Progress, stop: threading.Event) -> Iterator[Call]:
        ids = [n for n in self._rounds.due(progress.own, self._clock.now()) if n.isdecimal()]
        if not ids:
            return
        yield Call.CALL
        made = self._api.asked(partial(self._api.client(stop).create_compliance_job, "tweets"))
        told = made.get("data")
        told = told if isinstance(told, dict) else {}
        upload, download = self._address(told, "upload_url"), self._address(told, "download_url")
        yield Call.CALL
        self._web.put(upload, "\n".join(ids).encode(), stop)
        hidden = progress.own.get("hidden", [])
        progress.own["job"] = {
            "id": str(told.get("id")),
            "download": download,
            "last": ids[-1],
            "hidden": [number for number in hidden if number in set(ids)],
            "next": to_us(self._clock.now() + EVERY),
        }

    def _look(
        self, job: Mapping[str, Any], progress: Progress, stop: threading.Event
    ) -> Iterator[Value | Call]:
        yield Call.CALL
        ask = partial(self._api.client(stop).get_compliance_job, job["id"])
        told = self._api.asked(ask).get("data")
        status = told.get("status") if isinstance(told, dict) else None
        now = self._clock.now()
        if status == "complete":
            yield Call.CALL
            yield from self._gone(self._web.get(job["download"], stop).body, job, progress)
            self._rounds.done(progress.own, job["last"])
            progress.own["job"] = None
        elif status in {"created", "in_progress"}:
            progress.own["job"] = {**job, "next": to_us(now + EVERY)}
        else:  # failed, expired, or one that X knows nothing of any more
            log.warning("%s: a compliance job came to nothing, another one follows", self._name)
            progress.own["job"] = {"next": to_us(now + AFTER_FAILURE)}

    def _gone(self, lines: bytes, job: Mapping[str, Any], progress: Progress) -> Iterator[Value]:
        """The removals of a job's list, and the returns of what is not in it any more."""
        now, hidden = self._clock.now(), list(progress.own.get("hidden", []))
        back = set(job["hidden"])
        for line in lines.splitlines():
            try:
                told = load(line)
            except SetAside:
                raise TryLater(f"{self._name}: a compliance job's list cannot be read") from None
            number = str(told.get("id")) if isinstance(told, dict) else ""
            kind = MEANS.get(str(told.get("reason"))) if number.isdecimal() else None
            if kind is None:
                continue
            back.discard(number)
            if number not in hidden:
                yield removal(number, kind, now)
            if kind == "hidden" and number not in hidden:
                hidden = [*hidden, number][-REMEMBERED:]
        for number in sorted(back):
            hidden.remove(number)
            yield removal(number, "shown", now)
        progress.own["hidden"] = hidden

    def _address(self, told: Mapping[str, Any], name: str) -> str:
        """Where the ids go or the list is: never an unencrypted place, but for the API's own."""
        address = str(told.get(name))
        parts = urlsplit(address)
        if parts.scheme != "https" and parts.netloc != self._host:
            raise TryLater(f"{self._name}: a compliance job without its {name}")
        return address
