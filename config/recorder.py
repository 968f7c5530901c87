"""The role that keeps recordings: it reads the topics as they grow, outside any group.

So nobody waits for it, and when it is switched off nothing waits either. After a crash it begins
again where it was, by the broker's clock: a line may stand twice, which a replay does not mind.
"""

import logging
import time
from collections import Counter
from datetime import timedelta
from typing import Final

from config.recording import INCIDENTS, POSTS, Recording, line_of
from pipeline import topics
from pipeline.decoding import read_post
from pipeline.errors import SetAside, TryLater
from pipeline.model import Removal
from pipeline.ports import Broker, Clock, Reader, Record

log = logging.getLogger(__name__)

KIND_OF: Final = {
    topics.MENTIONS: POSTS,
    topics.DECISIONS: POSTS,
    topics.INCIDENTS: INCIDENTS,
}
BATCH: Final = 1_000
#: Erasing writes files anew, so it is done for many at once: so many seconds after the first.
ERASE_SECONDS: Final = 5.0
#: Partitions are read in turns and have clocks of their own: so long before it, it begins again.
MARGIN: Final = timedelta(minutes=1)
PRUNE_SECONDS: Final = 60.0


class Recorder:
    """A role (see ``roles``): what comes on the topics goes into the files; ``totals`` counts.

    What is no JSON is passed over (``unreadable``): worker and store make dead letters of it.
    ``since_start``: the topics are new, whatever the files say of an earlier recording.
    """

    def __init__(
        self, broker: Broker, recording: Recording, clock: Clock, *, since_start: bool = False
    ) -> None:
        self._broker = broker
        self._recording = recording
        self._clock = clock
        self._is_new = since_start
        self._reader: Reader | None = None
        self._erased: set[str] = set()
        self._erase_at: float | None = None
        self._prune_at = 0.0
        self._newest = 0  # ms since 1970
        self._told = 0
        self.totals: Counter[str] = Counter()

    def turn(self, timeout: float) -> int:
        """Records what has come; erases and tidies up when that is due. Raises TryLater, GiveUp."""
        if self._reader is None:
            since = None if self._is_new else self._recording.recorded_to
            self._is_new = False
            start = None if since is None else since - MARGIN
            self._reader = self._broker.reader(list(KIND_OF), start)
        try:
            records = self._reader.poll(BATCH, timeout)
            self._keep(records)
            self._tidy()
            self._tell(self._reader)
        except TryLater:
            self._leave()
            raise
        return len(records)

    def close(self) -> None:
        """Erases what is still to be erased, and lets go of the topics."""
        self._leave()
        try:
            self._erase()
        except TryLater as trouble:  # the topics still tell of it when the role runs again
            log.warning("recording: %s", trouble)

    def _leave(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _keep(self, records: list[Record]) -> None:
        """Writes a batch, and notes what is to be erased."""
        if not records:
            return
        lines: list[tuple[str, int, bytes]] = []
        for record in records:
            erased = _erased(record)
            if erased is not None:
                self._erased.add(erased)
            elif record.value is not None:
                self._take(record, record.value, lines)
        if self._erased and self._erase_at is None:
            self._erase_at = time.monotonic() + ERASE_SECONDS
        self._newest = max(self._newest, *(record.at for record in records))
        self._recording.append(lines, None)
        self.totals["lines"] += len(lines)

    def _take(self, record: Record, value: bytes, lines: list[tuple[str, int, bytes]]) -> None:
        """Adds a record as a line; one that cannot be read must not stop the others."""
        try:
            lines.append((KIND_OF[record.topic], record.at, line_of(value)))
        except SetAside as reason:
            self.totals["unreadable"] += 1
            where = (record.topic, record.partition, record.offset)
            log.warning("recording: passed over %s/%d/%d: %s", *where, reason)

    def _tell(self, reader: Reader) -> None:
        """Says up to when everything is recorded.

        Not while something waits to be erased, nor before all that stood on the topics was read: a
        crash has to find it there again.
        """
        if self._newest > self._told and not self._erased and reader.caught_up():
            self._recording.append((), self._newest)
            self._told = self._newest

    def _tidy(self) -> None:
        now = time.monotonic()
        if self._erase_at is not None and now >= self._erase_at:
            self._erase()
        if now >= self._prune_at:
            self._prune_at = now + PRUNE_SECONDS
            self.totals["files dropped"] += self._recording.prune(self._clock.now())

    def _erase(self) -> None:
        if not self._erased:
            return
        self.totals["lines erased"] += self._recording.erase(self._erased)
        self._erased, self._erase_at = set(), None


def _erased(record: Record) -> str | None:
    """What a record asks to be erased; None for all others, those that only hide among them."""
    if record.topic != topics.MENTIONS:
        return None
    if record.value is None:
        return record.key
    try:
        word = read_post(record.value)
    except SetAside:
        return None
    return word.removal if isinstance(word, Removal) and word.kind == "erased" else None
