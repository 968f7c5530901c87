"""Any RSS or Atom feed: its entries as they are published and changed.

A feed is one document with its newest entries in no promised order, so ids alone say what is new;
an entry with another text is a new version. It is asked for only if it has changed. Entries that
leave the document before they were read are a gap. That an entry has left says nothing of a delete.
"""

import threading
from calendar import timegm
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import xxhash
from pydantic import BaseModel, ConfigDict, Field

from collectors.kit.budget import Budget, Window
from collectors.kit.markup import plain
from collectors.kit.polling import Entry, Habits, Page, Query
from collectors.kit.progress import Progress
from collectors.kit.source import Polled
from collectors.kit.times import from_us
from collectors.kit.unreadable import unreadable
from collectors.kit.web import Web, host_of
from pipeline.decoding import check
from pipeline.errors import GiveUp, SetAside, TryLater
from pipeline.model import Mention
from pipeline.ports import Clock, Item
from pipeline.values import sound, to_ms

PLATFORM: Final = "rss"
#: Nobody publishes more often than this, and some lock out who asks more often.
LIMITS = (Window(120, timedelta(hours=1)),)
#: A feed with full texts has a megabyte or two.
MOST_BYTES = 16 * 1_048_576
#: The longest id that is used as it is; longer ones are hashed.
LONGEST_ID = 400
NOT_MODIFIED = 304


class RssSettings(BaseModel):
    """A feed as a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    url: str = Field(pattern=r"^https?://[^\s/]+", description="The feed's address.")
    name: str | None = Field(None, description="Its name among the sources.")
    tracks: tuple[str, ...] = Field(
        (), description="Whom all of its entries are about; none: those that name a track."
    )
    poll_seconds: float = Field(300, ge=60, description="How often it is asked.")


class Rss(Polled):
    """The entries of one feed; each version once. ``name`` keeps its cursor."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        url: str,
        *,
        tracks: Sequence[str] = (),
        poll_seconds: float = 300,
    ) -> None:
        self._url = url
        self._host = host_of(url)
        #: What relative addresses in it are relative to; they are shown to people.
        self._base = urlunsplit(urlsplit(url)._replace(netloc=self._host))
        self._tracks = tuple(tracks)
        self._web = Web(name, clock, most_bytes=MOST_BYTES)
        self._validators: dict[str, str] = {}
        self._known: dict[str, str] = {}  # hashes of ids, and of the texts that were read last
        habits = Habits(timedelta(seconds=poll_seconds), timedelta(0), overlap=None, pages=1)
        super().__init__(name, clock, [Query("")], habits, Budget(*LIMITS))

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``. Without a cursor: everything the feed lists."""
        self._validators = {}
        place = Progress.of(self.name, cursor, Budget(*LIMITS)).places.get("")
        for number in place.ids if place is not None else ():
            key, _, text = number.partition("@")
            self._known.setdefault(key, text)
        yield from super().items(cursor, stop)

    def _rest(self) -> None:
        self._web.close()

    def page(
        self,
        query: Query,  # noqa: ARG002  # a feed is one question
        since: datetime,  # noqa: ARG002
        before: str | None,  # noqa: ARG002  # and one page
        stop: threading.Event,
    ) -> Page:
        """See ``Feed.page``: the whole document."""
        answer = self._web.get(
            self._url, stop, headers=self._validators, fine=frozenset({NOT_MODIFIED})
        )
        if answer.status == NOT_MODIFIED:
            return Page(())
        found = self._parsed(answer.body, answer.headers)
        entries = [self._entry(raw, found.feed) for raw in found.entries]
        asked = {"if-none-match": "etag", "if-modified-since": "last-modified"}
        headers = answer.headers
        self._validators = {ask: headers[told] for ask, told in asked.items() if told in headers}
        return Page(entries)

    def _parsed(self, body: bytes, headers: Mapping[str, str]) -> Any:
        """The document as feedparser reads it. Raises TryLater when it is no feed."""
        try:
            import feedparser
        except ModuleNotFoundError as error:
            install = "pip install 'groundswell[rss]'"
            raise GiveUp(f"{self.name}: wants the package feedparser: {install}") from error
        told = {"content-type": headers.get("content-type", ""), "content-location": self._base}
        # We show no HTML, only the text in it: nothing has to be made harmless first.
        found = feedparser.parse(body, response_headers=told, sanitize_html=False)
        if not found.get("version"):
            raise TryLater(f"{self.name}: {self._host} answers something else than a feed")
        return found

    def _entry(self, raw: dict[str, Any], feed: Mapping[str, Any]) -> Entry:
        title, body = plain(_text(raw.get("title")))[0], plain(_body(raw))
        text = "\n\n".join(part for part in (title, body[0]) if part)
        told = _text(raw.get("id")) or _text(raw.get("link"))
        key, digest = _hash(told or text), _hash(text)
        # Not by its own ``get``, which gives the time of publishing for both.
        changed = _time(dict.get(raw, "updated_parsed"))
        at = _time(dict.get(raw, "published_parsed")) or changed or self._clock.now()
        version = 0
        if self._known.get(key, digest) != digest:
            version = to_ms(changed if changed is not None and changed > at else self._clock.now())
        self._known[key] = digest
        number = f"{key}@{digest}"
        values = {
            "source": PLATFORM,
            "external_id": self._external_id(told, key),
            "author": self._author(raw),
            "text": text,
            "lang": _text(feed.get("language")).partition("-")[0].lower() or None,
            "said_at": at,
            "seen_at": self._clock.now(),
            "url": _text(raw.get("link")) or None,
            "links": body[1],
            "hashtags": tuple(_tags(raw)),
            "tracks": self._tracks,
            "version": version,
        }
        try:
            if not text:
                raise SetAside("an entry has a title or a text, this has neither")
            return Entry(number, at, check(Mention, values))
        except SetAside as reason:
            return Entry(number, at, unreadable(text.encode(), reason, number))

    def _external_id(self, told: str, key: str) -> str:
        """Ids of feeds are unique in the feed; those that are addresses, everywhere."""
        if not 0 < len(told.encode(errors="replace")) <= LONGEST_ID:
            return f"{self._host}/{key}"
        return told if ":" in told else f"{self._host}/{told}"

    def _author(self, raw: Mapping[str, Any]) -> dict[str, str]:
        """Who wrote it; a feed without names is one author."""
        name = _text(raw.get("author"))[:200]
        return {"id": f"{self._host}/{name}", "handle": name or self._host}


def _body(raw: Mapping[str, Any]) -> str:
    """The longest text of an entry, as HTML."""
    contents = raw.get("content")
    told = [part.get("value") for part in contents or () if isinstance(part, Mapping)]
    return max((_text(text) for text in (*told, raw.get("summary"))), key=len)


def _tags(raw: Mapping[str, Any]) -> Iterator[str]:
    for tag in raw.get("tags") or ():
        term = _text(tag.get("term")) if isinstance(tag, Mapping) else ""
        if term and len(term) <= 100:
            yield term


def _time(value: Any) -> datetime | None:
    """The time that feedparser read, in UTC."""
    try:
        return None if value is None else from_us(timegm(value) * 1_000_000)
    except (TypeError, ValueError, OverflowError):
        return None


def _text(value: Any) -> str:
    return sound(value).strip() if isinstance(value, str) else ""


def _hash(text: str) -> str:
    return xxhash.xxh3_64_hexdigest(text.encode())
