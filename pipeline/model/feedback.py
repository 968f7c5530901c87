"""What we made of a mention: what it repeats, what it says, what it is about, and why."""

from typing import Literal

from pipeline.model.base import Word
from pipeline.model.mention import Mention
from pipeline.values import Name, Probability, Stamp

RepeatKind = Literal["original", "copy", "near", "repost", "echo"]
LinkState = Literal["linked", "suggested", "unlinked"]
LinkBy = Literal["auto", "late", "person"]
#: The heads of ``Feedback.labels``; the last three say what and where and carry evidence.
HEADS = ("intent", "topic", "severity", "sentiment", "informative", "noise", "language")
WHAT_AND_WHERE = ("component", "place", "version")
#: Severities of posts that are about something broken.
TROUBLED = frozenset({"harm", "blocked", "degraded"})


class Evidence(Word):
    """One reason for a link or a label, in words a responder reads, with its weight."""

    kind: str
    value: str
    weight: float = 0.0


class Repeat(Word):
    """How a mention stands to earlier ones. ``of`` is provisional: views name the group's head."""

    kind: RepeatKind = "original"
    of: str | None = None
    group: str


class Label(Word):
    """One head's answer: the best name, its probability, and whether it may be acted on."""

    name: str
    p: Probability
    sure: bool
    evidence: tuple[Evidence, ...] = ()


class Link(Word):
    """That a mention is about an incident. ``incident_version`` says which record was compared."""

    incident: Name
    p: Probability
    state: LinkState
    by: LinkBy = "auto"
    evidence: tuple[Evidence, ...] = ()
    incident_version: Stamp = 0


class Feedback(Word):
    """A mention with what we made of it."""

    mention: Mention
    repeat: Repeat
    labels: dict[str, Label]
    links: tuple[Link, ...] = ()
    model: str

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return self.mention.id

    def name(self, head: str) -> str | None:
        """The best name under ``head``, None where the head gave none."""
        label = self.labels.get(head)
        return None if label is None else label.name

    @property
    def is_report(self) -> bool:
        """Whether its author tells that something is broken: what counts as a witness's word."""
        return self.name("intent") == "report" and self._speaks_for_itself

    @property
    def is_weak_report(self) -> bool:
        """Whether its author asks if something is broken: a sign of trouble, and no witness."""
        return (
            self.name("intent") == "question"
            and self.name("severity") in TROUBLED
            and self._speaks_for_itself
        )

    @property
    def _speaks_for_itself(self) -> bool:
        return self.name("noise") != "yes" and self.repeat.kind in {"original", "near"}
