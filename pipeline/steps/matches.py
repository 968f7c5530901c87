"""Matches: pairs of a mention and an incident that are likely enough to be linked."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipeline.model import Label, Link, LinkState, Mention
from pipeline.steps.candidates import Entry
from pipeline.steps.reasons import Pair, reasons


class Match(NamedTuple):
    """A mention and an incident that are likely enough to be linked.

    The link itself is made only when asked for: its reasons cost more than the score.
    """

    entry: Entry
    p: float
    odds: float  # log-odds against none, before its rivals
    state: LinkState
    mention: Mention
    at: int  # the mention's event_at in ms
    text: str  # canonical
    kinds: int  # of event that the mention names
    labels: Mapping[str, Label]
    parts: list[float]  # the log-odds that each of KINDS of reasons adds
    rival: Entry | None  # the likeliest other incident
    known: int  # how much was known when it was made

    def link(self) -> Link:
        """The link with its reasons."""
        pair = Pair(
            self.mention, self.at, self.text, self.kinds, self.labels, self.entry, self.rival
        )
        # All of it was made here; checking it again would cost as much as the reasons.
        return Link.unchecked(
            {
                "incident": self.entry.incident.id,
                "p": self.p,
                "state": self.state,
                "by": "late" if self.at < self.entry.opened_ms else "auto",
                "evidence": reasons(pair, self.parts),
                "incident_version": self.known,
            },
            _FIELDS,
        )


_FIELDS: Final = set(Link.model_fields)
