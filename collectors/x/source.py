"""X: posts about the tracks, by the filtered stream where the plan has one, else by recent search.

The stream tells everything while it holds; the search reads what was said before it was opened and
between two connections, back to seven days. Each post read costs money: the purse is asked before.
Deletes are told to nobody: what we hold is looked up again, a hundred posts at a time.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from collectors.kit.budget import Budget, Window
from collectors.kit.known import Known
from collectors.kit.limits import Answered
from collectors.kit.money import Price, Purse
from collectors.kit.polling import Call, Entry, Habits, Page, Query, Value
from collectors.kit.progress import Progress
from collectors.kit.rechecks import Held, Rechecks
from collectors.kit.secret import Variable, secret
from collectors.kit.source import Polled
from collectors.kit.times import instant
from collectors.x.checks import Checks
from collectors.x.client import Api
from collectors.x.jobs import MOST as MOST_OF_A_JOB
from collectors.x.jobs import Jobs
from collectors.x.posts import FIELDS, PLATFORM, entries
from collectors.x.rules import queries
from collectors.x.stream import Connection
from collectors.x.streaming import Streaming
from pipeline.errors import Misuse, TryLater
from pipeline.ports import Clock
from pipeline.tracks import Track

#: tweepy speaks to this address by itself.
API: Final = "https://api.twitter.com"
QUARTER: Final = timedelta(minutes=15)
#: The search goes back seven days; what is asked for at its very edge is refused.
REACH: Final = timedelta(days=7) - timedelta(minutes=1)
#: It ends 30 s before now, and a beginning that is younger than 10 s is refused.
DELAY: Final = timedelta(seconds=30)
YOUNGEST: Final = timedelta(seconds=11)
#: How late a post may turn up in search or stream: X says 7 s for 99 of 100.
OVERLAP: Final = timedelta(seconds=60)
BAD_REQUEST: Final = 400
#: Posts a page, posts a look-up.
MOST: Final = 100


class XSettings(BaseModel):
    """X as a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str | None = Field(None, description="Its name among the sources.")
    token_from: Variable = Field(description="The environment variable with the bearer token.")
    stream: bool = Field(True, description="Whether the plan has the filtered stream.")
    rules: int = Field(1_000, ge=1, description="How many rules the plan's stream may have.")
    query_length: int = Field(
        512, ge=64, le=4_096, description="How long a query or rule may be, in characters."
    )
    calls: int = Field(
        60, ge=3, description="Calls in 15 minutes, the stream's connects aside (50, always)."
    )
    reposts: bool = Field(True, description="Whether reposts are read; each is paid as a post.")
    poll_seconds: float = Field(60, ge=10, description="How often it is looked.")
    look_back_hours: float = Field(
        24, ge=0, le=168, description="How far the first look reaches back."
    )
    price: float = Field(0.005, ge=0, description="What one post read costs.")
    most_a_day: float = Field(5, gt=0, description="The most to be spent on a day (UTC).")
    most_a_month: float = Field(100, gt=0, description="The most to be spent in a month.")
    spread: bool = Field(
        True, description="Half of the day's money at once, the rest evenly; else until it is gone."
    )
    recheck: Literal["lookup", "jobs", "off"] = Field(
        "lookup",
        description="How deletes are learned of: each post looked up again, at that price; batch "
        "compliance jobs, if the plan has them; or not at all.",
    )
    url: str = Field(API, pattern=r"^https?://[^\s/]+$", description="Another address of the API.")


