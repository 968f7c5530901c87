"""What was said, by whom, and what of it must go."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.model.base import Word
from pipeline.values import UNKNOWN, AnyInstant, Instant, Name, Text, Whole, Words, name_fits

Kind = Literal["post", "reply", "repost", "quote", "review", "comment"]


class Author(Word):
    """Who posted. Any field may be missing; without an id the post is a witness of its own.

    ``created_at`` is when the account was made; only the watch looks at it, it is not stored.
    """

    id: str | None = None
    handle: str | None = None
    created_at: AnyInstant = None


class Mention(Word):
    """One public post. Required: source, external_id, text, said_at."""

    source: Name
    external_id: Name
    kind: Kind = "post"
    author: Author = Author()
    text: Text
    lang: str | None = None
    said_at: Instant
    event_at: Instant = UNKNOWN
    seen_at: Instant = UNKNOWN
    url: str | None = None
    reply_to: str | None = None
    repost_of: str | None = None
    quote_of: str | None = None
    thread: str | None = None
    hashtags: Words = ()
    mentions: Words = ()
    links: Words = ()
    place: str | None = None
    engagement: dict[str, float] = {}  # noqa: RUF012  # pydantic copies it
    rating: float | None = None
    #: Of the app that was used, where the platform tells it (reviews); the label ``version`` is it.
    app_version: str | None = None
    tracks: Words = ()
    version: Whole = 0

    @model_validator(mode="after")
    def _default_times(self) -> Self:
        """``event_at`` defaults to ``said_at``, ``seen_at`` to ``event_at``; the id must fit."""
        name_fits(self.id)
        if self.event_at == UNKNOWN:
            object.__setattr__(self, "event_at", self.said_at)
        if self.seen_at == UNKNOWN:
            object.__setattr__(self, "seen_at", self.event_at)
        return self

    @property
    def id(self) -> str:
        """``source:external_id``, stable across restarts, re-reads and edits."""
        return f"{self.source}:{self.external_id}"

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return self.id

    @property
    def author_id(self) -> str | None:
        """``source:author_id``, or None when the platform did not say."""
        return None if self.author.id is None else f"{self.source}:{self.author.id}"

    @property
    def witness(self) -> str | None:
        """Whom this post may stand for: its author, or itself when the author is unknown.

        None for a repost without an author, which witnesses nothing.
        """
        if self.author.id is not None:
            return self.author_id
        return None if self.kind == "repost" else self.id


class Removal(Word):
    """What must no longer be shown (hidden), must go for good (erased), or is back (shown).

    ``removal`` is a mention's id or ``source:author_id``; ``scope`` says which, and without it
    both are meant. ``shown`` undoes ``hidden`` (an account off and on); nothing undoes ``erased``.
    The newest ``at`` has the last word among hidden and shown. ``by`` and ``reason``: who asked for
    it and why, for the receipt.
    """

    removal: Name
    kind: Literal["hidden", "erased", "shown"]
    at: Instant
    scope: Literal["mention", "author"] | None = None
    by: Annotated[str, Field(max_length=200)] | None = None
    reason: Annotated[str, Field(max_length=1000)] | None = None

    @property
    def key(self) -> str:
        """The key of the mention it removes, so that the two keep their order on a topic."""
        return self.removal

    @property
    def event_at(self) -> datetime:
        """When it takes its place among mentions in a replay."""
        return self.at
