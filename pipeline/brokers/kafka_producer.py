"""Sending to Kafka: bounded in flight, every acknowledgement looked at."""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any

from kafka import errors as kafka_errors

from pipeline.brokers.kafka_batches import Flying, Unpacked, hand_over
from pipeline.brokers.kafka_link import KafkaLink
from pipeline.brokers.kafka_settings import MAX_RECORD_BYTES
from pipeline.errors import GiveUp, GroundswellError, SetAside

#: Records, or their bytes, that are handed to the library together.
PACK_RECORDS = 500
PACK_BYTES = 1024 * 1024


class KafkaProducer:
    """Port ``Producer``. After TryLater it goes on with a new connection and a new producer id.

    Records are packed some hundred at a time, at the latest by ``flush``. The library takes them
    without end while the brokers are away; here at most ``in_flight`` records (and bytes) wait to
    be packed or acknowledged. Whatever fails, all that is in flight is given up together, for the
    caller sends all of it again: a late acknowledgement of an old version after a newer one, or
    after a tombstone, cannot happen.
    """

    def __init__(self, link: KafkaLink, must_exist: Callable[[Sequence[str]], None]) -> None:
        self._link = link
        self._must_exist = must_exist
        self._client: Any = None
        self.closed = False
        self._waiting: list[tuple[str, bytes, bytes | None]] = []  # to be packed
        self._waiting_bytes = 0
        self._flying: deque[Flying] = deque()
        self._records = 0  # waiting or flying
        self._bytes = 0

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        """Takes one record; waits while too much is in flight."""
        name = key.encode(errors="replace")
        size = len(name) + len(value or b"")
        if size > MAX_RECORD_BYTES:
            raise SetAside(f"a record of {size:,} bytes is above the {MAX_RECORD_BYTES:,} allowed")
        self._must_exist([topic])
        self._make_room(size)
        self._waiting.append((topic, name, value))
        self._waiting_bytes += size
        self._records += 1
        self._bytes += size
        if len(self._waiting) >= PACK_RECORDS or self._waiting_bytes >= PACK_BYTES:
            self._hand_over()

    def flush(self) -> None:
        """Waits for every acknowledgement, as long as they keep coming."""
        self._hand_over()
        if not self._flying:
            return
        try:
            # Sends what lingers; waits this long for each batch. It does not raise for a batch
            # that failed: that is looked at below.
            self._client.flush(timeout=self._link.settings.patience)
        except (kafka_errors.KafkaError, OSError) as error:
            raise self._given_up(error, self._flying[0].topic) from error
        while self._flying:
            self._settle_oldest()

    def close(self) -> None:
        """Gives up what is not flushed."""
        self.closed = True
        self._give_up()

    def _give_up(self) -> None:
        self._waiting.clear()
        self._flying.clear()
        self._waiting_bytes = self._records = self._bytes = 0
        client, self._client = self._client, None
        if client is not None:
            self._link.bury(lambda: _end(client))

    def _hand_over(self) -> None:
        """Packs what waits and lets it fly."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        by_topic: defaultdict[str, list[Unpacked]] = defaultdict(list)
        for topic, key, value in waiting:
            by_topic[topic].append((key, value))
        for topic, records in by_topic.items():
            try:
                if self._client is None:
                    self._client = self._link.producer()
                self._flying += hand_over(self._client, topic, records)
            except (kafka_errors.KafkaError, OSError) as error:
                raise self._given_up(error, topic) from error

    def _make_room(self, size: int) -> None:
        """Waits until ``size`` more bytes may fly. Raises TryLater when nothing moves."""
        known = self._link.settings
        while self._records and (
            self._records >= known.in_flight or self._bytes + size > known.in_flight_bytes
        ):
            if self._flying:
                self._settle_oldest()
            else:
                self._hand_over()

    def _settle_oldest(self) -> None:
        """Waits for the oldest batch's acknowledgement and looks at it."""
        oldest = self._flying[0]
        try:
            oldest.wait(self._link.settings.patience)
        except (kafka_errors.KafkaError, OSError) as error:
            raise self._given_up(error, oldest.topic) from error
        self._flying.popleft()
        self._records -= oldest.records
        self._bytes -= oldest.size

    def _given_up(self, error: Exception, topic: str) -> GroundswellError:
        """Drops all that is in flight; what to raise for it."""
        self._give_up()
        if isinstance(error, TOO_LARGE):
            return GiveUp(
                f"Kafka takes no records of this size on topic {topic}: its max.message.bytes"
                f" must be at least {MAX_RECORD_BYTES:,}"
            )
        return self._link.meaning(error, f"send to topic {topic}")


TOO_LARGE = (kafka_errors.MessageSizeTooLargeError, kafka_errors.RecordListTooLargeError)


def _end(client: Any) -> None:
    """Ends a producer of the library without sending what it still holds.

    Its own ``close`` would first wait for that to be delivered.
    """
    client._sender.force_close()
    client._sender.join()
    client.close(timeout=0)
