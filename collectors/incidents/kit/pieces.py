"""Incidents put together from pieces that come late, twice or out of order.

A tool's answers and events are mapped to *pieces*: incidents of which only some fields were told,
as of one time. What has been told of an incident is a set of pieces, and the incident follows from
the set alone: every status that was ever told stands in its history, every update in its newest
wording, every other field as the latest piece has it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, get_args

import orjson
import xxhash

from collectors.kit.times import from_us, instant, to_us
from pipeline.decoding import check
from pipeline.errors import SetAside
from pipeline.model import Incident, Status, StatusAt
from pipeline.values import UNKNOWN

#: What each of these became when several were told for one moment: the last one counts.
ORDER: Final[tuple[Status, ...]] = get_args(Status)
ENDED: Final = frozenset({"resolved", "postmortem"})
#: An incident with more updates than this keeps the newest; tools list far fewer.
MOST_UPDATES: Final = 500
MOST_STEPS: Final = 500
#: Addresses in what is said of an incident lead to what else is known of it; the first ones count.
MOST_LINKS: Final = 50
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'`()\[\]{}|]{4,500}")
#: What a piece says besides its time; the rest is ours to derive.
TOLD: Final = frozenset(
    {
        "title", "impact", "components", "regions", "started_at", "resolved_at", "url", "links",
        "history", "updates",
    }
)  # fmt: skip


def piece(incident_id: str, at: datetime, **told: Any) -> Incident:
    """A word of which only what is ``told`` counts, as of ``at``; None stands for not told.

    ``history`` holds the changes of status that the piece tells of, ``updates`` what was said.
    Raises SetAside when a value is none of its field.
    """
    given = {name: value for name, value in told.items() if value is not None}
    whole = {
        "id": incident_id,
        "title": "",
        "status": "investigating",
        "history": (StatusAt(at=at, status="investigating"),),
        "at": at,
    } | given
    checked = check(Incident, whole)
    fields = {**checked.__dict__, "history": tuple(given.get("history", ()))}
    return Incident.unchecked(fields, {"id", "at", *given})


@dataclass(slots=True)
class Dossier:
    """What was told of one incident. Times are µs since 1970; values are as JSON has them.

    ``fields``: the latest word on each, with its time. ``version`` and ``digest`` are those of the
    record that was made last.
    """

    fields: dict[str, tuple[int, Any]] = field(default_factory=dict)
    steps: set[tuple[int, str]] = field(default_factory=set)
    updates: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    version: int = 0
    digest: str = ""

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "Dossier":
        """As ``state`` was written. Raises ValueError, KeyError or TypeError for anything else."""
        return cls(
            {str(name): (int(at), value) for name, (at, value) in state["f"].items()},
            {(int(at), str(status)) for at, status in state["s"]},
            {str(key): (int(at), dict(said)) for key, (at, said) in state["u"].items()},
            int(state["v"]),
            str(state["d"]),
        )

    @property
    def state(self) -> dict[str, Any]:
        """For the cursor."""
        return {
            "f": self.fields,
            "s": sorted(self.steps),
            "u": self.updates,
            "v": self.version,
            "d": self.digest,
        }

    def take(self, told: Incident) -> None:
        """Adds a piece; the order of pieces makes no difference, nor does a repetition."""
        names = told.model_fields_set & TOLD
        values = told.model_dump(mode="json", include=set(names))
        at = to_us(told.at)
        self.steps.update((_us(step["at"]), step["status"]) for step in values.pop("history", ()))
        if len(self.steps) > MOST_STEPS:
            self.steps = set(sorted(self.steps)[-MOST_STEPS:])
        for said in values.pop("updates", ()):
            key = said["id"] or "text:" + _hash(said | {"display_at": None})
            self.updates[key] = _later(self.updates.get(key), (at, said))
        if len(self.updates) > MOST_UPDATES:
            newest = sorted(self.updates.items(), key=lambda entry: entry[1][1]["display_at"])
            self.updates = dict(newest[-MOST_UPDATES:])
        for name, value in values.items():
            self.fields[name] = _later(self.fields.get(name), (at, value))

    @property
    def history(self) -> list[StatusAt]:
        """The changes of status, oldest first."""
        steps: list[StatusAt] = []
        for at, status in sorted(self.steps, key=lambda step: (step[0], ORDER.index(step[1]))):
            if not steps or steps[-1].status != status:
                steps.append(StatusAt.model_validate({"at": from_us(at), "status": status}))
        return steps

    @property
    def newest(self) -> int:
        """The time of the latest piece."""
        times = [at for at, _ in self.steps] + [at for at, _ in self.updates.values()]
        return max(times + [at for at, _ in self.fields.values()], default=0)

    @property
    def is_ended(self) -> bool:
        """Whether it takes no more posts."""
        history = self.history
        return bool(history) and history[-1].status in {*ENDED, "dismissed"}

    def values(self, incident_id: str) -> dict[str, Any] | None:
        """The incident's fields without a version, None while its title or status is not known."""
        history = self.history
        told = {name: value for name, (_, value) in self.fields.items()}
        if not history or not told.get("title"):
            return None
        updates = [said for _, said in self.updates.values()]
        updates.sort(key=lambda said: (_us(said["display_at"]), said["id"] or "", said["body"]))
        status = history[-1].status
        told |= {"id": incident_id, "status": status, "history": history, "updates": updates}
        told["at"] = max(history[-1].at, *(from_us(_us(u["display_at"])) for u in updates), UNKNOWN)
        told["links"] = tuple(texts(*told.get("links", ()), *addresses(updates)))
        told["resolved_at"] = told.get("resolved_at") or _ended_at(history)
        if status not in ENDED:
            told["resolved_at"] = None
        return told


