"""Bluesky asked instead of heard: search and notifications of an account, and re-checks.

Jetstream remembers a day and a half. What was said in a longer outage is found here: posts by
search, a question for each name of a track, and what was said to our account by its notifications.
Search pages by time, for its own cursors do not reach through long results. What we hold is looked
at again, since deletes of a longer outage are told by nobody any more.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from collectors.bluesky import events
from collectors.bluesky.login import Login
from collectors.kit import away
from collectors.kit.budget import Budget, Window
from collectors.kit.known import Known
from collectors.kit.polling import Call, Entry, Habits, Page, Query, Value
from collectors.kit.progress import Progress
from collectors.kit.rechecks import Held, Rechecks
from collectors.kit.secret import Variable, secret
from collectors.kit.source import Polled
from collectors.kit.times import instant, to_us
from collectors.kit.unreadable import unreadable
from pipeline.decoding import check
from pipeline.errors import SetAside, TryLater
from pipeline.model import Mention, Removal
from pipeline.ports import Clock
from pipeline.tracks import Matcher, Track

SERVICE: Final = "https://bsky.social"
SEARCH: Final = "app.bsky.feed.searchPosts"
NOTIFICATIONS: Final = "app.bsky.notification.listNotifications"
POSTS: Final = "app.bsky.feed.getPosts"
PROFILES: Final = "app.bsky.actor.getProfiles"
#: 3,000 requests in 5 minutes for each address; much is left to whoever else is there.
LIMITS: Final = (Window(600, timedelta(minutes=5)),)
#: How late a post may turn up in the search.
OVERLAP: Final = timedelta(minutes=10)
LIMIT: Final = 100
#: As many posts, and profiles, may be asked for at once.
AT_ONCE: Final = 25
ALL: Final = "@"
SAID_TO_US: Final = ("mention", "reply", "quote")


class BlueskySearchSettings(BaseModel):
    """Bluesky's search and an account's notifications as a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    account: str = Field(min_length=3, description="The account's handle, without the @.")
    password_from: Variable = Field(
        description="The environment variable with an app password of the account."
    )
    name: str | None = Field(None, description="Its name among the sources.")
    poll_seconds: float = Field(300, ge=10, description="How often each name is asked for.")
    look_back_hours: float = Field(48, ge=0, description="How far the first look reaches back.")
    url: str = Field(
        SERVICE, pattern=r"^https?://[^\s/]+$", description="The account's service (PDS)."
    )


