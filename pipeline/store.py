"""The store: what the topics carry, into the warehouse."""

import logging
import time
from collections import Counter
from collections.abc import Sequence

from pipeline import deadletters, topics
from pipeline.decoding import check, load, read
from pipeline.errors import SetAside, TryLater
from pipeline.model import (
    Campaign,
    Coverage,
    Decision,
    Feedback,
    Incident,
    LateLink,
    Removal,
    Spend,
    Word,
)
from pipeline.ports import Broker, Clock, Record, Rows, Warehouse
from pipeline.tally import Tally

log = logging.getLogger(__name__)

STAGE = "store"
#: So long a roll-up of the counts waits for the next: what came since is counted by who asks.
ROLL_UP_SECONDS = 20.0
#: And so many times as long as the last one took, so that it is a small part of the work.
ROLL_UP_SHARE = 10
KIND_OF: dict[str, type[Word]] = {
    topics.LINKS: LateLink,
    topics.CAMPAIGNS: Campaign,
    topics.INCIDENTS: Incident,
    topics.DECISIONS: Decision,
    topics.COVERAGE: Coverage,
    topics.SPEND: Spend,
}


class Store:
    """Polls the topics of results, writes each batch in one transaction, then commits.

    A role (see ``roles``). A batch that is written again after a crash changes nothing: that is
    the warehouse's contract. Mentions whose text was erased get tombstones on ``mentions``,
    ``feedback`` and ``campaigns``, and on ``links``, whose reasons quote it, before the commit;
    dead letters that hold data of what was to be erased go, too.
    ``totals`` counts records by kind, and dead ones. Every ``roll_up_seconds`` (None: never) it has
    the warehouse count anew what changed, which nobody's answer depends on.
    """

    def __init__(
        self,
        broker: Broker,
        warehouse: Warehouse,
        clock: Clock,
        *,
        batch: int = 2_000,
        roll_up_seconds: float | None = ROLL_UP_SECONDS,
    ) -> None:
        self._broker = broker
        self._warehouse = warehouse
        self._clock = clock
        self._batch = batch
        self._roll_up_seconds = roll_up_seconds
        self._roll_up_at = time.monotonic() + (roll_up_seconds or 0.0)
        self._consumer = broker.consumer("store", [topics.FEEDBACK, *KIND_OF])
        self._producer = broker.producer()
        self.totals: Counter[str] = Counter()
        self._dead_letters = deadletters.Shelf(broker)
        self._tally = Tally(log, "store")

    def turn(self, timeout: float) -> int:
        """One batch from poll to commit; the number of records polled."""
        try:
            records = self._consumer.poll(self._batch, timeout)
            if records:
                self._handle(records)
            self._roll_up()
        except TryLater:
            self._consumer.rewind()
            self._producer.close()
            self._producer = self._broker.producer()
            raise
        return len(records)

    def _roll_up(self) -> None:
        """Rolls the counts up when it is time: what is late then is only slower to be counted."""
        if self._roll_up_seconds is None or time.monotonic() < self._roll_up_at:
            return
        began = time.monotonic()
        self._warehouse.roll_up(self._clock.now())
        ended = time.monotonic()
        self._roll_up_at = ended + max(self._roll_up_seconds, ROLL_UP_SHARE * (ended - began))

    def close(self) -> None:
        """Leaves without a commit; the warehouse stays open."""
        self._tally.tell()
        self._dead_letters.close()
        self._producer.close()
        self._consumer.close()

    def _handle(self, records: Sequence[Record]) -> None:
        began = time.perf_counter()
        words: list[Word] = []
        counts: Counter[str] = Counter()
        for record in records:
            if record.value is None:
                continue
            try:
                word = _word(record.topic, record.value)
            except SetAside as reason:
                self._set_aside(record, reason)
                counts["dead"] += 1
            else:
                words.append(word)
                counts[type(word).__name__] += 1
        self._write(words)
        self._consumer.commit()
        self.totals += counts
        self._tally.add(dict(sorted(counts.items())), began)

    def _write(self, words: Sequence[Word]) -> None:
        """Writes the rows, then sends dead letters and tombstones off."""
        if words:
            erased = self._warehouse.write(rows_of(words), at=self._clock.now())
            if erased:
                self._bury(erased)
            if asked := {w.removal for w in words if isinstance(w, Removal) and w.kind == "erased"}:
                for key in self._dead_letters.about({*asked, *erased}):
                    self._producer.send(topics.DEADLETTER, key, None)
        self._producer.flush()

    def _bury(self, erased: Sequence[str]) -> None:
        """Sends tombstones for all that the topics may hold of these mentions."""
        for mention in erased:
            for topic in (topics.MENTIONS, topics.FEEDBACK, topics.CAMPAIGNS):
                self._producer.send(topic, mention, None)
        # Only after the write: a link that comes later has its mention told as erased once more.
        for row in self._warehouse.rows("links_of", ids=list(erased)):
            key = LateLink.key_of(row["mention_id"], row["incident_id"])
            self._producer.send(topics.LINKS, key, None)

    def _set_aside(self, record: Record, reason: SetAside) -> None:
        dead = deadletters.of_record(STAGE, str(reason), record, self._clock.now())
        self._producer.send(topics.DEADLETTER, dead.key, dead.to_json())


def rows_of(words: Sequence[Word]) -> Rows:
    """The words of a batch, sorted by kind, each kind in the batch's order."""
    return Rows(
        feedback=[word for word in words if isinstance(word, Feedback)],
        links=[word for word in words if isinstance(word, LateLink)],
        campaigns=[word for word in words if isinstance(word, Campaign)],
        incidents=[word for word in words if isinstance(word, Incident)],
        decisions=[word for word in words if isinstance(word, Decision)],
        removals=[word for word in words if isinstance(word, Removal)],
        coverage=[word for word in words if isinstance(word, Coverage)],
        spend=[word for word in words if isinstance(word, Spend)],
    )


def _word(topic: str, value: bytes) -> Word:
    """The word in a record. Raises SetAside when it is not what the topic carries."""
    if topic != topics.FEEDBACK:
        return read(KIND_OF[topic], value)
    try:
        return read(Feedback, value)
    except SetAside:
        # Removals travel the same road, under the key of what they remove.
        other = load(value)
        if isinstance(other, dict) and "removal" in other:
            return check(Removal, other)
        raise
