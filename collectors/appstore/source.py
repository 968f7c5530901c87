"""App Store: reviews of an app, with rating, version and country; no account is needed.

Apple's public feed has the newest 500 reviews of each country, 50 a page; what lies beyond is a
recorded gap. With a key of App Store Connect all countries are read at once and as far back as one
likes, but without the versions of the app, which that API tells of no review. Neither tells of
deletes. Reviews turn up hours after they were written, so a day is looked through again.
"""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from collectors.appstore.reviews import of_connect, of_feed
from collectors.kit.budget import Budget, Window
from collectors.kit.polling import Entry, Habits, Page, Query
from collectors.kit.secret import Variable, secret
from collectors.kit.source import Polled
from collectors.kit.web import Web
from pipeline.decoding import load
from pipeline.errors import GiveUp, Misuse, SetAside, TryLater
from pipeline.ports import Clock

FEED: Final = "https://itunes.apple.com"
CONNECT: Final = "https://api.appstoreconnect.apple.com"
#: The feed names no limit; its sister, the search, takes 20 a minute. Connect takes 3,500 an hour.
LIMITS: Final = (Window(20, timedelta(minutes=1)),)
CONNECT_LIMITS: Final = (Window(3_000, timedelta(hours=1)),)
PAGES: Final = 10
PAGE: Final = 50
CONNECT_PAGE: Final = 200
#: How late a review may turn up among older ones: they are looked through before they are shown.
OVERLAP: Final = timedelta(days=1)
#: Apple takes tokens for 20 minutes; a new one is made sooner, for clocks differ.
TOKEN_LIVES: Final = timedelta(minutes=15)
ALL: Final = "all"


