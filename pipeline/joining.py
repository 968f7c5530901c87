"""One incident out of what several tools tell of it, as posts are compared with it.

The record that stands keeps its id, title and end. It is open from when the first tool opened it,
and what the others call it and say of it counts as said of it.
"""

from collections.abc import Iterable, Sequence

from pipeline.model import Component, Incident, StatusAt, Update


def joined(whole: Incident, parts: Sequence[Incident]) -> Incident:
    """The record with its parts' words: the same for any order of the parts."""
    ordered = sorted(parts, key=lambda part: (part.opened_at, part.id))
    updates = [said for part in ordered for said in (_title(part), *part.updates)]
    told = sorted([*whole.updates, *updates], key=lambda said: said.display_at)
    every = [whole, *ordered]
    return whole.model_copy(
        update={
            "history": _history(whole, ordered),
            "updates": tuple(told),
            "components": tuple(_components(one for each in every for one in each.components)),
            "regions": tuple(dict.fromkeys(region for one in every for region in one.regions)),
            "started_at": min(one.started_at for one in every),
        }
    )


def _title(part: Incident) -> Update:
    """What a tool calls it, said when it was opened there."""
    return Update(id=f"title:{part.id}", body=part.title, display_at=part.opened_at)


def _history(whole: Incident, parts: Sequence[Incident]) -> tuple[StatusAt, ...]:
    first = parts[0].opened_at
    if first >= whole.opened_at:
        return whole.history
    return (StatusAt(at=first, status="investigating"), *whole.history)


def _components(named: Iterable[Component]) -> Iterable[Component]:
    """Each name once."""
    return {one.name.casefold(): one for one in reversed(list(named))}.values()
