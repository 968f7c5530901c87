"""Texts are kept no longer than their platforms let us: what is too old is erased."""

import logging
import threading
import time
from datetime import timedelta
from typing import Final

from collectors.kit.policy import retained
from pipeline.model import Removal
from pipeline.ports import Broker, Clock, Warehouse
from pipeline.topics import MENTIONS

log = logging.getLogger(__name__)

#: Terms speak of days: once an hour is often enough. While there is more, it goes on soon.
SECONDS: Final = 3_600.0
SOON: Final = 30.0
AT_ONCE: Final = 1_000


class Retention:
    """A role (see ``roles``): asks the warehouse what is too old and has it removed.

    The removals travel the road of all removals, so they reach topics and recordings, too; asked
    for twice they change nothing.
    """

    def __init__(
        self, broker: Broker, warehouse: Warehouse, clock: Clock, stop: threading.Event
    ) -> None:
        self._warehouse = warehouse
        self._producer = broker.producer()
        self._clock = clock
        self._stop = stop
        self._due = time.monotonic()

    def turn(self, timeout: float) -> int:
        """Waits up to ``timeout`` for its time; how many posts were given up. Raises TryLater."""
        left = max(0.0, self._due - time.monotonic())
        if self._stop.wait(min(left, timeout)) or left > timeout:
            return 0
        expired = self._expired()
        for number in expired:
            word = Removal(removal=number, kind="erased", at=self._clock.now(), scope="mention")
            self._producer.send(MENTIONS, word.key, word.to_json())
        if expired:
            self._producer.flush()
            log.info("%d posts are older than their platforms' terms let them grow", len(expired))
        self._due = time.monotonic() + (SOON if expired else SECONDS)
        return len(expired)

    def close(self) -> None:
        """Lets go of the topics."""
        self._producer.close()

    def _expired(self) -> list[str]:
        found: list[str] = []
        for platform, days in retained().items():
            before = self._clock.now() - timedelta(days=days)
            rows = self._warehouse.rows(
                "expired_posts", source=platform, before=before, limit=AT_ONCE
            )
            found += [str(row["id"]) for row in rows]
        return found
