"""What people settle, and what is learned of it."""

from datetime import datetime
from typing import Literal, Self

from pydantic import model_validator

from pipeline.model.base import Word
from pipeline.model.feedback import HEADS, WHAT_AND_WHERE
from pipeline.values import Instant, Name, Summand

Verb = Literal["relabel", "link", "unlink", "accept", "dismiss", "merge"]


class Decision(Word):
    """What a person settled. ``id`` is made by the client, so that sending it twice is harmless.

    ``subject`` is a mention's id (relabel: value ``HEAD=NAME``; link, unlink: value an incident's
    id), a proposal's id (accept, dismiss), or any incident's (merge: value the incident of which
    it is part; accept takes that back).
    """

    id: Name
    subject: Name
    verb: Verb
    value: str = ""
    by: str
    at: Instant

    @model_validator(mode="after")
    def _has_value(self) -> Self:
        if self.verb == "relabel":
            head, _, name = self.value.partition("=")
            if head not in (*HEADS, *WHAT_AND_WHERE) or not name:
                heads = ", ".join((*HEADS, *WHAT_AND_WHERE))
                raise ValueError(f"relabel wants HEAD=NAME with HEAD one of {heads}")
        elif self.verb in {"link", "unlink", "merge"} and not self.value:
            raise ValueError(f"{self.verb} wants an incident's id as value")
        return self

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return self.subject

    @property
    def event_at(self) -> datetime:
        """When it takes its place among mentions in a replay."""
        return self.at


class Profile(Word):
    """What people taught about an incident by linking and unlinking: hashed weights, no text.

    ``columns`` rise (see ``steps.stems``); ``version`` grows with every lesson.
    """

    incident: Name
    version: Summand = 0
    columns: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _is_even(self) -> Self:
        if len(self.columns) != len(self.weights):
            raise ValueError("wants as many weights as columns")
        return self

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return self.incident
