"""Texts are kept no longer than their platforms and the settings let us: what is older is erased.

How many days a post is kept: of what ``[retention]`` says of its source and of its kind the
shorter, where it says neither ``days``, and never longer than the platform's terms
(``policies.toml``). What stands there without words (labels, counts, receipts, the ledger of
erasures) is kept for good.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from collectors.kit.policy import policy
from config.settings import RetentionSettings
from pipeline import deadletters
from pipeline.model import Kind, Removal
from pipeline.ports import Broker, Clock, Receipt, Rows, Warehouse
from pipeline.topics import DEAD_LETTER_DAYS, MENTIONS

log = logging.getLogger(__name__)

#: Terms speak of days: once an hour is often enough. While there is more, it goes on soon.
SECONDS: Final = 3_600.0
SOON: Final = 30.0
AT_ONCE: Final = 1_000
#: Who asked for it and why, on the receipts.
BY: Final = "groundswell"
REASON: Final = "retention"
_PLACES: Final = ("warehouse", "topics and recordings, as the removals travel them")


def days(told: RetentionSettings, source: str, kind: Kind) -> int | None:
    """How many days the words of such a post are kept; None for as long as one likes."""
    own = [n for n in (told.source.get(source), told.kind.get(kind)) if n is not None]
    asked = min(own) if own else told.days
    limits = [n for n in (asked, policy(source).retain_days) if n is not None]
    return min(limits, default=None)


class Retention:
    """A role (see ``roles``): asks the warehouse what is too old and has it erased.

    The removals travel the road of all removals, so they reach topics and recordings, too; asked
    for twice they change nothing. Each time leaves a receipt. ``also`` is what else is done then.
    """

    def __init__(
        self,
        broker: Broker,
        warehouse: Warehouse,
        clock: Clock,
        stop: threading.Event,
        told: RetentionSettings,
        also: Callable[[], object] = lambda: None,
    ) -> None:
        self._broker = broker
        self._warehouse = warehouse
        self._producer = broker.producer()
        self._clock = clock
        self._stop = stop
        self._told = told
        self._also = also
        self._due = time.monotonic()

    def turn(self, timeout: float) -> int:
        """Waits up to ``timeout`` for its time; how many posts were given up. Raises TryLater."""
        left = max(0.0, self._due - time.monotonic())
        if self._stop.wait(min(left, timeout)) or left > timeout:
            return 0
        expired = self._expired()
        if expired:
            self._erase(expired)
            log.info("%d posts are older than terms and settings let them grow", len(expired))
        if self._told.dead_letter_days < DEAD_LETTER_DAYS:
            before = self._clock.now() - timedelta(days=self._told.dead_letter_days)
            deadletters.expire(self._broker, before)
        self._also()
        self._due = time.monotonic() + (SOON if expired else SECONDS)
        return len(expired)

    def close(self) -> None:
        """Lets go of the topics."""
        self._producer.close()

    def _expired(self) -> list[str]:
        found: list[str] = []
        for held in self._warehouse.rows("held_kinds"):
            kept = days(self._told, held["source"], held["kind"])
            if kept is not None:
                before = self._clock.now() - timedelta(days=kept)
                rows = self._warehouse.rows("expired_posts", **held, before=before, limit=AT_ONCE)
                found += [str(row["id"]) for row in rows]
        return found

    def _erase(self, expired: list[str]) -> None:
        """The topics first: what was erased in the warehouse is asked for no more."""
        now = self._clock.now()
        words = [
            Removal(removal=n, kind="erased", at=now, scope="mention", by=BY, reason=REASON)
            for n in expired
        ]
        for word in words:
            self._producer.send(MENTIONS, word.key, word.to_json())
        self._producer.flush()
        receipt = Receipt(
            id=str(uuid.uuid4()),
            asked_at=now,
            done_at=now,
            by=BY,
            reason=REASON,
            requests=len(words),
            mentions=len(words),
            places=_PLACES,
        )
        self._warehouse.write(Rows(removals=words, receipts=[receipt]), now)
