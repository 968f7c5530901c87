"""What became of X's posts: deletes, accounts that are shut, edits; X tells nobody of them."""

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from collectors.kit import away
from collectors.kit.limits import Answered
from collectors.kit.money import Purse
from collectors.kit.polling import Call, Value
from collectors.kit.progress import Progress
from collectors.kit.rechecks import Rechecks
from collectors.x.client import Api
from collectors.x.posts import FIELDS, PLATFORM, entries, newest
from pipeline.decoding import check
from pipeline.model import Removal
from pipeline.ports import Clock

#: What the kinds of errors of a look-up mean for a post: not there, or out of sight for now.
MEANS: Final[dict[str, away.State]] = {
    "resource-not-found": "missing",
    "not-authorized-for-resource": "hidden",
    "resource-unavailable": "hidden",
}
#: How many edited posts are kept in mind.
REMEMBERED: Final = 1_000


class Checks:
    """Looks up what we hold, round after round, as far as policy and purse allow."""

    def __init__(self, clock: Clock, api: Api, purse: Purse, rounds: Rechecks) -> None:
        self._clock = clock
        self._api = api
        self._purse = purse
        self._rounds = rounds

    def some(self, progress: Progress, stop: threading.Event) -> Iterator[Value | Call]:
        """The next hundred posts, and the newest versions of those that were edited."""
        ids = list(self._rounds.due(progress.own, self._clock.now()))
        asked = [number for number in ids if number.isdecimal()]
        if not ids or (asked and self._purse.wait(self._clock.now(), 2 * len(asked)) > 0):
            return
        with self._rounds.looking(progress.own, ids):
            if asked:
                yield from self._looked_at(asked, progress, stop)
            for number in ids:
                self._rounds.done(progress.own, number)

    def _looked_at(
        self, asked: Sequence[str], progress: Progress, stop: threading.Event
    ) -> Iterator[Value | Call]:
        """What has become of these. Raises TryLater, GiveUp."""
        told: dict[str, Any] = {}
        yield from self._lookup(asked, told, stop)
        yield from self._removals(told, asked, progress)
        later = self._edited(told, progress)
        if later:
            versions: dict[str, Any] = {}
            yield from self._lookup(list(later.values()), versions, stop)
            for entry in entries(versions, self._clock.now()) if versions.get("data") else ():
                yield entry.value
            edits = {**progress.own.get("edits", {}), **later}
            progress.own["edits"] = dict(list(edits.items())[-REMEMBERED:])

    def _lookup(
        self, ids: Sequence[str], told: dict[str, Any], stop: threading.Event
    ) -> Iterator[Call]:
        """One call, paid before; what it gives goes to ``told``."""
        self._purse.take(self._clock.now(), len(ids))
        yield Call.CALL
        try:
            told |= self._api.asked(partial(self._api.client(stop).get_tweets, list(ids), **FIELDS))
        except Answered:
            self._purse.take(self._clock.now(), -len(ids))
            raise
        found = told.get("data")
        self._purse.take(self._clock.now(), len(found or ()) - len(ids))

    def _removals(
        self, told: dict[str, Any], ids: Sequence[str], progress: Progress
    ) -> Iterator[Value]:
        """What is not found is hidden, and erased when the next round does not find it either."""
        there = {str(post.get("id")) for post in told.get("data") or () if isinstance(post, dict)}
        became: dict[str, away.State] = {n: "here" for n in ids if n in there}
        errors = told.get("errors")
        for error in errors if isinstance(errors, list) else ():
            number = str(error.get("resource_id") or error.get("value"))
            kind = MEANS.get(str(error.get("type")).rsplit("/", 1)[-1])
            # Errors name posts that are quoted or answered, too: those are nothing of ours.
            if kind is not None and number in ids and number not in there:
                became[number] = kind
        now = self._clock.now()
        for number, state in became.items():
            if (told_now := away.told(progress.own, number, state, now)) is not None:
                yield removal(number, told_now, now)

    def _edited(self, told: dict[str, Any], progress: Progress) -> dict[str, str]:
        """First and last id of each chain that has grown since it was looked at."""
        seen = progress.own.get("edits", {})
        found = {}
        for post in told.get("data") or ():
            if isinstance(post, dict) and "id" in post:
                first, last = str(post["id"]), newest(post)
                if last not in (first, seen.get(first)):
                    found[first] = last
        return found


def removal(number: str, kind: str, now: datetime) -> Removal:
    """That a post is gone, out of sight or back."""
    told = {"removal": f"{PLATFORM}:{number}", "kind": kind, "at": now, "scope": "mention"}
    return check(Removal, told)
