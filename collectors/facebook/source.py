"""Facebook: posts that tag our page, what visitors post on it, and comments on all of its posts.

Comments are asked for together with the posts of the last weeks, the newest of each first; those
of a post that has more are followed by themselves. The webhook (``facebook-hook``) tells sooner,
and of edits and deletes; what it misses is found here, by looks and by looking again.
"""

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import xxhash
from pydantic import BaseModel, ConfigDict, Field

from collectors.facebook.api import GRAPH, FacebookApi, Missing, Wrong
from collectors.facebook.things import (
    COMMENTED,
    FIELDS,
    NUMBER,
    PLATFORM,
    author_of,
    mention,
    number_of,
    removal,
    said,
)
from collectors.kit import away
from collectors.kit.breaker import Breaker
from collectors.kit.budget import Budget, Window
from collectors.kit.polling import Call, Entry, Habits, Page, Query, Value
from collectors.kit.progress import Progress
from collectors.kit.rechecks import Held, Rechecks
from collectors.kit.secret import Variable, secret
from collectors.kit.source import Polled
from collectors.kit.strays import without_strays
from collectors.kit.unreadable import kept
from pipeline.errors import SetAside
from pipeline.model import Mention
from pipeline.ports import Clock, Unreadable
from pipeline.values import to_ms

log = logging.getLogger(__name__)

#: An app may ask 200 times an hour for each of its users, and has at least one.
LIMITS: Final = (Window(180, timedelta(hours=1)),)
OVERLAP: Final = timedelta(minutes=10)
POSTS: Final = 50
COMMENTS: Final = 25
LIMIT: Final = 100
#: How many of what we hold are looked at again with each look: each costs a call.
AT_ONCE: Final = 3
REMEMBERED: Final = 20_000
TAGS: Final = "tagged"
FEED: Final = "feed"


