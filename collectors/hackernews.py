"""Hacker News: stories and comments about the tracks, without an account.

Algolia's search finds them (``search_by_date``, newest first), a question for each term. A search
gives about 1,000 results; asking again for what is older than the oldest of a page goes further.
Edits and deletes stand in Firebase's short list of changes, and what that list forgot while we were
away is found by looking again at what we hold.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import xxhash
from pydantic import BaseModel, ConfigDict, Field

from collectors.kit.budget import Budget, Window
from collectors.kit.known import Known
from collectors.kit.markup import plain
from collectors.kit.polling import Call, Entry, Habits, Page, Query, Value
from collectors.kit.progress import Progress
from collectors.kit.rechecks import Held, Rechecks
from collectors.kit.source import Polled
from collectors.kit.times import from_us
from collectors.kit.unreadable import unreadable
from collectors.kit.web import Web
from pipeline.decoding import check
from pipeline.errors import SetAside, TryLater
from pipeline.model import Mention, Removal
from pipeline.ports import Clock
from pipeline.tracks import Track
from pipeline.values import to_ms

PLATFORM: Final = "hackernews"
SEARCH = "https://hn.algolia.com/api/v1"
ITEMS = "https://hacker-news.firebaseio.com/v0"
#: Algolia lets 10,000 requests an hour through for each address; Firebase names no limit.
LIMITS = (Window(3_000, timedelta(hours=1)), Window(120, timedelta(minutes=1)))
HITS = 100
#: How late a post may turn up in the search.
OVERLAP = timedelta(minutes=5)
#: Authors may edit for two hours; later changes of an item are votes.
EDITABLE = timedelta(hours=3)
#: How many texts are remembered, as hashes, to tell an edit from a vote; and how many hidden posts.
REMEMBERED, HIDDEN = 20_000, 1_000


class HackerNewsSettings(BaseModel):
    """Hacker News as a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str | None = Field(None, description="Its name among the sources.")
    poll_seconds: float = Field(30, ge=5, description="How often it is asked.")
    look_back_hours: float = Field(24, ge=0, description="How far the first look reaches back.")
    url: str = Field(SEARCH, pattern=r"^https?://.", description="Another address of the search.")
    items_url: str = Field(ITEMS, pattern=r"^https?://.", description="Another one of the items.")