class AppStoreSettings(BaseModel):
    """The reviews of one app as a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    app: str = Field(
        pattern=r"^[0-9]{1,20}$", description="The app's number, as in its address after `id`."
    )
    tracks: tuple[str, ...] = Field(
        min_length=1, description="Whom its reviews are about: they seldom name the app."
    )
    countries: tuple[str, ...] = Field(
        ("us",), min_length=1, description="Codes of the stores to read, two letters each."
    )
    name: str | None = Field(None, description="Its name among the sources.")
    key_from: Variable | None = Field(
        None, description="The environment variable with a private key (.p8) of App Store Connect."
    )
    key_id: str | None = Field(None, description="That key's id.")
    issuer_id: str | None = Field(None, description="The issuer's id, beside the list of keys.")
    poll_seconds: float = Field(600, ge=60, description="How often each store is asked.")
    look_back_hours: float = Field(168, ge=0, description="How far the first look reaches back.")
    url: str | None = Field(None, pattern=r"^https?://.", description="Another address to ask.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if any(len(code) != 2 or not code.isalpha() for code in self.countries):
            raise ValueError("countries wants codes of two letters, as gb")
        if self.key_from and not (self.key_id and self.issuer_id):
            raise ValueError("key_from wants key_id and issuer_id beside it")
        return self


class AppStore(Polled):
    """The reviews of one app; each version once."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        app: str,
        tracks: Sequence[str],
        *,
        countries: Sequence[str] = ("us",),
        key_from: str | None = None,
        key_id: str | None = None,
        issuer_id: str | None = None,
        poll_seconds: float = 600,
        look_back_hours: float = 168,
        url: str | None = None,
    ) -> None:
        self._app = app
        self._about = tuple(tracks)
        self._token = None
        if key_from is not None:
            key = secret(name, "key_from", key_from).get_secret_value()
            self._token = Token(name, clock, key, key_id or "", issuer_id or "")
        self._url = (url or (FEED if self._token is None else CONNECT)).rstrip("/")
        setting = None if self._token is None else "key_from"
        self._web = Web(name, clock, setting=setting)
        track = self._about[0] if len(self._about) == 1 else None
        keys = [code.lower() for code in countries] if self._token is None else [ALL]
        habits = Habits(
            timedelta(seconds=poll_seconds),
            timedelta(hours=look_back_hours),
            OVERLAP,
            pages=PAGES if self._token is None else 100,
        )
        budget = Budget(*(LIMITS if self._token is None else CONNECT_LIMITS))
        queries = [Query(key, track) for key in dict.fromkeys(keys)]
        super().__init__(name, clock, queries, habits, budget)

    def _rest(self) -> None:
        self._web.close()

    def page(
        self,
        query: Query,
        since: datetime,  # noqa: ARG002  # pages end where the poller has been
        before: str | None,
        stop: threading.Event,
    ) -> Page:
        """See ``Feed.page``. ``before`` is the number of a page, or what Connect calls its cursor.

        Raises TryLater, GiveUp for a refused key.
        """
        if self._token is not None:
            return self._connected(self._token, before, stop)
        number = int(before or 1)
        path = f"rss/customerreviews/page={number}/id={self._app}/sortby=mostrecent/json"
        feed = self._document(f"{self._url}/{query.key}/{path}", stop).get("feed")
        if not isinstance(feed, dict):
            raise TryLater(f"{self.name}: the store answers without a feed")
        raw = feed.get("entry")
        found = raw if isinstance(raw, list) else [raw] if isinstance(raw, dict) else []
        last = _last_page(feed)
        if not found and last is not None and 1 < number <= last:
            # It happens now and then; taken for the end, it would leave a hole that nobody knows.
            raise TryLater(f"{self.name}: page {number} of the store's feed is empty")
        now = self._clock.now()
        read = [of_feed(self._app, query.key, one, self._about, now) for one in found]
        entries = [entry for entry in read if entry is not None]
        if number >= PAGES:
            return Page(entries)
        is_last = len(found) < PAGE if last is None else number >= last
        return Page(entries, str(number + 1), is_all=is_last)

    def _connected(self, token: "Token", before: str | None, stop: threading.Event) -> Page:
        """A page of App Store Connect."""
        asked = {"sort": "-createdDate", "limit": str(CONNECT_PAGE)}
        if before is not None:
            asked["cursor"] = before
        url = f"{self._url}/v1/apps/{self._app}/customerReviews"
        told = self._document(url, stop, asked, {"authorization": f"Bearer {token.now()}"})
        found = told.get("data")
        if not isinstance(found, list):
            raise TryLater(f"{self.name}: App Store Connect answers without reviews")
        now = self._clock.now()
        entries: list[Entry] = [of_connect(self._app, one, self._about, now) for one in found]
        links = told.get("links")
        following = links.get("next") if isinstance(links, dict) else None
        # Only its cursor: an address that an answer names must not be given our token.
        cursor = parse_qs(urlsplit(following).query).get("cursor") if following else None
        return Page(entries, cursor[0] if cursor else None, is_all=cursor is None)

    def _document(
        self,
        url: str,
        stop: threading.Event,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """The JSON object there. Raises TryLater, also for anything else."""
        asked = {"accept": "application/json"} | (headers or {})
        body = self._web.get(url, stop, params=params, headers=asked).body
        try:
            told = load(body)
        except SetAside as reason:
            raise TryLater(f"{self.name}: the store answers something else than JSON") from reason
        if not isinstance(told, dict):
            raise TryLater(f"{self.name}: the store answers something else than an object")
        return told


class Token:
    """The signed token (ES256) that App Store Connect asks for, made anew before it ends."""

    def __init__(self, source: str, clock: Clock, key: str, key_id: str, issuer: str) -> None:
        self._source = source
        self._clock = clock
        self._key = key.replace("\\n", "\n")  # variables often cannot hold line breaks
        self._key_id = key_id
        self._issuer = issuer
        self._made: tuple[datetime, str] | None = None

    def now(self) -> str:
        """A token that is good for some minutes. Raises Misuse for a key that is none."""
        at = self._clock.now()
        if self._made is None or not timedelta() <= at - self._made[0] < TOKEN_LIVES:
            self._made = at, self._signed(at)
        return self._made[1]

    def _signed(self, at: datetime) -> str:
        try:
            import jwt
        except ModuleNotFoundError as error:
            install = "pip install 'groundswell[appstore]'"
            raise GiveUp(f"{self._source}: wants the package PyJWT: {install}") from error
        since = int(at.timestamp())
        told = {
            "iss": self._issuer,
            "iat": since,
            "exp": since + int(TOKEN_LIVES.total_seconds()) + 120,
            "aud": "appstoreconnect-v1",
        }
        try:
            return jwt.encode(told, self._key, algorithm="ES256", headers={"kid": self._key_id})
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            # Not its own words: they may quote the key.
            raise Misuse(f"{self._source}: what `key_from` names holds no key (.p8)") from error


def _last_page(feed: dict[str, Any]) -> int | None:
    """The number of the feed's last page, as it says itself."""
    links = feed.get("link")
    for link in links if isinstance(links, list) else ():
        told = link.get("attributes") if isinstance(link, dict) else None
        if isinstance(told, dict) and told.get("rel") == "last":
            number = str(told.get("href", "")).partition("/page=")[2].partition("/")[0]
            return int(number) if number.isdecimal() and len(number) < 4 else None
    return None
