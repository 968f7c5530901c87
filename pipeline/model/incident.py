"""What is broken, as its owner tells it or as ``watch`` proposes it, with its whole history."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from pipeline.model.base import Word
from pipeline.values import MAX_NAME, UNKNOWN, Instant, Summand, Whole, Words, name_fits, to_ms

#: How the ids of incidents begin that ``watch`` proposed itself.
PROPOSAL = "groundswell:"
Status = Literal[
    "proposed", "investigating", "identified", "monitoring", "resolved", "postmortem", "dismissed"
]
#: States in which an incident takes no new posts.
CLOSED: frozenset[str] = frozenset({"resolved", "postmortem", "dismissed"})
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
_INSTANT_OR_NONE: TypeAdapter[datetime | None] = TypeAdapter(Instant | None)


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