class BlueskySearch(Polled):
    """Posts that name a track, or are said to the account; what became of those that we hold."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        account: str,
        *,
        password_from: str,
        poll_seconds: float = 300,
        look_back_hours: float = 48,
        url: str = SERVICE,
        tracks: Sequence[Track] = (),
        known: Known | None = None,  # noqa: ARG002  # ``held`` says which posts concern us
        held: Held | None = None,
    ) -> None:
        password = secret(name, "password_from", password_from)
        self._login = Login(name, clock, url, account, password)
        self._matcher = Matcher(tracks) if tracks else None
        names = {account.lstrip("@").casefold()}
        self._ours = tuple(
            track.name
            for track in tracks
            if names & {own.lstrip("@").casefold() for own in (*track.own, *track.handles)}
        )
        self._rechecks = None if held is None else Rechecks.of(events.PLATFORM, held, AT_ONCE)
        asked = {key: track.name for track in tracks for key in _questions(track)}
        queries = [*(Query(key, track) for key, track in asked.items()), Query(ALL)]
        habits = Habits(timedelta(seconds=poll_seconds), timedelta(hours=look_back_hours), OVERLAP)
        super().__init__(name, clock, queries, habits, Budget(*LIMITS))

    def _end(self) -> None:
        self._login.close()

    # ---- looking -------------------------------------------------------------------------------

    def opening(
        self,
        progress: Progress,  # noqa: ARG002
        stop: threading.Event,  # noqa: ARG002
    ) -> Iterator[Call]:
        """Before each look: logs in, if that has to be; see ``kit.streaming.Streaming``."""
        if not self._login.is_open:
            yield Call.CALL
            self._login.open()

    def page(
        self,
        query: Query,
        since: datetime,
        before: str | None,
        stop: threading.Event,  # noqa: ARG002  # an answer is bounded by ``kit.web.patience``
    ) -> Page:
        """See ``Feed.page``. ``before`` is a time for the search, a cursor for notifications."""
        if query.key == ALL:
            return self._notified(before)
        asked = {"q": query.key, "sort": "latest", "limit": LIMIT, "since": _told(since)}
        if before is not None:
            asked["until"] = before
        posts = self._listed(SEARCH, asked, "posts")
        times = [at for post in posts if (at := _stands(post)) is not None]
        entries = [self._entry(post, ()) for post in posts]
        # Not before the oldest, but right after: others may have been said in its millisecond.
        until = _told(min(times) + timedelta(milliseconds=1)) if times else None
        return Page(entries, until, is_all=len(posts) < LIMIT)

    def _notified(self, before: str | None) -> Page:
        """What was said to the account."""
        asked: dict[str, Any] = {"reasons": list(SAID_TO_US), "limit": LIMIT}
        if before is not None:
            asked["cursor"] = before
        answer = self._login.query(NOTIFICATIONS, asked)
        told = answer.get("notifications")
        if not isinstance(told, list):
            raise TryLater(f"{self.name}: Bluesky answers without notifications")
        cursor = answer.get("cursor")
        found = [self._entry(one, self._ours) for one in told if _is_said_to_us(one)]
        # They stand by when they came in, whatever date their authors gave them.
        entries = [one._replace(at=_came(one)) for one in found]
        is_all = not isinstance(cursor, str) or not cursor or not told
        return Page(entries, None if is_all else cursor, is_all=is_all)

    def _listed(self, method: str, asked: dict[str, Any], name: str) -> list[Any]:
        found = self._login.query(method, asked).get(name)
        if not isinstance(found, list):
            raise TryLater(f"{self.name}: Bluesky answers without {name}")
        return found

    def _entry(self, post: Any, ours: tuple[str, ...]) -> Entry:
        """A post of an answer. ``ours``: whom it is about if it names nobody."""
        now = self._clock.now()
        at = _stands(post) or now
        number = str(_inner(post).get("uri", ""))
        try:
            event = _event(post)
            seen = events.found(event["commit"]["record"])
            handle = _inner(_inner(post).get("author")).get("handle")
            found: tuple[str, ...] = ()
            if self._matcher is not None:
                text = events.said(event["commit"]["record"], seen)
                found = self._matcher.find(text, (*seen.handles, *seen.dids), seen.tags) or ours
            mention = events.mention(
                event,
                seen,
                handle=handle if isinstance(handle, str) else None,
                tracks=found,
                now=now,
            )
        except SetAside as reason:
            return Entry(number or "post", at, unreadable(post, reason, f"post {number}"))
        return Entry(number, at, mention)

    # ---- looking again -------------------------------------------------------------------------

    def besides(
        self,
        progress: Progress,
        stop: threading.Event,  # noqa: ARG002
    ) -> Iterator[Value | Call]:
        """See ``Feed.besides``: some of what we hold."""
        if self._rechecks is None:
            return
        due = self._rechecks.due(progress.own, self._clock.now())
        if due:
            with self._rechecks.looking(progress.own, due):
                yield from self._looked_at(due, progress)

    def _looked_at(self, due: Sequence[str], progress: Progress) -> Iterator[Value | Call]:
        """What has become of these. Raises TryLater, GiveUp."""
        assert self._rechecks is not None  # noqa: S101  # or nothing were due
        yield Call.CALL
        asked = {"uris": [_uri(number) for number in due]}
        posts = self._listed(POSTS, asked, "posts")
        there = {str(_inner(post).get("uri")) for post in posts}
        gone = [number for number in due if _uri(number) not in there]
        authors: set[str] = set()
        if gone:
            yield Call.CALL
            dids = sorted({number.partition("/")[0] for number in gone})
            profiles = self._listed(PROFILES, {"actors": dids}, "profiles")
            authors = {str(_inner(profile).get("did")) for profile in profiles}
        for number in due:
            yield from self._became(number, number not in gone, authors, progress)
            self._rechecks.done(progress.own, number)

    def _became(
        self, number: str, is_there: bool, authors: set[str], progress: Progress
    ) -> Iterator[Removal]:
        """A post that stays away though its author is there was deleted; else it may come back.

        An answer without posts may be a fault, or mean that the author blocks our account: the
        first one hides, the next one erases.
        """
        state: away.State = "here"
        if not is_there:
            state = "missing" if number.partition("/")[0] in authors else "hidden"
        kind = away.told(progress.own, number, state, self._clock.now())
        if kind is not None:
            yield self._removal(number, kind)

    def _removal(self, number: str, kind: str) -> Removal:
        told = {"removal": f"{events.PLATFORM}:{number}", "kind": kind, "at": self._clock.now()}
        return check(Removal, told | {"scope": "mention"})


def _questions(track: Track) -> Iterator[str]:
    """What is searched for; whether a post names the track is looked at afterwards, as ever."""
    for name in (*track.terms, *track.handles):
        if words := name.replace('"', " ").strip():
            yield f'"{words}"'
    for tag in track.hashtags:
        yield f"#{tag.lstrip('#')}"


def _event(post: Any) -> dict[str, Any]:
    """A post of an answer as Jetstream would tell it. Raises SetAside."""
    told = _inner(post)
    number = events.external_id(told.get("uri"))
    indexed = instant(told.get("indexedAt"))
    if number is None or indexed is None or not isinstance(told.get("record"), dict):
        raise SetAside("a post has its address, its record and its time, this has not")
    did, _, rkey = number.partition("/")
    commit = {"operation": "create", "rkey": rkey, "record": told["record"]}
    return {"did": did, "time_us": to_us(indexed), "commit": commit}


def _stands(post: Any) -> datetime | None:
    """Where a post stands in the search: when it was made, or came in if that was sooner."""
    told = _inner(post)
    indexed = instant(told.get("indexedAt"))
    created = instant(_inner(told.get("record")).get("createdAt"))
    return min(created, indexed) if created is not None and indexed is not None else indexed


def _came(entry: Entry) -> datetime:
    value = entry.value
    return value.event_at if isinstance(value, Mention) else entry.at


def _is_said_to_us(told: Any) -> bool:
    """Older services tell of likes and followers, too."""
    return not isinstance(told, dict) or told.get("reason") in SAID_TO_US


def _uri(number: str) -> str:
    did, _, rkey = number.partition("/")
    return f"at://{did}/{events.POSTS}/{rkey}"


def _told(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _inner(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
