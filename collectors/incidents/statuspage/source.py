"""Public status pages: Atlassian Statuspage, and those that answer in the same shape.

No account is needed. Two documents are asked for, each only if it has changed: the newest incidents
with all their updates, and the summary, which also has open incidents too old for the first. Pages
of Better Stack have one document of another shape (``shapes``). Scheduled maintenance is
left out. The cursor says which change of which incident was delivered, so an answer that is older
than an earlier one (caches have many) tells nothing.
"""

import logging
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from collectors.incidents.kit.names import Names
from collectors.incidents.statuspage import answers
from collectors.incidents.statuspage.http import Documents, client
from collectors.kit.breaker import Breaker
from collectors.kit.causes import LOOK_BACK_EXCEEDED
from collectors.kit.times import LONGEST_WAIT, from_us, to_us
from collectors.kit.unreadable import unreadable
from collectors.kit.web import host_of
from pipeline.errors import SetAside, TryLater
from pipeline.model import Coverage, Incident
from pipeline.ports import Clock, Item, Unreadable
from pipeline.roles import pause

log = logging.getLogger(__name__)

#: What is asked for below the page's address, by the shape of its answers.
PATHS: Mapping[str, tuple[str, ...]] = {
    "statuspage": ("api/v2/incidents.json", "api/v2/summary.json"),
    "betterstack": ("index.json",),
}
#: Statuspage lists 50 incidents; some pages of the same shape list fewer.
FULL_LIST = 25


