"""Looking again at Reddit's posts that we hold: edits, deletes, and what came back."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import xxhash

from collectors.kit import away
from collectors.kit.polling import Call, Value
from collectors.kit.progress import Progress
from collectors.kit.rechecks import Held, Rechecks
from collectors.reddit.api import RedditApi
from collectors.reddit.things import FULLNAME, PLATFORM, Fate, fate, fullname, unmarked
from pipeline.decoding import check
from pipeline.errors import TryLater
from pipeline.model import Mention, Removal
from pipeline.ports import Clock

#: Reddit answers a question for so many ids.
AT_ONCE: Final = 100
#: How many texts are remembered, as hashes.
REMEMBERED: Final = 20_000


class Texts:
    """What posts said when they were last seen: Reddit does not mark every edit."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[int, int, bool]] = OrderedDict()

    def is_ours(self, number: str) -> bool | None:
        """Whether a post was about a track when it was seen; None for what never was."""
        known = self._seen.get(number)
        return None if known is None else known[2]

    def seen(self, mention: Mention, clock: Clock, *, is_ours: bool) -> tuple[Mention, bool]:
        """The mention in its right version, and whether it differs from the last one.

        What was never seen differs if it is marked as edited.
        """
        digest = xxhash.xxh3_64_intdigest(mention.text.encode())
        number = mention.external_id
        known, version, _ = self._seen.get(number, (digest, 0, False))
        told = max(mention.version, version)
        if known != digest and told == version:
            told = max(version + 1, unmarked(mention, clock.now()))
        if told != mention.version:
            mention = mention.model_copy(update={"version": told})
        self._seen[number] = (digest, told, is_ours)
        self._seen.move_to_end(number)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return mention, told > version


class Checks:
    """Asks for what we hold, 100 posts at a time, and tells what has become of them.

    What moderators or filters took away is hidden, until it is back. What its author took away is
    erased. What Reddit does not know is hidden first (a subreddit may close for a day) and erased
    when it is still not there in the next round. One whose edit took our name out is hidden, too.
    What a listing shows of all this is ``noticed``, and looked at before the others. ``read`` makes
    a word of a thing, ``is_ours`` says whether it is about a track.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        api: RedditApi,
        texts: Texts,
        read: Callable[[Any], Value],
        is_ours: Callable[[Mention], bool],
        held: Held,
    ) -> None:
        self._name = name
        self._clock = clock
        self._api = api
        self._texts = texts
        self._read = read
        self._is_ours = is_ours
        self._shown: OrderedDict[str, Fate] = OrderedDict()
        self._pending: dict[str, None] = {}
        self.trouble: str | None = None
        self._rounds = Rechecks.of(PLATFORM, held, AT_ONCE)

    def noticed(self, number: str, became: Fate, *, is_known: bool) -> None:
        """What a listing shows of a post; only what is new of one that we may hold matters."""
        before = self._shown.get(number, "here")
        if before != became and (is_known or before != "here"):
            self._pending[number] = None
        if before != became:
            self._shown[number] = became
            if len(self._shown) > REMEMBERED:
                self._shown.popitem(last=False)

    def go(self, progress: Progress, stop: threading.Event) -> Iterator[Value | Call]:
        """What was noticed, and the next posts of this round. Raises TryLater, GiveUp."""
        while self._pending:
            some = list(self._pending)[:AT_ONCE]
            yield from self._look_at(some, progress.own, stop)
            for number in some:
                self._pending.pop(number, None)
        if due := self._rounds.due(progress.own, self._clock.now()):
            with self._rounds.looking(progress.own, due):
                yield from self._look_at(due, progress.own, stop)
                self._rounds.done(progress.own, due[-1])
        self.trouble = self._rounds.trouble(progress.own, self._clock.now())

    def _look_at(
        self, numbers: Sequence[str], own: dict[str, Any], stop: threading.Event
    ) -> Iterator[Value | Call]:
        asked = [number for number in numbers if FULLNAME.fullmatch(number)]
        if not asked:
            return
        yield Call.CALL
        if stop.is_set():
            return
        found = self._found(asked, stop)
        for number in asked:
            yield from self._judged(number, found.get(number), own)

    def _found(self, asked: Sequence[str], stop: threading.Event) -> Mapping[str, Any]:
        told = self._api.get("api/info/", {"id": ",".join(asked), "limit": AT_ONCE}, stop)
        return {name: thing for thing in children(self._name, told) if (name := fullname(thing))}

    def _judged(self, number: str, thing: Any, own: dict[str, Any]) -> Iterator[Value]:
        state: away.State = "missing" if thing is None else fate(thing)
        value = self._read(thing) if state == "here" else None
        if isinstance(value, Mention) and not self._is_ours(value):
            state = "hidden"
        now = self._clock.now()
        kind = away.told(own, number, state, now)
        if kind is not None:
            told = {"removal": f"{PLATFORM}:{number}", "kind": kind, "at": now}
            yield check(Removal, told | {"scope": "mention"})
        if isinstance(value, Mention) and state == "here":
            changed, is_new = self._texts.seen(value, self._clock, is_ours=True)
            if is_new:
                yield changed
        elif value is not None and state == "here":
            yield value


def children(name: str, told: Any) -> list[Any]:
    """The things of a listing. Raises TryLater for what is none."""
    data = told.get("data") if isinstance(told, dict) else None
    things = data.get("children") if isinstance(data, dict) else None
    if not isinstance(things, list):
        raise TryLater(f"{name}: Reddit answers without a listing")
    return things
