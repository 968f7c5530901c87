"""Refused credentials: asking again does not mend them, and may get the account locked."""

from pipeline.errors import GiveUp, TryLater

#: Platforms refuse by mistake now and then; three in a row are meant.
REFUSALS = 3
#: Seconds between refusals, and between tries where there is no credential to mend.
PAUSE = 60.0
REFUSED = frozenset({401, 403})


class Breaker:
    """Counts refusals in a row.

    ``setting`` is what a person has to mend, as it stands in the settings; None for a source
    without credentials, which is never given up: its platform has shut us out for a while.
    """

    def __init__(self, source: str, setting: str | None = None) -> None:
        self._source = source
        self._setting = setting
        self._refusals = 0

    def accepted(self) -> None:
        """The platform let us in."""
        self._refusals = 0

    def refused(self, host: str, status: int) -> TryLater | GiveUp:
        """The error to raise for an answer of 401 or 403."""
        told = f"{self._source}: {host} refuses us ({status})"
        if self._setting is None:
            return TryLater(told, PAUSE)
        self._refusals += 1
        if self._refusals < REFUSALS:
            return TryLater(f"{told}; is `{self._setting}` still valid?", PAUSE)
        return GiveUp(f"{told} {self._refusals} times in a row: mend `{self._setting}`")
