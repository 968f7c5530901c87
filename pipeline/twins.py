"""Incidents of two tools that are one: found by the addresses that they name of each other.

An incident's ``links`` has what its owner entered for it and what its updates name. If one of these
is the address of another tool's incident, or ends in that incident's id, and both went on at one
time, the one that names becomes part of the one that is named, which people can undo (``accept``):
what a person ever said of an incident is not touched. Where both name each other the older stands.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from pipeline.incidents import Book
from pipeline.model import CLOSED, PROPOSAL, Decision, Incident

#: Who merges, where a decision says who decided.
OURSELVES: Final = "groundswell"
#: A shorter id, or one of one kind of characters, may be a word or a number in any address.
SHORTEST_ID: Final = 7
#: One is opened, or its end is told, so long after the other at most.
APART: Final = timedelta(hours=6)


class Twins:
    """Merges of official incidents that name each other; all follow from the book alone."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._seen = -1

    def merges(self) -> list[Decision]:
        """The merges that are new since the last call; each is put into the book at once.

        Costs nothing while the book does not change.
        """
        if self._seen == self._book.version:
            return []
        found = []
        official = [one for one in self._book.all() if not one.is_proposed]
        names = _names(official)
        for one in official:
            if not one.links or self._book.decision(one.id) is not None:
                continue
            other = self._twin(one, names)
            if other is not None:
                merge = merged(one, other)
                self._book.decide(merge)
                found.append(merge)
        self._seen = self._book.version
        return found

    def _twin(self, one: Incident, names: "_Names") -> Incident | None:
        """What ``one`` is to become part of: the first to be opened of those that it names."""
        named = [
            other
            for other in _named(one, names)
            if _may_be_one(one, other) and self._book.resolve(other.id) != one.id
        ]
        fit = [
            other
            for other in named
            # Both name each other: the older one stands.
            if _order(other) < _order(one) or one not in list(_named(other, names))
        ]
        return min(fit, key=_order, default=None)


_Names = dict[str, list[Incident]]


def merged(part: Incident, whole: Incident) -> Decision:
    """The word that an incident is another tool's telling of the other."""
    return Decision(
        id=f"{OURSELVES}-merge-{part.id}",
        subject=part.id,
        verb="merge",
        value=whole.id,
        by=OURSELVES,
        # Not when we noticed: the same incidents give the same word, whoever reads them when.
        at=max(part.opened_at, whole.opened_at),
    )


def concerned(decision: Decision) -> list[str]:
    """The incidents that ``objection`` asks about."""
    if decision.verb in {"link", "unlink", "merge"}:
        return [decision.value]
    if decision.verb == "accept" and not decision.subject.startswith(PROPOSAL):
        return [decision.subject]
    return []


def objection(
    decision: Decision, official_of: Callable[[str], str | None], is_there: Callable[[str], bool]
) -> str | None:
    """Why a person's word on an incident cannot be carried out, None if it can.

    ``official_of`` says what an incident is part of by now, ``is_there`` whether there is one.
    """
    if decision.verb in {"link", "unlink"} and not is_there(decision.value):
        return f"{decision.verb} wants an incident that is there: none has this id"
    if decision.verb == "merge":
        if decision.value == decision.subject:
            return "merge wants another incident than this one"
        if not is_there(decision.value):
            return "merge wants an incident that is there: none has this id"
        if official_of(decision.value) == decision.subject:
            return "the incident to merge into is part of this one: accept it first"
    is_tools = not decision.subject.startswith(PROPOSAL)
    if decision.verb == "accept" and is_tools and official_of(decision.subject) is None:
        return "accept wants a proposal's id, or that of an incident that is part of another"
    return None


def _names(official: list[Incident]) -> _Names:
    """Incidents by their address, and by the end that an address of theirs must have."""
    found: _Names = defaultdict(list)
    for one in official:
        for name in {_address(one.url or ""), _number(one)} - {""}:
            found[name].append(one)
    return found


def _named(one: Incident, names: _Names) -> Iterator[Incident]:
    """The incidents of other tools that its links name."""
    own = _provider(one)
    for link in one.links:
        address = _address(link)
        for name in {address, address.rpartition("/")[2]} - {""}:
            yield from (other for other in names.get(name, ()) if _provider(other) != own)


def _may_be_one(one: Incident, other: Incident) -> bool:
    """Whether they went on at one time and are not about different tracks."""
    if one.tracks and other.tracks and set(one.tracks).isdisjoint(other.tracks):
        return False
    return _began(one) <= _ended(other) and _began(other) <= _ended(one)


def _began(one: Incident) -> datetime:
    return min(one.started_at, one.opened_at)


def _ended(one: Incident) -> datetime:
    """When it ended, with what may still be told of it then."""
    end = datetime.max.replace(tzinfo=one.at.tzinfo)
    if one.status not in CLOSED:
        return end
    return min(one.resolved_at or one.at, end - APART) + APART


def _order(one: Incident) -> tuple[datetime, str]:
    return one.opened_at, one.id


def _provider(one: Incident) -> str:
    return one.id.partition(":")[0]


def _number(one: Incident) -> str:
    """Its own id, where that cannot be mistaken for anything else."""
    number = one.id.partition(":")[2]
    is_mixed = any(c.isdigit() for c in number) and any(c.isalpha() for c in number)
    is_shouted = number.isalpha() and number.isupper()
    return number if len(number) >= SHORTEST_ID and (is_mixed or is_shouted) else ""


def _address(url: str) -> str:
    """An address as it is compared: no scheme, no query, no end that says nothing."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = (parts.hostname or "").removeprefix("www.")
    path = parts.path.rstrip("/")
    return f"{host}{path}" if host and path else ""
