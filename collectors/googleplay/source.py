"""Google Play: reviews of our own app and our replies to them, through the Android Publisher API.

The API lists what was written or changed in the last seven days, newest first; what was said before
while nobody asked is a recorded gap. It tells no country, no ids of authors, and no deletes. Each
review tells when it was last written, which is its version.
"""

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from collectors.googleplay.login import Login
from collectors.kit.budget import Budget, Window
from collectors.kit.polling import Entry, Habits, Page, Query
from collectors.kit.secret import Variable, secret
from collectors.kit.source import Polled
from collectors.kit.times import from_us
from collectors.kit.unreadable import unreadable
from collectors.kit.web import Web
from pipeline.decoding import check, load
from pipeline.errors import SetAside, TryLater
from pipeline.model import Mention
from pipeline.ports import Clock
from pipeline.values import sound, to_ms

PLATFORM: Final = "googleplay"
API: Final = "https://androidpublisher.googleapis.com"
#: 200 an hour for each app; some are left to whoever answers the reviews.
LIMITS: Final = (Window(150, timedelta(hours=1)),)
#: The API forgets what is older.
REACH: Final = timedelta(days=7)
#: So long a review is looked at again for our reply, and may turn up late among older ones.
OVERLAP: Final = timedelta(days=1)
PAGE: Final = 100
REFUSED: Final = 401


