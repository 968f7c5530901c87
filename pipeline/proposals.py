"""Proposals: what becomes of a burst of witnesses. Pure rules over the book of incidents.

A burst opens a proposal unless its matter is known already: a proposal or an official incident of
the track is open, was open when the burst began, or a person dismissed the matter lately. A
proposal gets a new version only when its witnesses doubled, when an official incident takes it
over, and when it fades, since each version has all its mentions scored again. Every rule looks at
the minute that is judged, never at the clock, so that a record is the same however late it is made.
An official incident that names no tracks may be about anything: it is a track's matter only if it
names what the reports name.
Titles are built from the names of tracks and labels, never from what people wrote.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from pipeline.bursts import NEW_NORMAL, Burst
from pipeline.incidents import Book
from pipeline.model import CLOSED, PROPOSAL, Component, Incident, StatusAt, Update, from_ms, to_ms
from pipeline.steps.candidates import SHOWN_FROM, spaced
from pipeline.steps.likeness import rarities
from pipeline.tracks import Track

#: A dismissed matter stays quiet for so long.
DISMISSED_FOR = timedelta(hours=6)
#: An official incident opened so long before a proposal's first report, or after its end, is its.
TAKEN_BEFORE = timedelta(hours=1)
TAKEN_AFTER = timedelta(hours=2)
#: A name speaks for a burst when so many of its reports give it.
LEAST_NAMED = 3
#: A burst is over after ``NEW_NORMAL`` at the latest; an older proposal was forgotten by a restart.
FORGOTTEN = timedelta(minutes=NEW_NORMAL + 60)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
#: Topics that say no more than that something is wrong.
VAGUE = frozenset({"other", "service", "outage"})
#: What every title of ours says.
STOCK = frozenset({"reports", "of", "trouble", "around"})
WITNESSES = "witnesses:"


class _Sorted(NamedTuple):
    """What the book of one version holds; the official ones by opening."""

    version: int
    own: list[Incident]
    untaken: list[Incident]
    official: list[Incident]
    opened_at: list[datetime]


class Proposals:
    """Opens, grows, hands over and closes proposals; what changed is put into the book at once."""

    def __init__(self, book: Book, tracks: Sequence[Track] = ()) -> None:
        self._book = book
        self._alias = {
            spaced(alias): spaced(component.name)
            for track in tracks
            for component in track.component
            for alias in (component.name, *component.aliases)
        }
        self._sorted: _Sorted | None = None
        self._taken: tuple[int, datetime] | None = None

    def judge(self, burst: Burst, *, may_open: bool = True) -> list[Incident]:
        """The records that a burst brings at its minute."""
        at = from_ms(burst.at_ms)
        changed = self.take_over(at)
        own = self._open_proposal(burst.track, at)
        if own is not None and own.version < to_ms(at):
            record = closed(own, at) if burst.over else grown(own, burst)
        elif own is None and may_open and not burst.over and not self._is_known(burst, at):
            record = opened(burst)
        else:
            record = None
        if record is not None:
            self._book.put(record)
            changed.append(record)
        return changed

    def take_over(self, at: datetime) -> list[Incident]:
        """Proposals that became official incidents opened by ``at``."""
        known = self._split()
        if self._taken is not None and self._taken[0] == known.version:
            since = bisect_right(known.opened_at, self._taken[1])
            if since == bisect_right(known.opened_at, max(at, self._taken[1])):
                return []  # none was opened since: what is asked every second must cost nothing
        changed = []
        for proposal in known.untaken:
            if self._settled_by(proposal, at):
                continue
            official = self._official_of(proposal, at)
            if official is not None:
                record = taken_over(proposal, official)
                self._book.put(record)
                changed.append(record)
        self._taken = self._book.version, at
        return changed

    def forget(self, at: datetime) -> list[Incident]:
        """Closes proposals whose burst must be over, though nobody saw its end."""
        changed = []
        for proposal in self._split().own:
            if is_open(proposal, at) and proposal.at < shifted(at, -FORGOTTEN):
                record = closed(proposal, at)
                self._book.put(record)
                changed.append(record)
        return changed

    # ---- what is known ------------------------------------------------------------------------

    def _split(self) -> "_Sorted":
        if self._sorted is None or self._sorted.version != self._book.version:
            every = self._book.all()
            own = [incident for incident in every if incident.is_proposed]
            official = [incident for incident in every if not incident.is_proposed]
            official.sort(key=lambda o: (o.opened_at, o.id))
            self._sorted = _Sorted(
                version=self._book.version,
                own=own,
                untaken=[proposal for proposal in own if proposal.official_id is None],
                official=official,
                opened_at=[incident.opened_at for incident in official],
            )
        return self._sorted

    def _open_proposal(self, track: str, at: datetime) -> Incident | None:
        for proposal in self._split().own:
            if _tracks_of(track) == proposal.tracks and is_open(proposal, at):
                return None if self._settled_by(proposal, at) else proposal
        return None

    def _settled_by(self, proposal: Incident, at: datetime) -> bool:
        """Whether a person had dismissed or merged it by then."""
        decision = self._book.decision(proposal.id)
        return decision is not None and decision.verb != "accept" and decision.at <= at

    def _is_known(self, burst: Burst, at: datetime) -> bool:
        onset = from_ms(burst.onset_ms)
        for proposal in self._split().own:
            if _tracks_of(burst.track) != proposal.tracks:
                continue
            if self._settled_by(proposal, at):
                settled = self._book.decision(proposal.id)
                if settled is not None and onset < shifted(settled.at, DISMISSED_FOR):
                    return True
            elif (end := ended_at(proposal)) is None or end >= onset:
                return True  # also one that was opened later: this minute is judged again
        matter = opened(burst)
        return any(
            official.opened_at <= at
            and (is_open(official, at) or (ended_at(official) or at) >= onset)
            and self._is_about(official, matter)
            for official in self._split().official
        )

    def _official_of(self, proposal: Incident, at: datetime) -> Incident | None:
        """The first official incident that is the proposal's matter."""
        known, end = self._split(), ended_at(proposal)
        first = bisect_left(known.opened_at, shifted(proposal.started_at, -TAKEN_BEFORE))
        last = bisect_right(
            known.opened_at, at if end is None else min(at, shifted(end, TAKEN_AFTER))
        )
        for official in known.official[first:last]:
            if self._is_about(official, proposal):
                return official
        return None

    def _is_about(self, official: Incident, proposal: Incident) -> bool:
        """Whether an official incident may be the matter of a proposal.

        On a track of the proposal's: unless both name components and none of them agree. Without
        tracks: only if it names what the proposal names, unless the proposal too is of no track,
        since then all that is watched is one matter.
        """
        if proposal.tracks and not official.tracks:
            return self._shares(official, proposal)
        shared = not official.tracks or not set(official.tracks).isdisjoint(proposal.tracks)
        return shared and self._fits(official, self._parts(proposal))

    def _shares(self, official: Incident, proposal: Incident) -> bool:
        """Whether they have a component or region, or the titles a word that few use."""
        parts = self._parts(proposal)
        if parts and self._parts(official) and self._fits(official, parts):
            return True
        if not _folded(official.regions).isdisjoint(_folded(proposal.regions)):
            return True
        named = " ".join(component.name for component in proposal.components)
        words = set(spaced(f"{proposal.title} {named}").split())
        words -= STOCK.union(spaced(" ".join(proposal.tracks)).split())
        shared = sorted(words.intersection(spaced(official.title).split()))
        return bool(shared) and max(rarities(shared)) >= SHOWN_FROM

    def _parts(self, incident: Incident) -> frozenset[str]:
        names = (spaced(component.name) for component in incident.components)
        return frozenset(self._alias.get(name, name) for name in names)

    def _fits(self, official: Incident, parts: frozenset[str]) -> bool:
        """Whether it may be about these components: one side names none, or names agree."""
        named = self._parts(official)
        return not parts or not named or any(a in b or b in a for a in parts for b in named)


