"""How the component and the place that a post names stand to an incident's."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.model import Label
from pipeline.steps import places
from pipeline.steps.candidates import Entry, spaced

Ints = NDArray[np.int64]
#: A region as wide as these says little about who is inside.
_WIDE: Final = frozenset({"country", "continent"})
_NOT_ASKED: Final = 127
#: Names kept per head; posts bring ever new places.
_NAMES_KEPT: Final = 5_000


def component_relation(name: str, entry: Entry) -> int:
    """1: a component of the incident; -1: another one than those it names; 0: it names none."""
    if places.fold(name) in entry.components or spaced(name) in entry.words:
        return 1
    return -1 if entry.components else 0


def place_relation(name: str, entry: Entry) -> int:
    """2: the very place of the incident; 1: within its country; -1: elsewhere; 0: who knows."""
    if spaced(name) in entry.words:
        return 2
    answers = [(region, places.within(name, region)) for region in entry.incident.regions]
    inside = [region for region, answer in answers if answer]
    if inside:
        return 1 if all(_is_wide(region) for region in inside) else 2
    return -1 if answers and all(answer is False for _, answer in answers) else 0


class Relations:
    """The relations of names to a fixed list of entries, each asked once and kept."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._kept: dict[tuple[str, str], NDArray[np.int8]] = {}

    def of(
        self,
        head: Literal["component", "place"],
        labels: Sequence[Mapping[str, Label]],
        rows: Ints,
        columns: Ints,
    ) -> NDArray[np.int8]:
        """For each pair how its mention's name under ``head`` stands to its entry; 0 without.

        ``rows`` rise.
        """
        found = np.zeros(rows.size, np.int8)
        used, starts = np.unique(rows, return_index=True)
        ends = np.append(starts, rows.size)[1:]
        spans = zip(used.tolist(), starts.tolist(), ends.tolist(), strict=True)
        for row, first, last in spans:
            if (label := labels[row].get(head)) is not None:
                found[first:last] = self._of_name(head, label.name, columns[first:last])
        return found

    def _of_name(
        self, head: Literal["component", "place"], name: str, columns: Ints
    ) -> NDArray[np.int8]:
        known = self._kept.get((head, name))
        if known is None:
            known = np.full(len(self._entries), _NOT_ASKED, np.int8)
            if len(self._kept) < _NAMES_KEPT:
                self._kept[head, name] = known
        relation = component_relation if head == "component" else place_relation
        for column in columns[known[columns] == _NOT_ASKED].tolist():
            known[column] = relation(name, self._entries[column])
        return known[columns]


def named_too(
    relations: NDArray[np.int8],
    texts: Sequence[str],
    entries: Sequence[Entry],
    rows: Ints,
    columns: Ints,
) -> NDArray[np.int8]:
    """Components again: a post that names the incident's too does not speak of another one.

    The label is only the best guess among the components that the post names.
    """
    found = relations.copy()
    said: tuple[int, str] = (-1, "")
    for pair in np.flatnonzero(relations == -1).tolist():
        row = int(rows[pair])
        if said[0] != row:
            said = row, spaced(texts[row])
        if any(spaced(name) in said[1] for name in entries[int(columns[pair])].components):
            found[pair] = 1
    return found


def _is_wide(region: str) -> bool:
    found = places.locate(region)
    return bool(found) and found[0].kind in _WIDE
