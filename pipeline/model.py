"""The words: what travels on the topics and stands in the warehouse.

Every word is a frozen pydantic model. Unknown fields never break a reader. Times are aware
``datetime`` in UTC, written as RFC 3339; a time without a zone is taken as UTC. ``decoding``
makes them from foreign JSON.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from pipeline.values import (
    MAX_NAME,
    UNKNOWN,
    AnyInstant,
    Instant,
    Name,
    Probability,
    Stamp,
    Summand,
    Text,
    Whole,
    Words,
    name_fits,
    to_ms,
)

#: How the ids of incidents begin that ``watch`` proposed itself.
PROPOSAL = "groundswell:"
Kind = Literal["post", "reply", "repost", "quote", "review", "comment"]
RepeatKind = Literal["original", "copy", "near", "repost", "echo"]
LinkState = Literal["linked", "suggested", "unlinked"]
#: Why reports witness nothing, see ``brigades``.
CampaignKind = Literal["variants", "hashtag", "new_accounts"]
LinkBy = Literal["auto", "late", "person"]
Status = Literal[
    "proposed", "investigating", "identified", "monitoring", "resolved", "postmortem", "dismissed"
]
Verb = Literal["relabel", "link", "unlink", "accept", "dismiss", "merge"]
#: States in which an incident takes no new posts.
CLOSED: frozenset[str] = frozenset({"resolved", "postmortem", "dismissed"})
#: The heads of ``Feedback.labels``; the last three say what and where and carry evidence.
HEADS = ("intent", "topic", "severity", "sentiment", "informative", "noise", "language")
WHAT_AND_WHERE = ("component", "place", "version")
#: Severities of posts that are about something broken.
TROUBLED = frozenset({"harm", "blocked", "degraded"})
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
_INSTANT_OR_NONE: TypeAdapter[datetime | None] = TypeAdapter(Instant | None)


class Word(BaseModel):
    """Base of all words: frozen, unknown fields ignored, numbers become text where ids are."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    @classmethod
    def unchecked(cls, fields: dict[str, Any], given: set[str] | None = None) -> Self:
        """A word of all its fields, in their order, that were checked before; ``fields`` is kept.

        ``given`` are those that were told and not filled in, by default all; nobody may change it.
        Like ``model_construct`` at a third of its price: for words that are made by the thousand.
        """
        word = cls.__new__(cls)
        put = object.__setattr__
        put(word, "__dict__", fields)
        put(word, "__pydantic_fields_set__", set(fields) if given is None else given)
        put(word, "__pydantic_extra__", None)
        put(word, "__pydantic_private__", None)
        return word

    def to_json(self) -> bytes:
        """One JSON document in UTF-8, no line break."""
        try:
            # The same bytes as pydantic's in half the time. What orjson returns keeps the 8 KB in
            # which it was built for as long as it is held: formatting copies what is needed.
            return b"%b" % orjson.dumps(self.__dict__, default=vars, option=orjson.OPT_UTC_Z)
        except orjson.JSONEncodeError:  # a whole number of more than 64 bits, or no sound text
            return self.model_dump_json().encode()


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
    engagement: dict[str, float] = {}
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


class Component(Word):
    """A part of a service as its status page names it."""

    id: str | None = None
    name: str


def _of_name(value: Any) -> Any:
    """A component told by its bare name."""
    return {"name": value} if isinstance(value, str) else value


#: A component of an incident, told in full or by its bare name.
AnyComponent = Annotated[
    Component, BeforeValidator(_of_name, json_schema_input_type=Component | str)
]


class Update(Word):
    """What the official channel said at one time."""

    id: str | None = None
    status: str = ""
    body: str = ""
    display_at: Instant


class StatusAt(Word):
    """From when on an incident had a status."""

    at: Instant
    status: Status