# ---- records ----------------------------------------------------------------------------------


def opened(burst: Burst) -> Incident:
    """The proposal for a burst. Its id depends on the track and the minute of the first report."""
    at, onset = from_ms(burst.at_ms), from_ms(burst.onset_ms)
    track = "-".join(burst.track.split()) or "all"
    record = Incident(
        id=f"{PROPOSAL}{track}-{onset:%Y%m%dT%H%M}",
        title="",
        status="proposed",
        tracks=_tracks_of(burst.track),
        started_at=onset,
        history=(StatusAt(at=at, status="proposed"),),
        at=at,
        version=to_ms(at),
    )
    return _told(record, burst)


def grown(proposal: Incident, burst: Burst) -> Incident | None:
    """The proposal after its witnesses doubled, None while they have not."""
    known = max(
        (
            int(u.id[len(WITNESSES) :])
            for u in proposal.updates
            if u.id and u.id.startswith(WITNESSES)
        ),
        default=0,
    )
    if burst.witnesses < 2 * known:
        return None
    at = from_ms(burst.at_ms)
    return _told(proposal.model_copy(update={"at": at, "version": to_ms(at)}), burst)


def closed(proposal: Incident, at: datetime) -> Incident:
    """The proposal after it faded."""
    history = (*proposal.history, StatusAt(at=at, status="resolved"))
    ended = {"status": "resolved", "resolved_at": at, "history": history}
    return proposal.model_copy(update=ended | {"at": at, "version": to_ms(at)})


