"""Sending to Kafka: bounded in flight, every acknowledgement looked at."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kafka import errors as kafka_errors

from pipeline.brokers.kafka_link import KafkaLink
from pipeline.brokers.kafka_settings import MAX_RECORD_BYTES
from pipeline.errors import GiveUp, GroundswellError, SetAside


class Flying(NamedTuple):
    """A record that was sent and is not known to be safe."""

    future: Any
    topic: str
    size: int


class KafkaProducer:
    """Port ``Producer``. After TryLater it goes on with a new connection and a new producer id.

    The library takes records without end while the brokers are away; here at most ``in_flight``
    records (and bytes) wait for their acknowledgement. Whatever fails, all that is in flight is
    given up together, for the caller sends all of it again: a late acknowledgement of an old
    version after a newer one, or after a tombstone, cannot happen.
    """

    def __init__(self, link: KafkaLink, must_exist: Callable[[Sequence[str]], None]) -> None:
        self._link = link
        self._must_exist = must_exist
        self._client: Any = None
        self.closed = False
        self._flying: deque[Flying] = deque()
        self._bytes = 0

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        """Hands one record over; waits while too much is in flight."""
        name = key.encode(errors="replace")
        size = len(name) + len(value or b"")
        if size > MAX_RECORD_BYTES:
            raise SetAside(f"a record of {size:,} bytes is above the {MAX_RECORD_BYTES:,} allowed")
        self._must_exist([topic])
        self._make_room(size)
        try:
            if self._client is None:
                self._client = self._link.producer()
            future = self._client.send(topic, key=name, value=value)
        except (kafka_errors.KafkaError, OSError) as error:
            raise self._given_up(error, topic) from error
        self._flying.append(Flying(future, topic, size))
        self._bytes += size

    def flush(self) -> None:
        """Waits for every acknowledgement, as long as they keep coming."""
        if not self._flying:
            return
        try:
            # Sends what lingers; waits this long for each batch. It does not raise for a record
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
        self._flying.clear()
        self._bytes = 0
        client, self._client = self._client, None
        if client is not None:
            self._link.bury(lambda: _end(client))

    def _make_room(self, size: int) -> None:
        """Waits until ``size`` more bytes may fly. Raises TryLater when nothing moves."""
        known = self._link.settings
        while self._flying and (
            len(self._flying) >= known.in_flight or self._bytes + size > known.in_flight_bytes
        ):
            self._settle_oldest()

    def _settle_oldest(self) -> None:
        """Waits for the oldest record's acknowledgement and looks at it."""
        oldest = self._flying[0]
        try:
            oldest.future.get(timeout=self._link.settings.patience)
        except (kafka_errors.KafkaError, OSError) as error:
            raise self._given_up(error, oldest.topic) from error
        self._flying.popleft()
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