class GooglePlaySettings(BaseModel):
    """The reviews of one app as a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    app: str = Field(pattern=r"^[A-Za-z0-9_.]{1,200}$", description="The package: com.acme.shop.")
    tracks: tuple[str, ...] = Field(
        min_length=1, description="Whom its reviews are about: they seldom name the app."
    )
    key_from: Variable = Field(
        description="The environment variable with a service account's key (JSON), which may "
        "reply to reviews."
    )
    name: str | None = Field(None, description="Its name among the sources.")
    poll_seconds: float = Field(300, ge=60, description="How often it is asked.")
    look_back_hours: float = Field(168, ge=0, description="How far the first look reaches back.")
    url: str = Field(API, pattern=r"^https?://.", description="Another address to ask.")


class GooglePlay(Polled):
    """The reviews of one app and our replies; each version once."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        app: str,
        tracks: Sequence[str],
        *,
        key_from: str,
        poll_seconds: float = 300,
        look_back_hours: float = 168,
        url: str = API,
    ) -> None:
        self._app = app
        self._about = tuple(tracks)
        self._url = f"{url.rstrip('/')}/androidpublisher/v3/applications/{app}/reviews"
        self._login = Login(name, clock, secret(name, "key_from", key_from).get_secret_value())
        self._web = Web(name, clock, setting="key_from")
        habits = Habits(timedelta(seconds=poll_seconds), timedelta(hours=look_back_hours), OVERLAP)
        track = self._about[0] if len(self._about) == 1 else None
        super().__init__(name, clock, [Query("", track)], habits, Budget(*LIMITS))

    def _rest(self) -> None:
        self._web.close()

    def page(
        self,
        query: Query,  # noqa: ARG002  # an app is one question
        since: datetime,
        before: str | None,
        stop: threading.Event,
    ) -> Page:
        """See ``Feed.page``. ``before`` is the API's token of the next page."""
        asked = {"maxResults": str(PAGE)} | ({} if before is None else {"token": before})
        headers = {"authorization": f"Bearer {self._login.token()}", "accept": "application/json"}
        answer = self._web.get(
            self._url, stop, params=asked, headers=headers, fine=frozenset({REFUSED})
        )
        if answer.status == REFUSED:
            raise self._login.refused("androidpublisher.googleapis.com", REFUSED)
        self._login.accepted()
        reviews, token = self._read(answer.body, is_first=before is None)
        entries = [entry for one in reviews for entry in self._entries(one)]
        reach = self._clock.now() - REACH
        return Page(entries, token, is_all=token is None and since >= reach, reach=reach)

    def _read(self, body: bytes, *, is_first: bool) -> tuple[list[Any], str | None]:
        """The reviews of a page, and the token of the next. Raises TryLater for anything else."""
        try:
            told = load(body)
        except SetAside as reason:
            raise TryLater(f"{self.name}: Google Play answers something else than JSON") from reason
        # A list without reviews is an empty object; a page that another page named has some.
        is_empty = told == {} and is_first
        if not isinstance(told, dict) or not (is_empty or isinstance(told.get("reviews"), list)):
            raise TryLater(f"{self.name}: Google Play answers without reviews")
        token = _inner(told, "tokenPagination").get("nextPageToken")
        return told.get("reviews", []), token if isinstance(token, str) and token else None

    def _entries(self, raw: Any) -> Iterator[Entry]:
        """What the author wrote, and what we answered; both stand where the review stands."""
        review = raw if isinstance(raw, dict) else {}
        number = sound(review["reviewId"]) if isinstance(review.get("reviewId"), str) else ""
        comments = [one for one in review.get("comments") or () if isinstance(one, dict)]
        theirs = next((_inner(one, "userComment") for one in comments if "userComment" in one), {})
        ours = next((_inner(one, "developerComment") for one in comments[::-1]), {})
        at = _time(theirs) or self._clock.now()
        yield self._entry(f"{number}@{to_ms(at)}", at, self._review(number, review, theirs), raw)
        if (replied := _time(ours)) is not None:
            told = self._reply(number, ours, replied)
            yield self._entry(f"{number}@{to_ms(at)}@{to_ms(replied)}", at, told, raw)

    def _entry(self, number: str, at: datetime, told: dict[str, Any], raw: Any) -> Entry:
        """A mention, or what cannot be read."""
        common = {"source": PLATFORM, "seen_at": self._clock.now(), "tracks": self._about}
        try:
            if not told["external_id"].strip("/").startswith(f"{self._app}/"):
                raise SetAside("a review has its id, this has not")
            if told["said_at"] is None:
                raise SetAside("a review has its time, this has not")
            return Entry(number, at, check(Mention, common | told))
        except SetAside as reason:
            return Entry(number, at, unreadable(raw, reason, f"review {number}"))

    def _review(self, number: str, review: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
        at = _time(told)
        # Title and text come with a tab between; a translation, where one was made, hides the text.
        text = told.get("originalText") or told.get("text")
        thumbs = {
            "thumbs_up": told.get("thumbsUpCount"),
            "thumbs_down": told.get("thumbsDownCount"),
        }
        return {
            "external_id": f"{self._app}/{number}",
            "kind": "review",
            # Names are no ids: two people may have the same.
            "author": {"handle": review.get("authorName")},
            "text": text.strip().replace("\t", "\n\n") if isinstance(text, str) else text,
            "lang": _language(told.get("reviewerLanguage")),
            "said_at": at,
            "url": f"https://play.google.com/store/apps/details?id={self._app}&reviewId={number}",
            "rating": told.get("starRating"),
            "app_version": told.get("appVersionName"),
            "engagement": {name: n for name, n in thumbs.items() if isinstance(n, int)},
            "version": 0 if at is None else max(0, to_ms(at)),
        }

    def _reply(self, number: str, told: dict[str, Any], at: datetime) -> dict[str, Any]:
        """What we answered; who reads it knows by the handle that the word is ours."""
        return {
            "external_id": f"{self._app}/{number}/reply",
            "kind": "reply",
            "author": {"id": self._app, "handle": self._app},
            "text": told.get("text"),
            "said_at": at,
            "reply_to": f"{self._app}/{number}",
            "thread": f"{self._app}/{number}",
            "version": max(0, to_ms(at)),
        }


def _inner(told: dict[str, Any], name: str) -> dict[str, Any]:
    value = told.get(name)
    return value if isinstance(value, dict) else {}


def _time(comment: dict[str, Any]) -> datetime | None:
    """When a comment was last written; seconds since 1970 come as text."""
    told = _inner(comment, "lastModified")
    seconds, nanos = str(told.get("seconds", "")), told.get("nanos", 0)
    if not (seconds.isascii() and seconds.isdecimal() and len(seconds) < 12):
        return None
    return from_us(int(seconds) * 1_000_000 + (nanos // 1_000 if isinstance(nanos, int) else 0))


def _language(code: Any) -> str | None:
    """``en`` of ``en_GB``."""
    return (
        code.replace("-", "_").partition("_")[0].lower() or None if isinstance(code, str) else None
    )
