"""The book of incidents: the newest record of each, with people's decisions folded in.

The worker, the watch and ``enrich`` each keep one. Its content depends only on what was put in,
never on the order: records count by version, decisions by (at, id).
"""

from typing import NamedTuple

from pipeline.joining import joined
from pipeline.model import Decision, Incident, Profile
from pipeline.values import to_ms

#: The verbs that settle what becomes of an incident; the others are about single mentions.
SETTLING: frozenset[str] = frozenset({"accept", "dismiss", "merge"})
#: Stands for "no end": later than any moment that a record can carry.
EVER = 2**62


class Standing(NamedTuple):
    """A record that may take posts, and from when until when (ms, end excluded) it holds."""

    incident: Incident
    from_ms: int
    until_ms: int


class Book:
    """Incidents by id. With ``as_of`` every record is kept and holds from its ``at`` on.

    Without ``as_of`` the newest record speaks for all of time, since it carries its history. With
    it, a mention meets only what was known at its time: that is how ``enrich`` reads a file of
    incidents.
    """

    def __init__(self, as_of: bool = False) -> None:
        self.as_of = as_of
        self._newest: dict[str, Incident] = {}
        self._records: dict[str, dict[int, Incident]] = {}
        self._decided: dict[str, Decision] = {}
        self._profiles: dict[str, Profile] = {}
        self._version = 0
        self._stamp = 0
        self._parts_of: tuple[int, dict[str, list[Incident]]] = (0, {})
        self._joined: dict[str, tuple[Incident, list[Incident], Incident]] = {}

    @property
    def version(self) -> int:
        """Grows with every change, so that what was derived from the book can be kept."""
        return self._version

    @property
    def stamp(self) -> int:
        """How much is known.

        Of two books, one of which knows all that the other does and more, it has the higher stamp,
        in whatever process and order they came to know it.
        """
        return self._stamp

    def put(self, incident: Incident) -> bool:
        """Takes a record; True if it changed the book.

        Older versions than the one held change nothing (but are kept with ``as_of``). Of two
        different records with one version the same one wins in any order.
        """
        changed = False
        held = self._newest.get(incident.id)
        if held is None or _rank(held) < _rank(incident):
            self._newest[incident.id] = incident
            self._stamp += incident.version - (0 if held is None else held.version)
            changed = True
        if self.as_of:
            records = self._records.setdefault(incident.id, {})
            twin = records.get(incident.version)
            if twin is None or _rank(twin) < _rank(incident):
                records[incident.version] = incident
                changed = True
        self._version += changed
        return changed

    def decide(self, decision: Decision) -> bool:
        """Takes a person's word on an incident, which may come before the incident does.

        The highest (at, id) has the last word. True if it changed the book; verbs about single
        mentions never do.
        """
        if decision.verb not in SETTLING:
            return False
        held = self._decided.get(decision.subject)
        if held is not None and (held.at, held.id) >= (decision.at, decision.id):
            return False
        self._decided[decision.subject] = decision
        self._stamp += to_ms(decision.at) - (0 if held is None else to_ms(held.at))
        self._version += 1
        return True

    def learn(self, profile: Profile) -> bool:
        """Takes what people taught about an incident; the highest version counts.

        True if it changed the book. The incident may come later.
        """
        held = self._profiles.get(profile.incident)
        if held is not None and held.version >= profile.version:
            return False
        self._profiles[profile.incident] = profile
        self._stamp += profile.version - (0 if held is None else held.version)
        self._version += 1
        return True

    def profile(self, incident_id: str) -> Profile | None:
        """What people taught about an incident, None if nothing."""
        return self._profiles.get(incident_id)

    def get(self, incident_id: str) -> Incident | None:
        """The newest record of an incident, None if there is none. A merge is not followed."""
        return self._newest.get(incident_id)

    def whole(self, incident_id: str) -> Incident | None:
        """The same with what other tools tell of it, where theirs were merged into it."""
        record = self._newest.get(incident_id)
        parts = self._parts().get(incident_id)
        if record is None or parts is None:
            return record
        made = self._joined.get(incident_id)
        if made is None or made[0] is not record or made[1] != parts:
            made = self._joined[incident_id] = (record, parts, joined(record, parts))
        return made[2]

    def _parts(self) -> dict[str, list[Incident]]:
        """The tools' incidents that were merged, by what they are part of."""
        if self._parts_of[0] != self._version:
            found: dict[str, list[Incident]] = {}
            for subject, decision in self._decided.items():
                part = self._newest.get(subject)
                is_part = decision.verb == "merge" and part is not None and not part.is_proposed
                if part is not None and is_part and (heir := self.resolve(subject)) != subject:
                    found.setdefault(heir, []).append(part)
            for parts in found.values():
                parts.sort(key=lambda part: part.id)
            self._parts_of = self._version, found
        return self._parts_of[1]

    def all(self) -> list[Incident]:
        """The newest record of every incident, by id, dismissed and merged ones included."""
        return [self._newest[key] for key in sorted(self._newest)]

    def decision(self, incident_id: str) -> Decision | None:
        """The last word on an incident: accept, dismiss or merge; None if nobody decided."""
        return self._decided.get(incident_id)

    def resolve(self, incident_id: str) -> str:
        """The id that an incident was merged into, however many steps away; else its own.

        A circle of merges has no end; each of its members then stands for itself.
        """
        seen, current = {incident_id}, incident_id
        while (decision := self._decided.get(current)) and decision.verb == "merge":
            current = decision.value
            if current in seen:
                return incident_id
            seen.add(current)
        return current

    def takes_posts(self, incident_id: str) -> bool:
        """False once a person dismissed the incident or merged it into another."""
        decision = self._decided.get(incident_id)
        if decision is None or decision.verb == "accept":
            return True
        return decision.verb == "merge" and self.resolve(incident_id) == incident_id

    def standing(self) -> list[Standing]:
        """Every record that may take posts, by id, with the span in which it speaks."""
        found: list[Standing] = []
        for key in sorted(self._newest):
            if not self.takes_posts(key):
                continue
            if self.as_of:
                found.extend(_spans(list(self._records[key].values())))
            else:
                found.append(Standing(self.whole(key) or self._newest[key], -EVER, EVER))
        return found


def _rank(incident: Incident) -> tuple[int, int, bytes]:
    """What decides between two records of one incident: the version, then a fixed order."""
    return incident.version, to_ms(incident.at), incident.to_json()


def _spans(records: list[Incident]) -> list[Standing]:
    """From when until when each record is the highest version known."""
    rising: list[Incident] = []
    for record in sorted(records, key=lambda r: (to_ms(r.at), r.version)):
        if rising and record.version < rising[-1].version:
            continue  # it came to hold when a newer one already did
        if rising and to_ms(record.at) == to_ms(rising[-1].at):
            rising.pop()
        rising.append(record)
    ends = [*(to_ms(record.at) for record in rising[1:]), EVER]
    return [Standing(r, to_ms(r.at), end) for r, end in zip(rising, ends, strict=True)]
