"""Recorded incidents: files of JSON lines, a record or a whole incident each, in their own time.

A line with ``at`` is a record that holds from there on. A line without it tells a whole incident
and is unfolded into the states that its own history and updates tell, so that nobody learns the
end at the beginning.
"""

from datetime import datetime, timedelta

from collectors.kit.jsonlines import Line
from collectors.kit.playback import Played
from collectors.kit.times import from_us, moved, to_us
from pipeline.decoding import check, load
from pipeline.errors import SetAside
from pipeline.model import Incident
from pipeline.values import to_ms


class RecordedIncidents(Played):
    """A source of incidents that plays files in the order of ``at``; ``-`` is standard input.

    ``speed``, ``begin`` and ``shift`` as for recorded posts. Raises Misuse for a file that is
    missing or broken.
    """

    def _moments(self, data: bytes) -> list[int]:
        incident, is_record = self._read(data)
        if is_record:
            return [to_us(incident.at)]
        return [to_us(moment) for moment in changes(incident)]

    def _word(self, line: Line) -> Incident:
        incident, is_record = self._read(line.data)
        if is_record or line.moment is None:
            return incident
        return state_at(incident, from_us(line.moment))

    def _read(self, data: bytes) -> tuple[Incident, bool]:
        """The incident in a line, shifted, and whether the line is a record of its own."""
        value = load(data)
        incident = check(Incident, value)
        if self._shift:
            incident = _shifted(incident, self._shift)
        return incident, value.get("at") is not None


def changes(incident: Incident) -> list[datetime]:
    """When anything became known about an incident, oldest first; never empty."""
    moments = {step.at for step in incident.history}
    moments |= {update.display_at for update in incident.updates}
    if incident.resolved_at is not None:
        moments.add(incident.resolved_at)
    return sorted(at for at in moments if at >= incident.opened_at) or [incident.at]


def state_at(incident: Incident, moment: datetime) -> Incident:
    """The incident as a record of what was known at ``moment``, one of its ``changes``."""
    known = incident.at_time(moment)
    if known is None:
        raise SetAside("an incident without a history has no states")
    return known.model_copy(update={"at": moment, "version": to_ms(moment)})


def _shifted(incident: Incident, shift: timedelta) -> Incident:
    at = moved(incident.at, shift)
    # A version that was not given follows from the time.
    version = to_ms(at) if incident.version == to_ms(incident.at) else incident.version
    update = {
        "at": at,
        "version": version,
        "started_at": moved(incident.started_at, shift),
        "resolved_at": incident.resolved_at and moved(incident.resolved_at, shift),
        "history": tuple(
            step.model_copy(update={"at": moved(step.at, shift)}) for step in incident.history
        ),
        "updates": tuple(
            said.model_copy(update={"display_at": moved(said.display_at, shift)})
            for said in incident.updates
        ),
    }
    return incident.model_copy(update=update)