def taken_over(proposal: Incident, official: Incident) -> Incident:
    """The proposal after an official incident was opened about it: it ends with that opening."""
    at = max(official.opened_at, proposal.opened_at)
    record = closed(proposal, at) if proposal.status not in CLOSED else proposal
    version = max(proposal.version + 1, to_ms(at))
    return record.model_copy(
        update={"official_id": official.id, "version": version, "at": max(at, proposal.at)}
    )


def _told(record: Incident, burst: Burst) -> Incident:
    """The record with what the burst's reports say by now."""
    component, place = most(burst, "component"), most(burst, "place")
    told = Update(
        id=f"{WITNESSES}{burst.witnesses}",
        status="proposed",
        body=f"{burst.witnesses} witnesses",
        display_at=from_ms(burst.at_ms),
    )
    return record.model_copy(
        update={
            "title": title(burst),
            "components": (Component(name=component),) if component else (),
            "regions": (place,) if place else (),
            "updates": (*record.updates, told),
        }
    )


def title(burst: Burst) -> str:
    """What the reports are about, in the words of labels and tracks."""
    topic, component = most(burst, "topic"), most(burst, "component")
    place = most(burst, "place")
    what = f"{topic.replace('_', ' ')} trouble" if topic and topic not in VAGUE else "trouble"
    around = f" around {burst.track}" if burst.track else ""
    where = ", ".join(name for name in (component, place) if name)
    return f"Reports of {what}{around}" + (f": {where}" if where else "")


def most(burst: Burst, head: str) -> str | None:
    """The name on which most reports that name any agree, a quarter of all at least."""
    named: Counter[str] = Counter(
        {name: count for (of, name), count in burst.names.items() if of == head}
    )
    if not named:
        return None
    name, count = max(named.items(), key=lambda pair: (pair[1], pair[0]))
    if count < LEAST_NAMED or 2 * count <= named.total() or 4 * count < burst.witnesses:
        return None
    return name


def ended_at(incident: Incident) -> datetime | None:
    """Since when it has been closed, None while it is open."""
    if incident.status not in CLOSED:
        return None
    steps = incident.history
    last = next((b for a, b in reversed(list(pairwise(steps))) if a.status not in CLOSED), None)
    end = last.at if last else incident.at
    return min(end, incident.resolved_at or end)


def is_open(incident: Incident, at: datetime) -> bool:
    """Whether its owner had opened it by then and not closed it."""
    status = incident.status_at(at)
    if status is None or status in CLOSED:
        return False
    return incident.resolved_at is None or at < incident.resolved_at


def shifted(at: datetime, by: timedelta) -> datetime:
    """``at + by``, at most to the first or last moment there is: posts may be dated to either."""
    try:
        return at + by
    except OverflowError:
        return LAST if by > timedelta() else FIRST


def _tracks_of(track: str) -> tuple[str, ...]:
    return (track,) if track else ()


def _folded(names: Sequence[str]) -> frozenset[str]:
    return frozenset(spaced(name) for name in names)
