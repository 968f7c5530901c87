"""What a status page answers, as incidents: the shape of Atlassian Statuspage and its likes."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from collectors.incidents.kit.names import Names
from collectors.kit.times import instant
from pipeline.decoding import check
from pipeline.errors import SetAside
from pipeline.model import Component, Incident, Status, StatusAt, Update
from pipeline.values import from_ms, to_ms

#: What pages with the same shape call the states of an incident.
_STATES: dict[str, Status] = {
    "investigating": "investigating",
    "identified": "identified",
    "monitoring": "monitoring",
    "resolved": "resolved",
    "completed": "resolved",
    "fixed": "resolved",
    "postmortem": "postmortem",
}
_IMPACTS = ("none", "minor", "major", "critical")
_MAINTENANCE = "maintenance"


def page(answer: Any) -> dict[str, Any]:
    """What an answer says of the page itself. Raises SetAside when it is no status page's."""
    told = answer.get("page") if isinstance(answer, dict) else None
    if not isinstance(told, dict):
        raise SetAside("no status page's answer: it names no page")
    return told


def listed(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The incidents in an answer that can be told apart, without scheduled maintenance."""
    incidents = answer.get("incidents")
    return [
        one
        for one in (incidents if isinstance(incidents, list) else [])
        if isinstance(one, dict) and one.get("id") and not is_maintenance(one)
    ]


def is_maintenance(raw: Mapping[str, Any]) -> bool:
    """Whether it was planned: work that is announced is no failure."""
    return bool(raw.get("scheduled_for")) or raw.get("impact") == _MAINTENANCE


def version(raw: Mapping[str, Any]) -> int:
    """When anything about an incident changed last (ms since 1970), 0 if it does not say.

    Some pages change an update without touching the incident's own time.
    """
    changes = [raw.get("updated_at"), raw.get("created_at")]
    for update in _updates(raw):
        changes += [update.get("updated_at"), update.get("created_at")]
    times = [at for at in map(_time, changes) if at is not None]
    return max(map(to_ms, times), default=0)


def incident(
    raw: Mapping[str, Any], *, provider: str, names: Names, tracks: tuple[str, ...]
) -> Incident:
    """One incident with its whole history. Raises SetAside when it cannot be one.

    A status holds from when it was published (``created_at``), which nobody can date back; an
    update shows the time that the page gives it (``display_at``).
    """
    history = _history(raw)
    status = _status(raw.get("status")) or (history[-1].status if history else None)
    if status is None:
        raise SetAside("an incident without a status that is known")
    components, changed = _components(raw), version(raw)
    impact, links = raw.get("impact"), (raw.get("shortlink"), raw.get("url"))
    values = {
        "id": f"{provider}:{raw['id']}",
        "title": raw.get("name"),
        "status": status,
        "impact": impact if impact in _IMPACTS else "none",
        "components": tuple(names.component(one) for one in components),
        "regions": tuple(dict.fromkeys(p for one in components for p in names.places(one))),
        "updates": tuple(_update(update) for update in _updates(raw) if _shown_at(update)),
        "started_at": _started_at(raw),
        "resolved_at": _resolved_at(raw, history) if status in {"resolved", "postmortem"} else None,
        "url": next((at for at in links if isinstance(at, str) and at), None),
        "tracks": tracks,
        "history": tuple(history),
        "version": changed,
        "at": from_ms(changed) if changed else None,
    }
    return check(Incident, values)


def _update(update: Mapping[str, Any]) -> Update:
    body = update.get("body")
    return Update(
        id=str(update["id"]) if update.get("id") else None,
        status=str(update.get("status") or ""),
        body=body if isinstance(body, str) else "",
        display_at=_shown_at(update),
    )


def _components(raw: Mapping[str, Any]) -> list[Component]:
    """Those the incident names, then those that only an update names; each once."""
    found: dict[str, Component] = {}
    told = list(_dicts(raw.get("components")))
    for update in _updates(raw):
        told += _dicts(update.get("affected_components"))
    for one in told:
        # An update calls a component's id its code. A group only holds others.
        name, number = one.get("name"), one.get("id") or one.get("code")
        if isinstance(name, str) and name and not one.get("group"):
            key = str(number or name)
            found.setdefault(key, Component(id=str(number) if number else None, name=name))
    return list(found.values())


def _started_at(raw: Mapping[str, Any]) -> datetime | None:
    """When it began to hurt: what the page says, or the earliest time that an update shows."""
    times = [_time(raw.get("started_at")) or _time(raw.get("created_at"))]
    times += [_shown_at(update) for update in _updates(raw)]
    return min((at for at in times if at is not None), default=None)


def _history(raw: Mapping[str, Any]) -> list[StatusAt]:
    """The states in the order in which they were published."""
    steps = [
        StatusAt(at=said_at, status=status)
        for update in _updates(raw)
        if (status := _status(update.get("status"))) is not None
        and (said_at := _time(update.get("created_at")) or _time(update.get("display_at")))
    ]
    return sorted(steps, key=lambda step: step.at)


def _resolved_at(raw: Mapping[str, Any], history: list[StatusAt]) -> datetime | None:
    ended = [step.at for step in history if step.status in {"resolved", "postmortem"}]
    return _time(raw.get("resolved_at")) or min(ended, default=None)


def _shown_at(update: Mapping[str, Any]) -> datetime | None:
    return _time(update.get("display_at")) or _time(update.get("created_at"))


def _status(value: Any) -> Status | None:
    return _STATES.get(value.casefold()) if isinstance(value, str) else None


def _time(value: Any) -> datetime | None:
    return instant(value) if isinstance(value, str) else None


def _updates(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(_dicts(raw.get("incident_updates")))


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    return (one for one in (value if isinstance(value, list) else []) if isinstance(one, dict))
