"""Record batches for Kafka: packed here, sent by kafka-python.

The library's own ``send`` costs more than a step of the worker: a future with two callbacks and
half a dozen locks for each record, a hash and every length written byte by byte. Here some hundred
records are hashed together, packed by partition and handed to the library's accumulator as whole
batches with one future each. Sequence numbers, compression, retries, acknowledgements and the
order within a partition stay the library's. All that is used of it without being public stands in
``hand_over``; it is why the library is held below its next minor version.
"""

import struct
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from kafka import errors as kafka_errors
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.structs import TopicPartition
from numpy.typing import NDArray

#: Kafka's record format since 0.11.
MAGIC = 2
#: Bytes of records in a batch before compression; a longer record stands alone.
BATCH_BYTES = 262_144
# MurmurHash2 as Kafka's own clients use it: the same key comes to the same partition everywhere.
_SEED, _MIX = np.uint32(0x9747B28C), np.uint32(0x5BD1E995)

Unpacked = tuple[bytes, bytes | None]  # key and value


class Flying(NamedTuple):
    """A batch that was sent and is not known to be safe."""

    future: Any
    topic: str
    records: int
    size: int  # keys and values, in bytes

    def wait(self, seconds: float) -> None:
        """Returns when it is safe. Raises what the broker answered, or KafkaTimeoutError."""
        if not self.future.wait(seconds):
            raise kafka_errors.KafkaTimeoutError
        _, _, problem_of = self.future.value
        if problem_of is not None:
            raise problem_of(0)


def hand_over(client: Any, topic: str, records: Sequence[Unpacked]) -> list[Flying]:
    """Gives records to a producer of the library, which sends them soon; in order by partition.

    Raises the library's errors when it does not know the topic's partitions.
    """
    partitions = sorted(client.partitions_for(topic))
    accumulator = client._accumulator
    # A batch that is too large for its topic is told, not cut: its parts would have other futures.
    client._sender._can_split = _never
    now_ms = int(time.time() * 1_000)
    flying = []
    for number, packed in _packed(records, partition_numbers(records, len(partitions))):
        place = TopicPartition(topic, partitions[number])
        built = _built(packed, accumulator.config["compression_attrs"], now_ms)
        batch = ProducerBatch(place, built)
        with accumulator._tp_lock(place):
            accumulator._batches[place].append(batch)
            accumulator._incomplete.add(batch)
        flying.append(Flying(batch.produce_future, topic, packed.records, packed.size))
    client._sender.wakeup()
    return flying


def _never(batch: Any, error: Any) -> bool:  # noqa: ARG001
    return False


class Packed(NamedTuple):
    """Records of one batch as they stand in it."""

    data: bytes
    records: int
    size: int


def _built(packed: Packed, compression: int, now_ms: int) -> MemoryRecordsBuilder:
    """The library's builder as if the records had been appended to it one by one."""
    built = MemoryRecordsBuilder(MAGIC, compression, BATCH_BYTES)
    inner = built._builder
    inner._buffer += packed.data
    inner._first_timestamp = inner._max_timestamp = now_ms
    inner._num_records = built._next_offset = packed.records
    inner._last_offset = packed.records - 1
    return built


def _packed(records: Sequence[Unpacked], partitions: Sequence[int]) -> Iterator[tuple[int, Packed]]:
    """By partition, in the order of the records, cut where a batch would be too large."""
    by_partition: defaultdict[int, list[Unpacked]] = defaultdict(list)
    for record, partition in zip(records, partitions, strict=True):
        by_partition[partition].append(record)
    for partition, own in by_partition.items():
        yield from ((partition, packed) for packed in pack(own))


def pack(records: Sequence[Unpacked]) -> Iterator[Packed]:
    """Records of one partition in Kafka's format, all of one time, as few batches as will do."""
    parts: list[bytes] = []
    count = size = room = 0
    for key, value in records:
        told = len(value or b"")
        if count and size + len(key) + told + room > BATCH_BYTES:
            yield Packed(b"".join(parts), count, size)
            parts, count, size, room = [], 0, 0, 0
        # Attributes and the difference in time are 0; behind the value stand no headers.
        head = b"\0\0" + _varint(count) + _varint(len(key))
        body = _varint(-1) if value is None else _varint(told)
        length = _varint(len(head) + len(key) + len(body) + told + 1)
        parts += (length, head, key, body, value or b"", b"\0")
        room += len(length) + len(head) + len(body) + 1
        size += len(key) + told
        count += 1
    if parts:
        yield Packed(b"".join(parts), count, size)


@lru_cache(maxsize=65_536)
def _varint(number: int) -> bytes:
    """A whole number in zigzag and groups of seven bits, the lowest first."""
    left = number << 1 if number >= 0 else (-number << 1) - 1
    written = bytearray()
    while left > 0x7F:
        written.append(0x80 | left & 0x7F)
        left >>= 7
    written.append(left)
    return bytes(written)


def partition_numbers(records: Sequence[Unpacked], count: int) -> list[int]:
    """Which of ``count`` partitions each record's key belongs to, by Kafka's own rule."""
    hashes = murmur2([key for key, _ in records]) & np.uint32(0x7FFF_FFFF)
    found: list[int] = (hashes % np.uint32(count)).tolist()
    return found


def murmur2(keys: Sequence[bytes]) -> NDArray[np.uint32]:
    """MurmurHash2 of every key."""
    lengths = np.fromiter(map(len, keys), np.uint32, len(keys))
    whole = lengths // 4
    width = int(whole.max(initial=0)) + 1  # with room for the last bytes, filled up with zeros
    padded = b"".join(struct.pack(f"{4 * width}s", key) for key in keys)
    words = np.frombuffer(padded, "<u4").reshape(len(keys), width)
    found = lengths ^ _SEED
    for number in range(width - 1):
        word = words[:, number] * _MIX
        word ^= word >> np.uint32(24)
        found = np.where(whole > number, found * _MIX ^ word * _MIX, found)
    last = words[np.arange(len(keys)), whole]
    found = np.where(lengths % 4 > 0, (found ^ last) * _MIX, found)
    found ^= found >> np.uint32(13)
    found *= _MIX
    found ^= found >> np.uint32(15)
    return found
