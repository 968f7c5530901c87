"""What a running process answers about itself; loads what that takes with the first question."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.errors import TryLater

if TYPE_CHECKING:
    from config.operating.meters import Meters
    from config.operating.report import Sight


class Here:
    """The port ``web.operations.Operations`` for this process.

    ``is_complete`` tells whether all parts are made, ``sight`` what a report is made of.
    """

    def __init__(
        self,
        meters: "Meters",
        is_complete: Callable[[], bool],
        sight: "Callable[[], Sight] | None" = None,
    ) -> None:
        self._meters = meters
        self._is_complete = is_complete
        self._sight = sight

    def metrics(self) -> tuple[bytes, str]:
        """The metrics in Prometheus's text form."""
        from config.operating.exposition import Exposition

        return Exposition(self._meters).text()

    def live(self) -> tuple[bool, dict[str, Any]]:
        """Whether every role turns."""
        from config.operating.health import live

        return live(self._meters)

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether everything needed answers."""
        from config.operating.health import ready

        return ready(self._meters, self._is_complete())

    def report(self) -> dict[str, Any]:
        """What ``groundswell status`` shows. Raises TryLater while starting."""
        from config.operating.report import report

        if self._sight is None or not self._is_complete():
            raise TryLater("still starting: try again in a few seconds")
        return report(self._sight())
