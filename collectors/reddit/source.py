"""Reddit: submissions and comments of subreddits, what search finds, and mentions of our account.

Listings are read newest first and page by page; they end after some 1,000 things, and what lies
beyond is a gap. Reddit tells of no edit and no delete: what we hold is looked at again, 100 things
a question. Posts whose author deleted the account are taken as deleted, as Reddit's terms ask.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import xxhash
from pydantic import BaseModel, ConfigDict, Field, model_validator

from collectors.kit.budget import Budget, Window
from collectors.kit.known import Known
from collectors.kit.polling import Call, Entry, Habits, Page, Query, Value
from collectors.kit.progress import Progress
from collectors.kit.rechecks import Held
from collectors.kit.secret import Variable, secret
from collectors.kit.source import Polled
from collectors.kit.strays import without_strays
from collectors.kit.times import EPOCH
from collectors.kit.unreadable import kept
from collectors.reddit.api import OAUTH, REDDIT, Account, Closed, RedditApi
from collectors.reddit.checks import Checks, Texts, children
from collectors.reddit.things import FULLNAME, PLATFORM, fate, fullname, mention, said, subreddit
from pipeline.errors import Misuse, SetAside
from pipeline.model import Mention
from pipeline.ports import Clock, Unreadable
from pipeline.tracks import Matcher, Track
from pipeline.values import from_ms

log = logging.getLogger(__name__)

#: 100 questions a minute for each app, counted by Reddit over ten minutes. Some are left: for
#: tokens, which are not counted here, and for people.
LIMITS: Final = (Window(800, timedelta(minutes=10)), Window(90, timedelta(minutes=1)))
LIMIT: Final = 100
#: A listing of Reddit ends after about 1,000 things, less those taken away. One that ends before
#: half of that has no more; a search ends sooner, after about 250.
REACH: Final = 500
SEARCH_REACH: Final = 125
AGENT: Final = "linux:groundswell:v0.1"
#: The span a search is asked for reaches a little further back than the question.
SPANS: Final = (
    ("hour", timedelta(minutes=50)),
    ("day", timedelta(hours=23)),
    ("week", timedelta(days=6)),
    ("month", timedelta(days=27)),
    ("year", timedelta(days=360)),
)
#: What is read of a subreddit.
LISTINGS: Final = ("new", "comments")
INBOX: Final = "inbox"
#: As praw writes them: what lacks its slash may be answered with a redirect.
PATHS: Final = {"new": "r/{}/new", "comments": "r/{}/comments/", INBOX: "message/mentions"}
_NAME: Final = r"^(/?r/)?[A-Za-z0-9_]{2,50}/?$"


class RedditSettings(BaseModel):
    """Reddit as a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    client_id: str = Field(min_length=1, description="The app's id, as Reddit shows it.")
    secret_from: Variable = Field(description="The environment variable with the app's secret.")
    name: str | None = Field(None, description="Its name among the sources.")
    subreddits: tuple[Annotated[str, Field(pattern=_NAME)], ...] = Field(
        (), description="Subreddits that are read in full, posts and comments, without the r/."
    )
    about: tuple[str, ...] = Field(
        (), description="Tracks that everything in these subreddits is about; none: by its text."
    )
    search: bool = Field(True, description="Search all of Reddit for the tracks' terms.")
    username: str | None = Field(None, description="An account whose mentions are read.")
    password_from: Variable | None = Field(
        None, description="The environment variable with that account's password."
    )
    user_agent: str = Field(
        AGENT, min_length=7, pattern=r"^[ -~]+$", description="What Reddit is told that we are."
    )
    poll_seconds: float = Field(30, ge=5, description="How often everything is asked for.")
    look_back_hours: float = Field(24, ge=0, description="How far the first look reaches back.")
    late_minutes: float = Field(
        30, ge=1, le=1440, description="How late a post may turn up that moderators held back."
    )
    url: str = Field(REDDIT, pattern=r"^https?://.", description="Another address for tokens.")
    oauth_url: str = Field(OAUTH, pattern=r"^https?://.", description="Another one of the API.")

    @model_validator(mode="after")
    def _whole(self) -> "RedditSettings":
        if (self.username is None) != (self.password_from is None):
            raise ValueError("`username` and `password_from` belong together")
        return self


