"""What is known of a source: up to where it was read, what was missed, what it has cost."""

from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.model.base import Word
from pipeline.values import Instant, Name, Whole, name_fits


class Coverage(Word):
    """From when to when a source was read for a track (None: for all), or a gap with its cause."""

    source: Name
    track: Annotated[str, AfterValidator(name_fits)] | None = None
    from_at: Instant
    to_at: Instant
    is_gap: bool = False
    cause: str | None = None

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return f"{self.source}|{self.track or ''}"


class Spend(Word):
    """What reading a paid source has cost on one day (of UTC), as it was known at ``at``.

    ``cost`` is in the currency of the settings; reads that were paid in advance are counted.
    """

    source: Name
    day: Instant
    reads: Whole
    cost: float = Field(ge=0)
    at: Instant

    @property
    def key(self) -> str:
        """The record's key on every topic: the newest word on a day is the one that counts."""
        return f"{self.source}|{self.day:%Y-%m-%d}"


class Cursor(Word):
    """Up to where a source was read and acknowledged by the broker. Opaque but to its source."""

    source: Name
    cursor: str
    at: Instant

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return self.source