class StatuspageSettings(BaseModel):
    """A public status page as a source of incidents."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    url: str = Field(pattern=r"^https?://[^\s/]+", description="The page's address.")
    name: str | None = Field(None, description="Its name among the sources.")
    shape: Literal["statuspage", "betterstack"] = Field(
        "statuspage", description="betterstack for a page of Better Stack, which answers otherwise."
    )
    tracks: tuple[str, ...] = Field((), description="Whom its incidents are about; none: all.")
    poll_seconds: float = Field(60, ge=10, description="How often the page is asked.")
    provider: str | None = Field(
        None, pattern=r"^[^:\s]+$", description="What ids begin with; default: by the page's id."
    )
    component_map: dict[str, str] = Field(
        {}, description="Its components (id or name) under the names of your tracks' components."
    )
    region_map: dict[str, str] = Field(
        {}, description="Words in its components' names, and the place each stands for."
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """What was delivered: per incident the newest change (ms), and the time (µs) it covers."""

    seen: Mapping[str, int] = field(default_factory=dict)
    since: int | None = None
    read: int | None = None

    @classmethod
    def of(cls, cursor: str | None) -> "Progress":
        """What a cursor stands for; nothing, with a warning, when it is none of this source."""
        if cursor is None:
            return cls()
        try:
            told = orjson.loads(cursor)
            seen = {str(key): int(value) for key, value in told["seen"].items()}
            since, read = (None if told[k] is None else int(told[k]) for k in ("since", "read"))
            return cls(seen, since, read)
        except (ValueError, TypeError, KeyError, AttributeError):
            log.warning("statuspage: the stored cursor is none of this source: reading all anew")
            return cls()

    @property
    def cursor(self) -> str:
        """As ``of`` reads it."""
        told = {"since": self.since, "read": self.read, "seen": dict(self.seen)}
        return orjson.dumps(told).decode()

    def having(self, number: str, version: int) -> "Progress":
        """With one more change delivered."""
        return replace(self, seen={**self.seen, number: version})


class Statuspage:
    """The incidents of one status page, each change once, with its whole history.

    Ids are ``provider:ID``, the provider by default ``statuspage-`` and the page's own id. Raises
    TryLater when the page cannot be reached, refuses, or answers anything but a status page's JSON.
    ``totals`` counts since the start how often the page ``answered``, and ``failed`` to.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        url: str,
        *,
        shape: str = "statuspage",
        tracks: tuple[str, ...] = (),
        poll_seconds: float = 60,
        provider: str | None = None,
        component_map: Mapping[str, str] | None = None,
        region_map: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        # Whoever pastes the address of a document means its page.
        self._base = url.partition("/api/")[0].removesuffix("/index.json").rstrip("/") + "/"
        self._paths = PATHS[shape]
        self._breaker = Breaker(name)
        self._failures = 0
        self._tracks = tuple(tracks)
        self._poll = timedelta(seconds=poll_seconds)
        self._provider = provider
        self._names = Names(component_map or {}, region_map or {})
        self.totals: Counter[str] = Counter()

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``. Without a cursor: everything the page lists."""
        progress = Progress.of(cursor)
        with client() as connection:
            # Made here: a document counts as had only if what it told was handed over.
            documents = Documents(self.name, connection, self._base, self._clock, self._breaker)
            while not stop.is_set():
                progress = yield from self._round(documents, progress, stop)
                due = self._clock.now() + self._poll
                while (left := (due - self._clock.now()).total_seconds()) > 0:
                    yield Item(None, progress.cursor)
                    if self._clock.wait(min(left, LONGEST_WAIT), stop):
                        return

    def _round(
        self, documents: Documents, progress: Progress, stop: threading.Event
    ) -> Generator[Item, None, Progress]:
        """Asks once and delivers what is new, oldest change first; returns the progress."""
        fresh = self._asked(documents, stop)
        if stop.is_set():
            return progress
        raws = _newest([answer for answer in fresh.values() if answer is not None])
        provider = self._provider or _provider(fresh, self._base)
        if _is_overflown(raws, progress):
            now = to_us(self._clock.now())
            yield Item(self._covered(progress, now, cause=LOOK_BACK_EXCEEDED), progress.cursor)
            progress = replace(progress, since=now)
        for number, raw in raws.items():
            changed = answers.version(raw)
            if changed > progress.seen.get(number, -1):
                progress = progress.having(number, changed)
                yield Item(self._word(raw, provider), progress.cursor)
        if all(fresh[path] is not None or documents.is_missing(path) for path in self._paths):
            # What is no more listed will not come again; the cursor must not grow for ever.
            kept = {number: at for number, at in progress.seen.items() if number in raws}
            progress = replace(progress, seen=kept)
        return (yield from self._read(progress))

    def _asked(
        self, documents: Documents, stop: threading.Event
    ) -> dict[str, dict[str, Any] | None]:
        """Each document, or None where it tells nothing new. Raises TryLater."""
        try:
            fresh = {path: documents.changed(path, stop) for path in self._paths}
            if not stop.is_set():
                documents.require(self._paths)
        except TryLater as error:
            # A page that misbehaves for long is asked more and more seldom.
            self._failures += 1
            self.totals["failed"] += 1
            raise TryLater(str(error), pause(self._failures, error.after)) from error
        self._failures = 0
        self.totals["answered"] += 1
        return fresh

    def _read(self, progress: Progress) -> Generator[Item, None, Progress]:
        """Tells the coverage that a page was read up to now: all of it since the last time too."""
        now = to_us(self._clock.now())
        progress = replace(progress, since=progress.since or now, read=now)
        if progress.since is not None and now > progress.since:
            yield Item(self._covered(progress, now), progress.cursor)
        return progress

    def _covered(self, progress: Progress, now: int, cause: str | None = None) -> Coverage:
        start = progress.since if cause is None else progress.read
        return Coverage(
            source=self.name,
            from_at=from_us(start or now),
            to_at=from_us(now),
            is_gap=cause is not None,
            cause=cause,
        )

    def _word(self, raw: dict[str, Any], provider: str) -> Incident | Unreadable:
        try:
            return answers.incident(raw, provider=provider, names=self._names, tracks=self._tracks)
        except SetAside as reason:
            origin = f"incident {raw['id']} of {answers.version(raw)}"
            return unreadable(raw, reason, origin)


def _newest(documents: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each incident as the document with its latest change tells it, the oldest change first."""
    newest: dict[str, dict[str, Any]] = {}
    for document in documents:
        for raw in answers.listed(document):
            number = str(raw["id"])
            if number not in newest or answers.version(raw) > answers.version(newest[number]):
                newest[number] = raw
    return dict(sorted(newest.items(), key=lambda entry: answers.version(entry[1])))


def _provider(fresh: Mapping[str, dict[str, Any] | None], base: str) -> str:
    """What ids begin with: the page's own id, or without one the host."""
    for document in fresh.values():
        told = answers.page(document).get("id") if document is not None else None
        if isinstance(told, str | int) and told:
            return "statuspage-" + "-".join(str(told).replace(":", " ").split())
    return "statuspage-" + host_of(base).replace(":", "-")


def _is_overflown(raws: Mapping[str, Any], progress: Progress) -> bool:
    """Whether a full list has nothing of what was there before: there may be more between."""
    return len(raws) >= FULL_LIST and bool(progress.seen) and not (raws.keys() & progress.seen)