class Incident(Word):
    """An incident in Statuspage's shape, with its whole history.

    ``started_at`` is when it began to hurt, ``opened_at`` when its owner said so first. ``at`` is
    when this record came to hold; ``version`` grows with every change (default: ``at`` in ms).
    ``links`` are addresses that its owner names beside its own ``url``, as of the same incident in
    another tool. On a proposal of ours ``official_id`` is the official incident that has taken it
    over, ``topic`` the one that most of its reports name, ``witnesses`` how many people had
    reported it by then. Who has no history may tell ``opened_at`` beside ``started_at``: it becomes
    the history's first step.
    """

    id: Annotated[
        str,
        Field(pattern=r"^[^:\s\x00]+:[^\x00]+$", max_length=MAX_NAME),
        AfterValidator(name_fits),
    ]
    title: str
    status: Status
    impact: str = "none"
    components: tuple[AnyComponent, ...] = ()
    regions: Words = ()
    updates: tuple[Update, ...] = ()
    started_at: Instant = UNKNOWN
    resolved_at: Instant | None = None
    url: str | None = None
    links: Words = ()
    tracks: Words = ()
    history: tuple[StatusAt, ...] = ()
    version: Summand = 0
    at: Instant = UNKNOWN
    official_id: str | None = None
    topic: str | None = None
    witnesses: Whole = 0

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, data: Any) -> Any:
        """A record without a history gets the one that the rest of it implies."""
        if not isinstance(data, dict) or data.get("history"):
            return data
        return data | {"history": _history_of(data)}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """History and updates stand oldest first, the history ends in the status, times are set."""
        history = tuple(sorted(self.history, key=lambda h: h.at))
        if not history:
            raise ValueError("wants started_at, at, or a history")
        if history[-1].status != self.status:
            now = history[-1].at if self.at == UNKNOWN else max(self.at, history[-1].at)
            history = (*history, StatusAt(at=now, status=self.status))
        derived: dict[str, Any] = {
            "history": history,
            "updates": tuple(sorted(self.updates, key=lambda u: u.display_at)),
            "started_at": history[0].at if self.started_at == UNKNOWN else self.started_at,
            "at": history[-1].at if self.at == UNKNOWN else self.at,
        }
        derived["version"] = self.version or to_ms(derived["at"])
        for name, value in derived.items():
            object.__setattr__(self, name, value)
        return self

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return self.id

    @property
    def is_proposed(self) -> bool:
        """True for incidents that ``watch`` proposed itself."""
        return self.id.startswith(PROPOSAL)

    @property
    def opened_at(self) -> datetime:
        """When its owner first said that something is wrong (for a proposal: when we did)."""
        return self.history[0].at if self.history else self.started_at

    def status_at(self, moment: datetime) -> Status | None:
        """The status in force at ``moment``, None before it was opened."""
        status: Status | None = None
        for step in self.history:
            if step.at > moment:
                break
            status = step.status
        return status

    def at_time(self, moment: datetime) -> "Incident | None":
        """What was known of it at ``moment``: history and updates up to then. None before."""
        status = self.status_at(moment)
        if status is None:
            return None
        history = tuple(h for h in self.history if h.at <= moment)
        updates = tuple(u for u in self.updates if u.display_at <= moment)
        changed = max([history[-1].at, *(u.display_at for u in updates)])
        ended = self.resolved_at if self.resolved_at and self.resolved_at <= moment else None
        known = {"status": status, "history": history, "updates": updates, "resolved_at": ended}
        return self.model_copy(update=known | {"at": changed, "version": to_ms(changed)})


