"""Mastodon: public posts with the tracks' hashtags, and mentions of the account whose token it is.

Timelines are read page by page (``max_id``), which finds everything an instance has, also after an
outage. With a token the streams tell sooner, and of edits and deletes; they repeat nothing, so they
are never relied on. An instance knows what its people follow, not all of the Fediverse. What the
streams did not tell of edits and deletes is found by looking again at what we hold.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from collectors.kit import away
from collectors.kit.breaker import REFUSED, Breaker
from collectors.kit.budget import Budget, Window
from collectors.kit.known import Known
from collectors.kit.limits import refusal
from collectors.kit.policy import policy
from collectors.kit.polling import Call, Entry, Habits, Page, Query, Value
from collectors.kit.progress import Progress
from collectors.kit.rechecks import Held, Rechecks
from collectors.kit.secret import Variable, secret
from collectors.kit.source import Polled
from collectors.kit.strays import without_strays
from collectors.kit.times import EPOCH, instant
from collectors.kit.unreadable import unreadable
from collectors.mastodon.statuses import PLATFORM, fate, is_number, mention, number_of, removal
from collectors.mastodon.streams import USER, Streams
from pipeline.errors import GiveUp, Misuse, SetAside, TryLater
from pipeline.ports import Clock
from pipeline.tracks import Track

if TYPE_CHECKING:
    from mastodon import Mastodon as Api

#: 300 requests in 5 minutes for each account and address; some are left to people.
LIMITS: Final = (Window(250, timedelta(minutes=5)),)
#: Posts that come late from other instances stand among older ones.
OVERLAP: Final = timedelta(minutes=10)
LIMIT: Final = 40
#: To open a stream the library asks twice where streams are, should the first answer be none.
CALLS_OF_STREAM: Final = 3
#: Seconds for connecting and between two pieces of an answer: a stop waits no longer than that.
PATIENCE: Final = 4.0
MENTIONS: Final = "@"
REMEMBERED: Final = 50_000
#: Answers for a status that was deleted, or whose author was removed from the instance.
GONE: Final = frozenset({404, 410})


class MastodonSettings(BaseModel):
    """An instance of Mastodon as a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    url: str = Field(pattern=r"^https?://[^\s/]+$", description="The instance's address.")
    name: str | None = Field(None, description="Its name among the sources.")
    token_from: Variable | None = Field(
        None, description="The environment variable with an access token (scope read)."
    )
    poll_seconds: float = Field(60, ge=10, description="How often each hashtag is asked for.")
    look_back_hours: float = Field(24, ge=0, description="How far the first look reaches back.")


