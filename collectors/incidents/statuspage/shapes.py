"""Status pages that answer in another shape than Statuspage's, brought into it: Better Stack's."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from collectors.incidents.kit import paths
from collectors.incidents.kit.pieces import dicts

_IMPACTS: Final = {"downtime": "major", "degraded": "minor"}


def normal(document: Any) -> dict[str, Any]:
    """The document in Statuspage's shape; what is in no shape that we know stays as it is."""
    if paths.text(document, "data.type") == "status_page":
        return _better_stack(document)
    told: dict[str, Any] = document
    return told


def _better_stack(document: Mapping[str, Any]) -> dict[str, Any]:
    """A page of Better Stack: JSON:API, with reports, their updates and resources beside it."""
    included: dict[tuple[str | None, str | None], dict[str, Any]] = {
        (paths.text(one, "type"), paths.text(one, "id")): one
        for one in dicts(document.get("included"))
    }
    page = {
        "id": paths.text(document, "data.id"),
        "updated_at": paths.text(document, "data.attributes.updated_at"),
    }
    reports = [one for (kind, _), one in included.items() if kind == "status_report"]
    # The page's own time is that of its settings: reports change without it.
    page.pop("updated_at")
    return {"page": page, "incidents": [_report(one, included) for one in reports]}


def _report(
    report: Mapping[str, Any], included: Mapping[tuple[str | None, str | None], dict[str, Any]]
) -> dict[str, Any]:
    """A report as an incident. What is planned has a type of its own."""
    ended = paths.text(report, "attributes.ends_at")
    state = paths.text(report, "attributes.aggregate_state") or ""
    is_planned = paths.text(report, "attributes.report_type") == "maintenance"
    updates = [
        _update(one)
        for reference in dicts(paths.at(report, "relationships.status_updates.data"))
        if (one := included.get(("status_update", paths.text(reference, "id"))))
    ]
    is_over = bool(ended) or state == "resolved"
    if is_over and ended and not any(one["status"] == "resolved" for one in updates):
        over = {"id": None, "status": "resolved", "body": "", "created_at": ended}
        updates.append(over | {"display_at": ended})
    components = {
        number: name
        for number in _affected(report)
        if (
            name := paths.text(
                included.get(("status_page_resource", number)), "attributes.public_name"
            )
        )
    }
    return {
        "id": paths.text(report, "id"),
        "name": paths.text(report, "attributes.title"),
        "status": "resolved" if is_over else "investigating",
        "impact": "maintenance" if is_planned else _IMPACTS.get(state, "none"),
        "created_at": paths.text(report, "attributes.starts_at"),
        "resolved_at": ended,
        "incident_updates": updates,
        "components": [{"id": number, "name": name} for number, name in components.items()],
    }


def _update(one: Mapping[str, Any]) -> dict[str, Any]:
    """An update. It has no status: the incident is over when nothing is affected any more."""
    at = paths.text(one, "attributes.published_at")
    states = paths.at(one, "attributes.affected_resources[*].status") or []
    is_over = bool(states) and set(states) == {"resolved"}
    return {
        "id": paths.text(one, "id"),
        "status": "resolved" if is_over else "investigating",
        "body": paths.text(one, "attributes.message"),
        "created_at": at,
        "display_at": at,
    }


def _affected(report: Mapping[str, Any]) -> Iterator[str]:
    for one in dicts(paths.at(report, "attributes.affected_resources")):
        if number := paths.text(one, "status_page_resource_id"):
            yield number
