"""What could not be read."""

from pipeline.model.base import Word
from pipeline.values import Instant


class DeadLetter(Word):
    """A record that could not be read, with its bytes (base64), the stage and the reason."""

    stage: str
    reason: str
    topic: str
    origin: str
    data: str
    at: Instant

    @property
    def key(self) -> str:
        """Where it came from, so that the same bad record is one dead letter."""
        return f"{self.stage}|{self.origin}"