class X(Polled):
    """Posts, edits and the end of posts, as X tells an app of ours."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        token_from: str,
        tracks: Sequence[Track] = (),
        known: Known | None = None,  # noqa: ARG002  # only what is held is looked at again
        held: Held | None = None,
        **more: Any,
    ) -> None:
        told = XSettings(token_from=token_from, **more)
        asked = queries(name, tracks, told.query_length, reposts=told.reposts)
        if not asked:
            raise Misuse(f"{name}: wants a track with terms, handles or hashtags")
        token = secret(name, "token_from", token_from).get_secret_value()
        self._api = Api(name, clock, told.url, token)
        purse = Purse(Price(told.price, told.most_a_day, told.most_a_month, told.spread))
        self._purse = purse
        connect = partial(Connection, self._api.streaming, clock, told.url)
        self._streaming = Streaming(name, clock, self._api, connect, purse, asked, told.rules)
        self._has_stream = told.stream
        habits = Habits(
            timedelta(seconds=told.poll_seconds),
            timedelta(hours=told.look_back_hours),
            OVERLAP,
            reads=MOST,
            delay=DELAY,
            from_read=True,
        )
        super().__init__(name, clock, asked, habits, Budget(Window(told.calls, QUARTER)), purse)
        self._checks = None if held is None else self._checking(told, held)

    def _checking(self, told: XSettings, held: Held) -> Checks | Jobs | None:
        """How it is found out what became of posts."""
        if told.recheck == "lookup":
            rounds = Rechecks.of(PLATFORM, held, MOST)
            return Checks(self._clock, self._api, self._purse, rounds)
        if told.recheck == "jobs":
            rounds = Rechecks.of(PLATFORM, held, MOST_OF_A_JOB)
            return Jobs(self.name, self._clock, self._api, rounds, told.url)
        return None

    def _rest(self) -> None:
        if isinstance(self._checks, Jobs):
            self._checks.close()

    def _end(self) -> None:
        self._streaming.close()

    def trouble(self) -> str | None:
        """One line when it has been silent for too long, or its stream is shut, else None."""
        return super().trouble() or self._streaming.trouble()

    # ---- searching -----------------------------------------------------------------------------

    def page(
        self, query: Query, since: datetime, before: str | None, stop: threading.Event
    ) -> Page:
        """See ``Feed.page``. ``before`` is where this look begins, and the token of its next page.

        A look asks for the same span on all its pages, or the token would be none of theirs.
        """
        now = self._clock.now()
        began, _, token = (before or "").partition("|")
        start = instant(began) or min(max(since, now - REACH), now - YOUNGEST)
        start = start.replace(microsecond=0)
        ask = partial(
            self._api.client(stop).search_recent_tweets,
            query.key,
            start_time=start,
            max_results=MOST,
            next_token=token or None,
            **FIELDS,
        )
        told = self._told(query, ask)
        meta = told.get("meta")
        if not isinstance(meta, dict):
            raise TryLater(f"{self.name}: the search answers without saying how much")
        found = list(entries(told, now)) if told.get("data") else []
        more = meta.get("next_token")
        is_cut = start > since  # what is older is kept from us
        return Page(
            found,
            f"{start.isoformat()}|{more}" if isinstance(more, str) else None,
            is_all=not more and not is_cut,
            reach=start if is_cut else None,
        )

    def _told(self, query: Query, ask: Callable[[], Any]) -> dict[str, Any]:
        """The search's answer; a question that it does not take is told for a person to mend."""
        try:
            return self._api.asked(ask)
        except Answered as error:
            if self._api.status != BAD_REQUEST:
                raise
            mend = f"are the terms of {query.track} fine, and is this machine's clock right?"
            raise Answered(f"{self.name}: X does not take the question (400): {mend}") from error

    # ---- streaming, and what became of posts ---------------------------------------------------

    def opening(self, progress: Progress, stop: threading.Event) -> Iterator[Call]:
        """See ``Streaming.opening``."""
        if self._has_stream:
            yield from self._streaming.opening(progress, stop)

    def streamed(self) -> tuple[datetime, datetime] | None:
        """See ``Streaming.streamed``."""
        return self._streaming.streamed()

    def pushed(self) -> Sequence[Entry | Value]:
        """See ``Pushing.pushed``."""
        return self._streaming.pushed()

    def besides(self, progress: Progress, stop: threading.Event) -> Iterator[Value | Call]:
        """See ``Feed.besides``: some of what we hold is looked up."""
        if self._checks is not None:
            yield from self._checks.some(progress, stop)