class Mastodon(Polled):
    """The public posts of one instance that concern the tracks, their edits and their end."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        url: str,
        *,
        token_from: str | None = None,
        poll_seconds: float = 60,
        look_back_hours: float = 24,
        tracks: Sequence[Track] = (),
        known: Known | None = None,
        held: Held | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._host = urlsplit(url).netloc
        self._token = None if token_from is None else secret(name, "token_from", token_from)
        self._breaker = Breaker(name, None if token_from is None else "token_from")
        self._known = known
        self._passed: OrderedDict[str, None] = OrderedDict()
        self._every = timedelta(hours=policy(PLATFORM).recheck_hours)
        self._rechecks = None if held is None else Rechecks.of(PLATFORM, held)
        tags = {tag.lstrip("#"): track.name for track in tracks for tag in track.hashtags}
        queries = [Query(tag, track) for tag, track in tags.items()]
        if self._token is not None:
            queries.append(Query(MENTIONS))
        if not queries:
            raise Misuse(f"{name}: wants a track with hashtags, or `token_from` for mentions")
        self._answer: tuple[int, Mapping[str, str]] = (0, {})
        self._api: Api | None = None
        self._streams = Streams(self._connect, list(tags), PATIENCE)
        habits = Habits(timedelta(seconds=poll_seconds), timedelta(hours=look_back_hours), OVERLAP)
        super().__init__(name, clock, queries, habits, Budget(*LIMITS))

    def _end(self) -> None:
        self._streams.close()

    # ---- timelines -----------------------------------------------------------------------------

    def page(
        self,
        query: Query,
        since: datetime,
        before: str | None,
        stop: threading.Event,  # noqa: ARG002  # an answer is bounded by ``PATIENCE``
    ) -> Page:
        """See ``Feed.page``. ``before`` is the id of the oldest entry of the page before."""
        api = self._api = self._api or self._connect()
        if query.key == MENTIONS:
            told = self._asked(
                lambda: api.notifications(types=["mention"], max_id=before, limit=LIMIT)
            )
            # They stand by when they came here, which may be long after they were said elsewhere.
            found = [self._entry(one.get("status"), one) for one in told if isinstance(one, dict)]
        else:
            told = self._asked(lambda: api.timeline_hashtag(query.key, max_id=before, limit=LIMIT))
            found = [self._entry(status) for status in told]
        entries = [entry for entry in found if entry is not None]
        entries = entries if query.key == MENTIONS else without_strays(entries, since)
        ids = [str(one["id"]) for one in told if isinstance(one, dict) and "id" in one]
        # Ids grow with time, and as text only if they are of one length.
        oldest = min(ids, key=lambda number: (len(number), number), default=None)
        return Page(entries, oldest, is_all=not ids)

    def _asked(self, ask: Callable[[], Any], *, is_one: bool = False) -> list[Any]:
        """A list from the instance; the vendor's errors become ours. Raises TryLater, GiveUp.

        ``is_one``: it is about one post, and a refusal is that post's, not the token's.
        """
        from mastodon import MastodonError

        self._answer = (0, {})
        try:
            told = ask()
        except (MastodonError, ValueError, TypeError, AttributeError) as error:
            raise self._refusal(is_one=is_one) from error
        if not isinstance(told, list):
            raise TryLater(f"{self.name}: {self._host} answers no list")
        self._breaker.accepted()
        return told

    def _refusal(self, *, is_one: bool) -> TryLater | GiveUp:
        """What the last answer means; the library's words may quote the instance's."""
        status, headers = self._answer
        if status in REFUSED and not is_one:
            return self._breaker.refused(self._host, status)
        if status == 0:
            return TryLater(f"{self.name}: cannot reach {self._host}")
        message = f"{self.name}: {self._host} answers {status}, or no JSON"
        return refusal(message, status, headers, self._clock.now())

    def _connect(self) -> "Api":
        """The library, told not to wait, not to try again and not to ask for versions."""
        try:
            import requests
            from mastodon import Mastodon as Api
        except ModuleNotFoundError as error:
            install = "pip install 'groundswell[mastodon]'"
            raise GiveUp(f"{self.name}: wants the package Mastodon.py: {install}") from error

        def note(answer: requests.Response, *_: Any, **__: Any) -> None:
            self._answer = (answer.status_code, answer.headers)

        class Frugal(Api):
            def timeline_is_available(self, *_: Any, **__: Any) -> bool:
                # Otherwise it asks the instance so before every page: a call that nobody counts.
                return True

        session = requests.Session()
        session.hooks["response"].append(note)
        return Frugal(
            api_base_url=self._url,
            access_token=None if self._token is None else self._token.get_secret_value(),
            ratelimit_method="throw",
            request_timeout=PATIENCE,
            session=session,
            user_agent="groundswell",
        )

    # ---- streams -------------------------------------------------------------------------------

    def besides(self, progress: Progress, stop: threading.Event) -> Iterator[Value | Call]:
        """See ``Feed.besides``: streams that ended are opened again; some of what we hold."""
        for stream in self._streams.ended() if self._token is not None else ():
            for _ in range(CALLS_OF_STREAM):
                yield Call.CALL
            self._streams.open(stream)
        if self._rechecks is None:
            return
        for number in self._rechecks.due(progress.own, self._clock.now()):
            host, _, status = number.partition("/")
            with self._rechecks.looking(progress.own, [number]):
                if host == self._host:  # others are another source's to look at
                    yield Call.CALL
                    if stop.is_set():
                        return
                    yield from self._became(status, progress)
                self._rechecks.done(progress.own, number)

    def _became(self, number: str, progress: Progress) -> Iterator[Value]:
        """What has become of one status. Raises TryLater, GiveUp."""
        api = self._api = self._api or self._connect()
        try:
            told = self._asked(lambda: [api.status(number)], is_one=True)[0]
        except TryLater:
            status, headers = self._answer
            # A proxy's page for an instance that is away must not erase everything.
            if status not in GONE or "json" not in headers.get("content-type", ""):
                raise
            told = None
        state = fate(told)
        kind = away.told(progress.own, number, state, self._clock.now())
        if kind is not None:
            yield removal(self._host, number, self._clock.now(), kind)
        edited = instant(told.get("edited_at")) if isinstance(told, dict) else None
        # Older edits were told in an earlier round.
        if state == "here" and edited and self._clock.now() - edited <= 2 * self._every:
            entry = self._entry(told)
            yield from () if entry is None else (entry.value,)

    def pushed(self) -> Sequence[Entry | Value]:
        """See ``Pushing.pushed``."""
        found: list[Entry | Value] = []
        for stream, event, payload in self._streams.events():
            if event == "delete":
                if is_number(payload):
                    gone = removal(self._host, payload, self._clock.now())
                    found += [gone] if self._is_known(gone.removal) else []
                continue
            # The account's own stream also has the posts of those it follows: not our matter.
            is_ours = stream != USER or event == "notification" or self._is_held(payload)
            if is_ours and (entry := self._entry(payload)) is not None:
                found.append(entry)
        return found

    def _is_held(self, status: Any) -> bool:
        number = status.get("id") if isinstance(status, dict) else None
        return is_number(number) and self._is_known(removal(self._host, number, EPOCH).removal)

    def _is_known(self, number: str) -> bool:
        return number in self._passed or (self._known is not None and self._known(number))

    def _entry(self, status: Any, told_by: Mapping[str, Any] | None = None) -> Entry | None:
        """A status as an entry, standing where ``told_by`` does; None for what is not public."""
        now = self._clock.now()
        try:
            found = mention(self._host, status, now)
        except SetAside as reason:
            number = number_of(status)
            at = instant(status.get("created_at")) if isinstance(status, dict) else None
            return Entry(number, at or now, unreadable(status, reason, f"status {number}"))
        if found is None:
            return None
        self._passed[found.id] = None
        if len(self._passed) > REMEMBERED:
            self._passed.popitem(last=False)
        at = None if told_by is None else instant(told_by.get("created_at"))
        return Entry(number_of(status), at or found.said_at, found)