def _history_of(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The status history that a record without one implies."""
    steps = [
        {"at": update.get("display_at"), "status": update["status"]}
        for update in data.get("updates", ())
        if isinstance(update, dict) and update.get("status") in get_args(Status)
    ]
    opened_at, status = _opened_at(data), data.get("status")
    start = opened_at or data.get("started_at") or data.get("at")
    if steps and opened_at is not None and _is_before(opened_at, steps):
        steps.append({"at": opened_at, "status": "investigating"})
    if not steps and start is not None and status is not None:
        opened = "investigating" if status in {"resolved", "postmortem"} else status
        steps.append({"at": start, "status": opened})
    ended = any(step["status"] in {"resolved", "postmortem"} for step in steps)
    if data.get("resolved_at") and status in {"resolved", "postmortem"} and not ended:
        steps.append({"at": data["resolved_at"], "status": "resolved"})
    return steps


def _opened_at(data: dict[str, Any]) -> datetime | None:
    """When it was opened, where that is told. Raises ValueError when it is no time."""
    try:
        return _INSTANT_OR_NONE.validate_python(data.get("opened_at"))
    except ValidationError:
        raise ValueError("opened_at: wants a time") from None  # theirs would quote the record


def _is_before(opened_at: datetime, steps: list[dict[str, Any]]) -> bool:
    """Whether it was opened before its first step; one that has no time is refused later."""
    try:
        return all(opened_at < _INSTANT.validate_python(step["at"]) for step in steps)
    except ValidationError:
        return False


class Evidence(Word):
    """One reason for a link or a label, in words a responder reads, with its weight."""

    kind: str
    value: str
    weight: float = 0.0


class Repeat(Word):
    """How a mention stands to earlier ones. ``of`` is provisional: views name the group's head."""

    kind: RepeatKind = "original"
    of: str | None = None
    group: str


class Label(Word):
    """One head's answer: the best name, its probability, and whether it may be acted on."""

    name: str
    p: Probability
    sure: bool
    evidence: tuple[Evidence, ...] = ()


class Link(Word):
    """That a mention is about an incident. ``incident_version`` says which record was compared."""

    incident: Name
    p: Probability
    state: LinkState
    by: LinkBy = "auto"
    evidence: tuple[Evidence, ...] = ()
    incident_version: Stamp = 0


class Feedback(Word):
    """A mention with what we made of it."""

    mention: Mention
    repeat: Repeat
    labels: dict[str, Label]
    links: tuple[Link, ...] = ()
    model: str

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return self.mention.id

    def name(self, head: str) -> str | None:
        """The best name under ``head``, None where the head gave none."""
        label = self.labels.get(head)
        return None if label is None else label.name

    @property
    def is_report(self) -> bool:
        """Whether its author tells that something is broken: what counts as a witness's word."""
        return self.name("intent") == "report" and self._speaks_for_itself

    @property
    def is_weak_report(self) -> bool:
        """Whether its author asks if something is broken: a sign of trouble, and no witness."""
        return (
            self.name("intent") == "question"
            and self.name("severity") in TROUBLED
            and self._speaks_for_itself
        )

    @property
    def _speaks_for_itself(self) -> bool:
        return self.name("noise") != "yes" and self.repeat.kind in {"original", "near"}


class LateLink(Word):
    """A link that ``watch`` found after the mention had passed the worker."""

    mention: Name
    mention_version: Whole = 0
    model: str
    link: Link

    @property
    def key(self) -> str:
        """Mention and incident: a mention has one late word for each incident."""
        return self.key_of(self.mention, self.link.incident)

    @staticmethod
    def key_of(mention: str, incident: str) -> str:
        """The key of a mention's late word on an incident, both by id."""
        return f"{mention}|{incident}"


class Campaign(Word):
    """That a report is one of a brigade's and witnesses nothing: what ``watch`` says of a mention.

    It holds for this version of the mention; an edit is weighed anew.
    """

    mention: Name
    mention_version: Whole = 0
    kind: CampaignKind

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return self.mention


class Decision(Word):
    """What a person settled. ``id`` is made by the client, so that sending it twice is harmless.

    ``subject`` is a mention's id (relabel: value ``HEAD=NAME``; link, unlink: value an incident's
    id), a proposal's id (accept, dismiss), or any incident's (merge: value the incident of which
    it is part; accept takes that back).
    """

    id: Name
    subject: Name
    verb: Verb
    value: str = ""
    by: str
    at: Instant

    @model_validator(mode="after")
    def _has_value(self) -> Self:
        if self.verb == "relabel":
            head, _, name = self.value.partition("=")
            if head not in (*HEADS, *WHAT_AND_WHERE) or not name:
                heads = ", ".join((*HEADS, *WHAT_AND_WHERE))
                raise ValueError(f"relabel wants HEAD=NAME with HEAD one of {heads}")
        elif self.verb in {"link", "unlink", "merge"} and not self.value:
            raise ValueError(f"{self.verb} wants an incident's id as value")
        return self

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return self.subject

    @property
    def event_at(self) -> datetime:
        """When it takes its place among mentions in a replay."""
        return self.at


class Profile(Word):
    """What people taught about an incident by linking and unlinking: hashed weights, no text.

    ``columns`` rise (see ``steps.stems``); ``version`` grows with every lesson.
    """

    incident: Name
    version: Summand = 0
    columns: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _is_even(self) -> Self:
        if len(self.columns) != len(self.weights):
            raise ValueError("wants as many weights as columns")
        return self

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return self.incident


class Coverage(Word):
    """From when to when a source was read for a track (None: for all), or a gap with its cause."""

    source: Name
    track: Annotated[str, AfterValidator(name_fits)] | None = None
    from_at: Instant
    to_at: Instant
    is_gap: bool = False
    cause: str | None = None

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return f"{self.source}|{self.track or ''}"


class Spend(Word):
    """What reading a paid source has cost on one day (of UTC), as it was known at ``at``.

    ``cost`` is in the currency of the settings; reads that were paid in advance are counted.
    """

    source: Name
    day: Instant
    reads: Whole
    cost: float = Field(ge=0)
    at: Instant

    @property
    def key(self) -> str:
        """The record's key on every topic: the newest word on a day is the one that counts."""
        return f"{self.source}|{self.day:%Y-%m-%d}"


class Cursor(Word):
    """Up to where a source was read and acknowledged by the broker. Opaque but to its source."""

    source: Name
    cursor: str
    at: Instant

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return self.source


class DeadLetter(Word):
    """A record that could not be read, with its bytes (base64), the stage and the reason."""

    stage: str
    reason: str
    topic: str
    origin: str
    data: str
    at: Instant

    @property
    def key(self) -> str:
        """Where it came from, so that the same bad record is one dead letter."""
        return f"{self.stage}|{self.origin}"


#: Every word by name; their JSON Schemas stand in docs/schemas.
WORDS: dict[str, type[Word]] = {
    word.__name__: word
    for word in (
        Mention,
        Removal,
        Incident,
        Feedback,
        LateLink,
        Campaign,
        Decision,
        Profile,
        Coverage,
        Spend,
        Cursor,
        DeadLetter,
    )
}