class Reddit(Polled):
    """What is said on Reddit about the tracks, its edits and its end.

    ``known`` says whether a post may have been passed on; ``held`` lists what we hold, for the
    re-checks. Raises Misuse when there is nothing to read.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        client_id: str,
        secret_from: str,
        subreddits: Sequence[str] = (),
        about: Sequence[str] = (),
        search: bool = True,
        username: str | None = None,
        password_from: str | None = None,
        user_agent: str = AGENT,
        poll_seconds: float = 30,
        look_back_hours: float = 24,
        late_minutes: float = 30,
        url: str = REDDIT,
        oauth_url: str = OAUTH,
        tracks: Sequence[Track] = (),
        known: Known | None = None,
        held: Held | None = None,
    ) -> None:
        password = password_from and secret(name, "password_from", password_from)
        given = secret(name, "secret_from", secret_from)
        account = Account(client_id, given, user_agent, username, password or None)
        self._api = RedditApi(name, clock, account, url, oauth_url)
        self._subreddits = tuple(dict.fromkeys(_bare(one) for one in subreddits))
        self._about = _of_them(name, tuple(about), tracks)
        queries = list(self._queries(tracks if search else ()))
        if username is not None:
            queries.append(Query(INBOX))
        if not queries:
            raise Misuse(f"{name}: wants `subreddits`, a track with terms, or a `username`")
        self._closed: dict[str, str] = {}
        self._listed: dict[str, dict[str, datetime]] = {}
        self._known = known
        self._texts = Texts()
        self._matcher = Matcher(tracks) if tracks else None
        self._checks = Checks(
            name, clock, self._api, self._texts, self._read, self._is_ours, held or _nothing
        )
        self._overlap = timedelta(minutes=late_minutes)
        look_back = timedelta(hours=look_back_hours)
        habits = Habits(timedelta(seconds=poll_seconds), look_back, self._overlap)
        super().__init__(name, clock, queries, habits, Budget(*LIMITS))

    def _rest(self) -> None:
        self._api.close()

    def trouble(self) -> str | None:
        """One line when a subreddit is closed to us, or too little comes or is looked at again."""
        told = [f"r/{name} is closed to us ({why})" for name, why in self._closed.items()]
        told += [one for one in (self._checks.trouble, super().trouble()) if one is not None]
        return "; ".join(told) or None

    def page(
        self, query: Query, since: datetime, before: str | None, stop: threading.Event
    ) -> Page:
        """See ``Feed.page``. ``before`` is the last thing of the page before, and a count."""
        after, _, count = (before or "").partition(" ")
        asked: dict[str, str | int] = {"limit": LIMIT}
        if after:
            asked |= {"after": after, "count": count}
        kind, _, what = query.key.partition(":")
        path, more = self._question(kind, what, since)
        try:
            told = self._api.get(path, asked | more, stop)
        except Closed as reason:
            if kind not in LISTINGS:
                raise
            return self._shut(what, reason.why)
        self._closed.pop(what, None)
        things = children(self.name, told)
        if before is None and kind in LISTINGS:
            self._compare(query.key, things, is_whole=told["data"].get("after") is None)
        found = [entry for thing in things if (entry := self._entry(thing, since)) is not None]
        entries = without_strays(found, since)
        seen = int(count or 0) + len(things)
        further = told["data"].get("after")
        if isinstance(further, str) and FULLNAME.fullmatch(further):
            return Page(entries, f"{further} {seen}")
        return Page(entries, is_all=seen < (SEARCH_REACH if kind == "search" else REACH))

    def besides(self, progress: Progress, stop: threading.Event) -> Iterator[Value | Call]:
        """See ``Feed.besides``: some of what we hold is looked at again."""
        return self._checks.go(progress, stop)

    # ---- questions -----------------------------------------------------------------------------

    def _queries(self, tracks: Sequence[Track]) -> Iterator[Query]:
        [of_all] = self._about if len(self._about) == 1 else [None]
        for name in self._subreddits:
            for listing in LISTINGS:
                yield Query(f"{listing}:{name}", of_all)
        for track in tracks:
            for term in track.terms:
                yield Query(f"search:{term}", track.name)

    def _question(self, kind: str, what: str, since: datetime) -> tuple[str, dict[str, str | int]]:
        if kind == "search":
            phrase = what.replace('"', " ")
            span = _span(self._clock.now() - since)
            asked: dict[str, str | int] = {"q": f'"{phrase}"', "sort": "new", "t": span}
            asked |= {"type": "link", "syntax": "lucene", "restrict_sr": "False"}
            return "r/all/search/", asked
        return PATHS[kind].format(what), {}

    def _shut(self, name: str, why: str) -> Page:
        """Nothing of a subreddit that is closed: a gap up to now, and another try next time."""
        if name not in self._closed:
            log.warning("%s: r/%s is closed to us (%s)", self.name, name, why)
        self._closed[name] = why
        return Page((), reach=self._clock.now())

    def _compare(self, key: str, things: Sequence[Any], *, is_whole: bool) -> None:
        """Has those looked at that stood among these when the newest page was last read.

        Where there are more pages, newer things may have moved the oldest ones off this one.
        """
        listed = {name: at for one in things if (name := fullname(one)) and (at := said(one))}
        oldest = EPOCH if is_whole else min(listed.values(), default=None)
        for name, at in self._listed.get(key, {}).items():
            if oldest is not None and at > oldest and name not in listed:
                self._checks.noticed(name, "hidden", is_known=self._is_known(name))
        self._listed[key] = listed

    # ---- things --------------------------------------------------------------------------------

    def _entry(self, thing: Any, since: datetime) -> Entry | None:
        """A thing as an entry; None for what was taken away.

        An edit stands where it was made, so that it is seen as long as its post is on a page.
        """
        name, at = fullname(thing), said(thing) or self._clock.now()
        became = fate(thing)
        value = self._read(thing)
        is_ours = isinstance(value, Mention) and self._is_ours(value)
        if name is not None:
            if isinstance(value, Mention) and value.version and not is_ours:
                became = "hidden" if self._is_known(name) else became  # our name was taken out
            is_known = became != "here" and self._is_known(name)
            self._checks.noticed(name, became, is_known=is_known)
            if became != "here":
                return None
        if not isinstance(value, Mention):
            return Entry(value.origin, at, value)
        if max(at, from_ms(value.version)) >= since:  # what is older, the poller leaves aside
            value, _ = self._texts.seen(value, self._clock, is_ours=is_ours)
        if not value.version:
            return Entry(value.external_id, at, value)
        edited = max(at, from_ms(value.version))
        return Entry(f"{value.external_id}@{value.version}", edited, value)

    def _read(self, thing: Any) -> Mention | Unreadable:
        """The word of a thing that is here."""
        about = self._about if subreddit(thing) in self._subreddits else ()
        try:
            return mention(thing, self._clock.now(), about)
        except SetAside as reason:
            data = kept(thing)
            number = fullname(thing) or xxhash.xxh3_64_hexdigest(data)
            return Unreadable(data, str(reason), f"thing {number}")

    def _is_ours(self, found: Mention) -> bool:
        """Whether it is about a track; without tracks everything is."""
        is_told = self._matcher is None or bool(found.tracks)
        return is_told or bool(self._matcher and self._matcher.match(found))

    def _is_known(self, number: str) -> bool:
        """Whether a post that is about a track may have been passed on."""
        is_ours = self._texts.is_ours(number)
        if is_ours is not None:
            return is_ours
        return self._known is not None and self._known(f"{PLATFORM}:{number}")


def _bare(name: str) -> str:
    return name.strip("/").removeprefix("r/").lower()


def _of_them(source: str, names: tuple[str, ...], tracks: Sequence[Track]) -> tuple[str, ...]:
    """The names if they are those of tracks. Raises Misuse."""
    there = {track.name for track in tracks}
    for name in names:
        if name not in there:
            raise Misuse(f"{source}: `about` names {name!r}, and there is no such track")
    return names


def _span(reach: timedelta) -> str:
    """The shortest span of Reddit's search that is longer."""
    return next((name for name, longest in SPANS if reach < longest), "all")


def _nothing(_platform: str, _since: datetime, _after: str, _most: int) -> Sequence[str]:
    return ()
