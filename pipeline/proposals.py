"""Proposals: what becomes of bursts of witnesses. Pure rules over the book of incidents.

A burst opens a proposal unless its matter (``matters``) is known already: a proposal or an official
incident of the track is open, was open when the burst began, or a person dismissed the matter
lately. Two proposals of a track that turn out to be one matter are merged, which people can undo. A
proposal gets a new version only when its witnesses doubled, when an official incident takes it
over, and when it fades, since each version has all its mentions scored again. Every rule looks at
the minute that is judged, never at the clock, so that a record is the same however late it is made.
An official incident that names no tracks may be about anything: it is a track's matter only if it
names what the reports name.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple

from pipeline import matters
from pipeline.bursts import NEW_NORMAL, Burst
from pipeline.incidents import Book
from pipeline.model import CLOSED, PROPOSAL, Component, Decision, Incident, StatusAt, Update
from pipeline.steps.candidates import SHOWN_FROM, spaced
from pipeline.steps.likeness import rarities
from pipeline.tracks import Track
from pipeline.twins import OURSELVES, Twins
from pipeline.values import from_ms, to_ms

#: A dismissed matter stays quiet for so long.
DISMISSED_FOR = timedelta(hours=6)
#: An official incident opened so long before a proposal's first report, or after its end, is its.
TAKEN_BEFORE = timedelta(hours=1)
TAKEN_AFTER = timedelta(hours=2)
#: A burst is over after ``NEW_NORMAL`` at the latest; an older proposal was forgotten by a restart.
FORGOTTEN = timedelta(minutes=NEW_NORMAL + 60)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
#: What every title of ours says.
STOCK = frozenset({"reports", "of", "trouble", "around"})


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
        self._twins = Twins(book)
        self._sorted: _Sorted | None = None
        self._taken: tuple[int, datetime] | None = None

    def judge(self, bursts: Sequence[Burst], *, may_open: bool = True) -> list[Incident | Decision]:
        """The records that the bursts of one minute bring, and merges of proposals."""
        at = from_ms(bursts[0].at_ms)
        changed: list[Incident | Decision] = [*self.take_over(at)]
        for track, found in groupby(sorted(bursts, key=_by_track), key=_track):
            of_track = list(found)
            changed += self._carry_on(track, of_track, at)
            if may_open:
                changed += self._open(track, of_track, at)
        return changed

    def _carry_on(
        self, track: str, bursts: Sequence[Burst], at: datetime
    ) -> list[Incident | Decision]:
        """What becomes of the proposals that are open."""
        changed: list[Incident | Decision] = []
        held: Incident | None = None
        for proposal in self._open_proposals(track, at):
            own = [b for b in bursts if _is_of(b, proposal)]
            live = [b for b in own if not b.over]
            if held is not None and _are_one(held, proposal, live):
                merge = merged(proposal, held, at)
                self._book.decide(merge)
                changed.append(merge)
                continue
            held = held or (proposal if live else None)
            if not own or proposal.version >= to_ms(at):
                continue
            record = grown(proposal, widest(live)) if live else closed(proposal, at)
            if record is not None:
                self._book.put(record)
                changed.append(record)
        return changed

    def _open(self, track: str, bursts: Sequence[Burst], at: datetime) -> list[Incident]:
        """Proposals for what is nobody's, the most surprising first."""
        changed: list[Incident] = []
        for burst in sorted(bursts, key=lambda b: (-b.z, b.key)):
            own = self._open_proposals(track, at)
            if burst.over or any(_is_of(burst, p) for p in own) or self._is_known(burst, at):
                continue
            record = opened(burst)
            if self._book.get(record.id) is None:
                self._book.put(record)
                changed.append(record)
        return changed

    def take_over(self, at: datetime) -> list[Incident | Decision]:
        """Proposals that became official incidents opened by ``at``, and officials that are one."""
        return [*self._twins.merges(), *self._taken_over(at)]

    def _taken_over(self, at: datetime) -> list[Incident]:
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
            official = [
                incident
                for incident in every
                if not incident.is_proposed and self._book.resolve(incident.id) == incident.id
            ]
            official.sort(key=lambda o: (o.opened_at, o.id))
            self._sorted = _Sorted(
                version=self._book.version,
                own=own,
                untaken=[proposal for proposal in own if proposal.official_id is None],
                official=official,
                opened_at=[incident.opened_at for incident in official],
            )
        return self._sorted

    def _open_proposals(self, track: str, at: datetime) -> list[Incident]:
        """The track's proposals that stand, the oldest first."""
        found = [
            proposal
            for proposal in self._split().own
            if _tracks_of(track) == proposal.tracks
            and is_open(proposal, at)
            and not self._settled_by(proposal, at)
        ]
        return sorted(found, key=lambda p: (p.started_at, p.id))

    def _settled_by(self, proposal: Incident, at: datetime) -> bool:
        """Whether a person had dismissed or merged it by then."""
        decision = self._book.decision(proposal.id)
        return decision is not None and decision.verb != "accept" and decision.at <= at

    def _is_known(self, burst: Burst, at: datetime) -> bool:
        onset, what = from_ms(burst.onset_ms), matters.of_burst(burst)
        for proposal in self._split().own:
            if _tracks_of(burst.track) != proposal.tracks:
                continue
            matter = matters.of_proposal(proposal)
            settled = self._book.decision(proposal.id)
            if settled is not None and self._settled_by(proposal, at):
                is_quiet = onset < shifted(settled.at, DISMISSED_FOR) and what.agrees(matter)
                # What had begun when a person looked at it was looked at as well.
                if is_quiet or matter.since <= onset <= settled.at:
                    return True
            elif what.is_one_with(matter) and ((end := ended_at(proposal)) is None or end >= onset):
                return True  # also one that was opened later: this minute is judged again
        record = opened(burst)
        return any(
            official.opened_at <= at
            and (is_open(official, at) or (ended_at(official) or at) >= onset)
            and self._is_about(official, record)
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
            if self._is_about(official, proposal) and not self._is_rather_of(official, proposal):
                return official
        return None

    def _is_rather_of(self, official: Incident, proposal: Incident) -> bool:
        """Whether it names what another proposal of that time names, and not what this one does."""
        return not self._shares(official, proposal) and any(
            other.tracks == proposal.tracks
            and is_open(other, official.opened_at)
            and self._shares(official, other)
            for other in self._split().own
        )

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
    """The proposal for a burst. Its id: the track and the minute of the first report."""
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
    if burst.witnesses < 2 * proposal.witnesses:
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


def merged(proposal: Incident, heir: Incident, at: datetime) -> Decision:
    """The word that a proposal is a part of an older one."""
    return Decision(
        id=f"{OURSELVES}-merge-{proposal.id}",
        subject=proposal.id,
        verb="merge",
        value=heir.id,
        by=OURSELVES,
        at=at,
    )


def widest(bursts: Sequence[Burst]) -> Burst:
    """The burst that tells most of the whole: the most witnesses, then the widest series."""
    return min(bursts, key=lambda b: (-b.witnesses, sum(map(bool, b.key)), b.key))


def _told(record: Incident, burst: Burst) -> Incident:
    """The record with what the burst's reports say by now; what they no longer say stays."""
    component, place = matters.most(burst, "component"), matters.region(burst)
    told = Update(
        id=f"witnesses:{burst.witnesses}",
        status="proposed",
        body=f"{burst.witnesses} witnesses",
        display_at=from_ms(burst.at_ms),
    )
    return record.model_copy(
        update={
            "title": matters.title(burst),
            "topic": matters.topic(burst) or record.topic,
            "witnesses": burst.witnesses,
            "components": (Component(name=component),) if component else record.components,
            "regions": (place,) if place else record.regions,
            "updates": (*record.updates, told),
        }
    )


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


def _is_of(burst: Burst, proposal: Incident) -> bool:
    return matters.of_burst(burst).is_one_with(matters.of_proposal(proposal))


def _are_one(held: Incident, proposal: Incident, live: Sequence[Burst]) -> bool:
    """Whether two proposals became one matter: of one topic, and in one place or everywhere."""
    one, other = matters.of_proposal(held), matters.of_proposal(proposal)
    if not one.topic or one.topic != other.topic:
        return False
    found = [matters.of_burst(burst) for burst in live]
    return one.agrees(other) or any(m.topic == one.topic and not m.region for m in found)


def _track(burst: Burst) -> str:
    return burst.track


def _by_track(burst: Burst) -> tuple[str, int, str]:
    return burst.track, burst.at_ms, "".join(burst.key)


def _tracks_of(track: str) -> tuple[str, ...]:
    return (track,) if track else ()


def _folded(names: Sequence[str]) -> frozenset[str]:
    return frozenset(spaced(name) for name in names)