class HackerNews(Polled):
    """Stories and comments that name a track (without tracks: all), their edits and their end.

    ``known`` says whether a post may have been passed on; without it only what this object passed
    on is looked at again. ``held`` lists what we hold, for the re-checks.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        url: str = SEARCH,
        items_url: str = ITEMS,
        poll_seconds: float = 30,
        look_back_hours: float = 24,
        tracks: Sequence[Track] = (),
        known: Known | None = None,
        held: Held | None = None,
    ) -> None:
        self._search = url.rstrip("/")
        self._items = items_url.rstrip("/")
        self._web = Web(name, clock)
        self._known = known
        self._texts: OrderedDict[str, int] = OrderedDict()
        self._rechecks = None if held is None else Rechecks.of(PLATFORM, held)
        queries = [Query(term, track.name) for track in tracks for term in track.terms]
        habits = Habits(timedelta(seconds=poll_seconds), timedelta(hours=look_back_hours), OVERLAP)
        super().__init__(name, clock, queries if tracks else [Query("")], habits, Budget(*LIMITS))

    def _rest(self) -> None:
        self._web.close()

    # ---- searching -----------------------------------------------------------------------------

    def page(
        self, query: Query, since: datetime, before: str | None, stop: threading.Event
    ) -> Page:
        """See ``Feed.page``. ``before`` is the second of the oldest hit of the page before."""
        bounds = [f"created_at_i>={int(since.timestamp())}"]
        if before is not None:
            bounds.append(f"created_at_i<={before}")
        asked = {
            "tags": "(story,comment)",
            "hitsPerPage": str(HITS),
            "numericFilters": ",".join(bounds),
            "typoTolerance": "false",
        }
        if query.key:
            asked |= {"query": f'"{query.key}"', "advancedSyntax": "true"}
        told = self._web.json(f"{self._search}/search_by_date", stop, asked)
        hits = told.get("hits") if isinstance(told, dict) else None
        if not isinstance(hits, list):
            raise TryLater(f"{self.name}: the search answers without hits")
        entries = [self._entry(hit) for hit in hits if isinstance(hit, dict)]
        self._remember_new(entries, since + OVERLAP)
        times = [hit["created_at_i"] for hit in hits if _has_time(hit)]
        return Page(entries, str(min(times)) if times else None, is_all=len(hits) < HITS)

    def _entry(self, hit: dict[str, Any]) -> Entry:
        number = str(hit.get("objectID", ""))
        at = from_us(int(hit["created_at_i"] * 1e6)) if _has_time(hit) else self._clock.now()
        try:
            mention = self._mention(_of_hit(hit), 0)
        except SetAside as reason:
            return Entry(number, at, unreadable(hit, reason, number))
        return Entry(number, at, mention)

    def _remember_new(self, entries: Sequence[Entry], since: datetime) -> None:
        """The texts as they are first passed on; what is older may have been, in another form."""
        for entry in entries:
            is_first = entry.number not in self._texts
            if is_first and entry.at > since and isinstance(entry.value, Mention):
                self._is_new(entry.value)

    # ---- edits and deletes ---------------------------------------------------------------------

    def besides(self, progress: Progress, stop: threading.Event) -> Iterator[Value | Call]:
        """See ``Feed.besides``: the list of changes, then some of what we hold."""
        yield Call.CALL
        told = self._web.json(f"{self._items}/updates.json", stop)
        changed = told.get("items") if isinstance(told, dict) else None
        for number in changed if isinstance(changed, list) else ():
            if self._is_known(str(number)):
                yield from self._look_at(str(number), progress, stop)
        if self._rechecks is not None:
            for number in self._rechecks.due(progress.own, self._clock.now()):
                with self._rechecks.looking(progress.own, [number]):
                    yield from self._look_at(number, progress, stop)
                    self._rechecks.done(progress.own, number)

    def _is_known(self, number: str) -> bool:
        if number in self._texts:
            return True
        return self._known is not None and self._known(f"{PLATFORM}:{number}")

    def _look_at(
        self, number: str, progress: Progress, stop: threading.Event
    ) -> Iterator[Value | Call]:
        """What has become of one item."""
        if not number.isdecimal():
            return
        yield Call.CALL
        item = self._web.json(f"{self._items}/item/{number}.json", stop)
        if not isinstance(item, dict):
            return  # Firebase answers null for a moment after an item was made
        hidden: list[str] = progress.own.setdefault("hidden", [])
        if item.get("deleted") is True:
            yield self._removal(number, "erased")
        elif item.get("dead") is True:
            if number not in hidden:
                progress.own["hidden"] = [*hidden, number][-HIDDEN:]
                yield self._removal(number, "hidden")
        else:
            if number in hidden:
                progress.own["hidden"] = [other for other in hidden if other != number]
                yield self._removal(number, "shown")
            yield from self._edited(item)

    def _edited(self, item: dict[str, Any]) -> Iterator[Value]:
        now = self._clock.now()
        try:
            mention = self._mention(_of_item(item), to_ms(now))
        except SetAside as reason:
            yield unreadable(item, reason, f"item {item.get('id')}")
            return
        if self._is_new(mention) and now - mention.said_at <= EDITABLE:
            yield mention

    def _removal(self, number: str, kind: str) -> Removal:
        told = {"removal": f"{PLATFORM}:{number}", "kind": kind, "at": self._clock.now()}
        return check(Removal, told | {"scope": "mention"})

    def _is_new(self, mention: Mention) -> bool:
        """Whether its text is another one than the last; remembers it."""
        digest = xxhash.xxh3_64_intdigest(mention.text.encode())
        is_new = self._texts.get(mention.external_id) != digest
        self._texts[mention.external_id] = digest
        self._texts.move_to_end(mention.external_id)
        if len(self._texts) > REMEMBERED:
            self._texts.popitem(last=False)
        return is_new

    def _mention(self, told: Mapping[str, Any], version: int) -> Mention:
        """The word of a hit or an item, brought to one shape. Raises SetAside."""
        title, author = _text(told["title"]), told["author"]
        body, links = plain(_text(told["html"]))
        url = _text(told["url"])
        number = str(told["id"])
        values = {
            "source": PLATFORM,
            "external_id": number,
            "kind": "comment" if told["parent"] else "post",
            "author": {"id": author, "handle": author},
            "text": "\n\n".join(part for part in (title, body) if part),
            "said_at": told["at"],
            "seen_at": self._clock.now(),
            "url": f"https://news.ycombinator.com/item?id={number}",
            "reply_to": told["parent"],
            "thread": told["story"],
            "links": ((url, *links) if url.startswith("http") else links),
            "version": version,
        }
        if not number.isdecimal() or told["at"] is None:
            raise SetAside("an item of Hacker News has a number and a time, this has not")
        return check(Mention, values)


def _of_hit(hit: Mapping[str, Any]) -> dict[str, Any]:
    """A hit of the search."""
    is_comment = hit.get("comment_text") is not None
    return {
        "id": hit.get("objectID"),
        "author": hit.get("author"),
        "title": None if is_comment else hit.get("title"),
        "html": hit.get("comment_text") if is_comment else hit.get("story_text"),
        "url": None if is_comment else hit.get("url"),
        "parent": _number(hit.get("parent_id")) if is_comment else None,
        "story": _number(hit.get("story_id")) if is_comment else None,
        "at": hit["created_at_i"] if _has_time(hit) else None,
    }


def _of_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of Firebase, which does not tell the story of a comment."""
    at = item.get("time")
    return {
        "id": item.get("id"),
        "author": item.get("by"),
        "title": item.get("title"),
        "html": item.get("text"),
        "url": item.get("url"),
        "parent": _number(item.get("parent")),
        "story": None,
        "at": at if isinstance(at, int) else None,
    }


def _has_time(hit: Any) -> bool:
    at = hit.get("created_at_i") if isinstance(hit, dict) else None
    return isinstance(at, int) and 0 < at < 1 << 40


def _number(value: Any) -> str | None:
    return str(value) if isinstance(value, int) and value else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