class Ledger:
    """The incidents of one source, as far as they were told.

    What ended is forgotten when there is no more room for it (``room`` bytes); what is told of it
    after that is passed over, for it could only be told in part.
    """

    #: Ids of forgotten incidents are remembered, so many of them.
    MOST_FORGOTTEN: Final = 5_000

    def __init__(self, room: int = 262_144) -> None:
        self._room = room
        self._dossiers: dict[str, Dossier] = {}
        self._forgotten: dict[str, None] = {}
        self._sizes: dict[str, int] = {}

    def recall(self, state: Mapping[str, Any]) -> None:
        """Takes over what a cursor holds. Raises as ``Dossier.of`` does."""
        self._dossiers = {str(key): Dossier.of(told) for key, told in state["incidents"].items()}
        self._forgotten = dict.fromkeys(map(str, state["forgotten"]))
        self._sizes = {key: len(orjson.dumps(d.state)) for key, d in self._dossiers.items()}

    @property
    def state(self) -> dict[str, Any]:
        """For the cursor."""
        told = {key: dossier.state for key, dossier in self._dossiers.items()}
        return {"incidents": told, "forgotten": list(self._forgotten)}

    def fold(self, told: Incident) -> dict[str, Any] | None:
        """Adds a piece; the incident's fields if they differ from those that were told last.

        The version grows with every difference. None while too little is known of it.
        """
        if told.id in self._forgotten:
            return None
        dossier = self._dossiers.setdefault(told.id, Dossier())
        dossier.take(told)
        values = dossier.values(told.id)
        if values is not None:
            digest = _hash(values)
            if digest == dossier.digest:
                values = None
            else:
                dossier.digest = digest
                dossier.version = max(dossier.newest // 1000, dossier.version + 1)
                values["version"] = dossier.version
        self._sizes[told.id] = len(orjson.dumps(dossier.state))
        self._make_room(told.id)
        return values

    def _make_room(self, present: str) -> None:
        """Forgets what ended, the oldest first, and then the oldest at all."""
        if sum(self._sizes.values()) <= self._room:
            return
        order = sorted(self._dossiers.items(), key=lambda one: (not one[1].is_ended, one[1].newest))
        for key, _ in order:
            if sum(self._sizes.values()) <= self._room:
                break
            if key != present:
                del self._dossiers[key], self._sizes[key]
                self._forgotten[key] = None
        for key in list(self._forgotten)[: -self.MOST_FORGOTTEN]:
            del self._forgotten[key]


def steps(*told: tuple[Any, Status]) -> tuple[StatusAt, ...]:
    """Changes of status out of (time, as the tool writes it, status); without a time none."""
    found = ((instant(at) if at else None, status) for at, status in told)
    return tuple(StatusAt(at=at, status=status) for at, status in found if at is not None)


def texts(*values: Any) -> Iterable[str]:
    """Those that are texts with something in them, each once."""
    return dict.fromkeys(value for value in values if isinstance(value, str) and value)


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a JSON list; nothing when it is none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def named(value: Any, name: str = "id") -> str:
    """What a JSON object has under a name, as text. Raises SetAside when it has nothing there."""
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, str | int) or not str(found):
        raise SetAside(f"an incident without `{name}`")
    return str(found)


def addresses(updates: Iterable[Mapping[str, Any]]) -> list[str]:
    """The addresses that updates name, as they stand there; the first ``MOST_LINKS``."""
    found = (at.rstrip(".,;:!?") for said in updates for at in _ADDRESS.findall(said["body"]))
    return list(dict.fromkeys(found))[:MOST_LINKS]


def _later(held: tuple[int, Any] | None, told: tuple[int, Any]) -> tuple[int, Any]:
    """The later of two words; of two of one time always the same one."""
    return told if held is None else max(held, told, key=lambda word: (word[0], _json(word[1])))


def _ended_at(history: list[StatusAt]) -> datetime | None:
    """When the last end began: a postmortem is written long after it."""
    end = None
    for step in history:
        end = (end or step.at) if step.status in ENDED else None
    return end


def _us(told: str) -> int:
    at = instant(told)
    if at is None:
        raise ValueError("no time")
    return to_us(at)


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=vars)


def _hash(value: Any) -> str:
    return xxhash.xxh3_64_hexdigest(_json(value))