class FacebookSettings(BaseModel):
    """A page of ours on Facebook as a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    page: str = Field(pattern=r"^\d{1,24}$", description="The page's number.")
    token_from: Variable = Field(description="The environment variable with the page's token.")
    secret_from: Variable | None = Field(
        None, description="The one with the app's secret, by which calls prove whose they are."
    )
    name: str | None = Field(None, description="Its name among the sources.")
    tracks: tuple[str, ...] = Field(min_length=1, description="Whom all of it is about.")
    comment_days: float = Field(
        14, gt=0, le=90, description="How old a post may be whose comments are still read."
    )
    poll_seconds: float = Field(180, ge=30, description="How often it is asked.")
    look_back_hours: float = Field(24, ge=0, description="How far the first look reaches back.")
    url: str = Field(GRAPH, pattern=r"^https?://.", description="Another address of the API.")


class Facebook(Polled):
    """What is said to and about one page of ours. ``held`` lists what we hold, for re-checks."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        page: str,
        *,
        token_from: str,
        secret_from: str | None = None,
        tracks: Sequence[str] = (),
        comment_days: float = 14,
        poll_seconds: float = 180,
        look_back_hours: float = 24,
        url: str = GRAPH,
        held: Held | None = None,
    ) -> None:
        self._page = page
        self._tracks = tuple(tracks)
        self._comments_back = timedelta(days=comment_days)
        proof = None if secret_from is None else secret(name, "secret_from", secret_from)
        self._api = FacebookApi(name, clock, secret(name, "token_from", token_from), proof, url)
        self._where = Breaker(name, "page")
        self._seen: OrderedDict[str, tuple[Any, ...]] = OrderedDict()
        self._rechecks = None if held is None else Rechecks.of(PLATFORM, held, AT_ONCE)
        habits = Habits(timedelta(seconds=poll_seconds), timedelta(hours=look_back_hours), OVERLAP)
        [track] = self._tracks if len(self._tracks) == 1 else [None]
        queries = [Query(TAGS, track), Query(FEED, track)]
        super().__init__(name, clock, queries, habits, Budget(*LIMITS))
        self._late: str | None = None

    def _rest(self) -> None:
        self._api.close()

    def trouble(self) -> str | None:
        """One line when too little comes or is looked at again, else None."""
        told = [one for one in (self._late, super().trouble()) if one is not None]
        return "; ".join(told) or None

    def page(
        self, query: Query, since: datetime, before: str | None, stop: threading.Event
    ) -> Page:
        """See ``Feed.page``."""
        try:
            if query.key == TAGS:
                found = self._tagged(since, before, stop)
            else:
                found = self._feed(since, before, stop)
        except Missing as error:
            raise self._where.refused("Facebook", 404) from error
        self._where.accepted()
        return found

    def _tagged(self, since: datetime, before: str | None, stop: threading.Event) -> Page:
        """Posts with our page's name. ``before`` is Facebook's own word for the next page."""
        asked = {"fields": FIELDS, "limit": str(LIMIT)}
        if before is not None:
            asked["after"] = before
        told = self._api.connection(self._page, TAGS, asked, stop)
        entries = [entry for thing in told["data"] if (entry := self._entry(thing)) is not None]
        further = _further(told)
        return Page(without_strays(entries, since), further, is_all=further is None)

    # ---- posts on the page, with their comments ------------------------------------------------

    def _feed(self, since: datetime, before: str | None, stop: threading.Event) -> Page:
        """Posts with the newest of their comments, or more comments of one of them.

        ``before`` is what is left to ask: the next page of posts, and posts with more comments.
        Posts come by their own time, comments at any: an entry from before ``since`` is no end.
        """
        left: dict[str, Any] = {"after": None, "more": []} if before is None else json.loads(before)
        if left["more"]:
            (post, after), *left["more"] = left["more"]
            entries = self._comments_of(post, after, left, since, stop)
        else:
            entries = self._posts(left, since, stop)
        is_all = not left["more"] and left["after"] is None
        return Page(
            [entry for entry in entries if entry.at >= since],
            None if is_all else json.dumps(left),
            is_all=is_all,
        )

    def _posts(
        self, left: dict[str, Any], since: datetime, stop: threading.Event
    ) -> Sequence[Entry]:
        oldest = self._clock.now() - self._comments_back
        inner = f"comments.filter(stream).order(reverse_chronological).limit({COMMENTS})"
        asked = {
            "fields": f"{FIELDS},{inner}{{{COMMENTED}}}",
            "limit": str(POSTS),
            "since": str(int(oldest.timestamp())),
        }
        if left["after"] is not None:
            asked["after"] = left["after"]
        told = self._api.connection(self._page, FEED, asked, stop)
        left["after"] = _further(told)
        entries = [entry for thing in told["data"] if (entry := self._entry(thing)) is not None]
        for thing in told["data"]:
            post = number_of(thing)
            comments = thing.get("comments") if isinstance(thing, Mapping) else None
            if post is not None and isinstance(comments, Mapping):
                entries += self._commented(post, comments, left, since)
        return entries

    def _comments_of(
        self, post: str, after: str, left: dict[str, Any], since: datetime, stop: threading.Event
    ) -> Sequence[Entry]:
        asked = {"fields": COMMENTED, "limit": str(LIMIT), "after": after}
        asked |= {"filter": "stream", "order": "reverse_chronological"}
        try:
            told = self._api.connection(post, "comments", asked, stop)
        except Missing:
            return ()  # the post went while we read, and its comments with it
        return self._commented(post, told, left, since)

    def _commented(
        self, post: str, told: Mapping[str, Any], left: dict[str, Any], since: datetime
    ) -> list[Entry]:
        """The comments of a post; notes in ``left`` where there may be more that we want."""
        things = told.get("data")
        things = things if isinstance(things, list) else []
        times = [at for thing in things if (at := said(thing)) is not None]
        if (further := _further(told)) is not None and times and min(times) >= since:
            left["more"].append([post, further])
        return [entry for one in things if (entry := self._entry(one, post)) is not None]

    # ---- things --------------------------------------------------------------------------------

    def _entry(self, thing: Any, post: str | None = None) -> Entry | None:
        """A thing as an entry; None for what the page says itself."""
        if author_of(thing) == self._page:
            return None
        now = self._clock.now()
        try:
            found = mention(thing, now, self._tracks, post)
        except SetAside as reason:
            data = kept(thing)
            number = number_of(thing) or xxhash.xxh3_64_hexdigest(data)
            at = said(thing) or now
            return Entry(number, at, Unreadable(data, str(reason), f"thing {number}"))
        if found.external_id not in self._seen:
            self._changed(found)
        return Entry(found.external_id, found.said_at, found)

    def besides(self, progress: Progress, stop: threading.Event) -> Iterator[Value | Call]:
        """See ``Feed.besides``: some of what we hold is looked at again."""
        if self._rechecks is None:
            return
        for number in self._rechecks.due(progress.own, self._clock.now()):
            with self._rechecks.looking(progress.own, [number]):
                if NUMBER.fullmatch(number):
                    yield Call.CALL
                    yield from self._look_at(number, progress.own, stop)
                self._rechecks.done(progress.own, number)
        self._late = self._rechecks.trouble(progress.own, self._clock.now())

    def _look_at(self, number: str, own: dict[str, Any], stop: threading.Event) -> Iterator[Value]:
        """What has become of one post or comment."""
        now = self._clock.now()
        try:
            thing: Mapping[str, Any] | None = self._api.thing(number, FIELDS, stop)
        except Missing:
            thing = None
        except Wrong as reason:  # the others are looked at none the less
            log.info("%s: looking at %s again: %s", self.name, number, reason)
            return
        kind = away.told(own, number, "missing" if thing is None else "here", now)
        if kind is not None:
            yield removal(number, kind, now)
        if thing is None:
            return
        try:
            found = mention(thing, now, self._tracks)
        except SetAside as reason:
            log.info("%s: looking at %s again: %s", self.name, number, reason)
            return
        if (known := self._changed(found)) is not None:
            # It does not say here what it stands under.
            yield found.model_copy(update=known | {"version": to_ms(now)})

    def _changed(self, found: Mention) -> dict[str, Any] | None:
        """Where it stands, if it says something else than when it was last seen."""
        digest = xxhash.xxh3_64_intdigest(found.text.encode())
        number = found.external_id
        if number not in self._seen:
            self._seen[number] = (digest, found.kind, found.reply_to, found.thread)
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
            return None
        known, *stands = self._seen[number]
        self._seen[number] = (digest, *stands)
        if known == digest:
            return None
        return dict(zip(("kind", "reply_to", "thread"), stands, strict=True))


def _further(told: Mapping[str, Any]) -> str | None:
    """What asks for the next page, if there is one: the last one has a cursor, too."""
    paging = told.get("paging")
    if not isinstance(paging, Mapping) or "next" not in paging:
        return None
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, Mapping) else None
    return after if isinstance(after, str) and after else None
