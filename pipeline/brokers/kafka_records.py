"""Records from Kafka's answers, unpacked straight into ours.

The library makes two objects of thirteen fields for each record and reads every length by a call;
that took longer than a step of the worker. Only the inner loop is ours: what was asked for,
checksums, compression, marks of transactions and positions stay the library's.
"""

from collections.abc import Iterator
from typing import Any

from kafka import errors as kafka_errors
from kafka.consumer.fetcher import Fetcher
from kafka.record.default_records import DefaultRecordBatch
from kafka.structs import TopicPartition

from pipeline.ports import Record


def unpack_quickly(consumer: Any) -> None:
    """Lets a KafkaConsumer of the library deliver ``Record``s of ours."""
    consumer._fetcher.PartitionRecords = Answer


class Answer(Fetcher.PartitionRecords):  # type: ignore[misc]  # the library has no types
    """One partition's part of an answer; the library takes from it what it is asked for."""

    def _unpack_records(
        self,
        tp: TopicPartition,
        records: Any,
        key_deserializer: Any,  # noqa: ARG002 - the library's signature; we have none
        value_deserializer: Any,  # noqa: ARG002
    ) -> Iterator[Record]:
        """Every record in turn; keeps account of how far it came, as the library does."""
        while (batch := records.next_batch()) is not None:
            if self.check_crcs and not batch.validate_crc():
                raise kafka_errors.CorruptRecordError(f"batch at {batch.base_offset}")
            if not isinstance(batch, DefaultRecordBatch):
                raise kafka_errors.UnsupportedVersionError("records of a Kafka before 0.11")
            self.leader_epoch = batch.leader_epoch
            if not batch.is_control_batch:
                for record in unpacked(batch, tp.topic, tp.partition):
                    self.records_read += 1
                    self.next_fetch_offset = record.offset + 1
                    yield record
            # Also where its last records were compacted away: it must not be asked for again.
            self.next_fetch_offset = batch.next_offset
            self.bytes_read += batch.size_in_bytes
        self.drain()


def unpacked(batch: Any, topic: str, partition: int) -> list[Record]:
    """The records of a batch. Foreign ones may have no key, or one that is no text."""
    batch._maybe_uncompress()
    data, at = bytes(batch._buffer), batch._pos
    base, first_ms = batch.base_offset, batch.first_timestamp
    taken_ms = batch.max_timestamp if batch.timestamp_type == batch.LOG_APPEND_TIME else None
    found = []
    try:
        for _ in range(batch.records_count):
            length, at = _varint(data, at)
            end = at + length
            behind, at = _varint(data, at + 1)  # a byte of attributes says nothing yet
            offset, at = _varint(data, at)
            length, at = _varint(data, at)
            key = "" if length < 0 else data[at : at + length].decode(errors="replace")
            at += max(length, 0)
            length, at = _varint(data, at)
            value = None if length < 0 else data[at : at + length]
            ms = first_ms + behind if taken_ms is None else taken_ms
            found.append(Record(topic, partition, base + offset, key, value, ms))
            if not at + length < end <= len(data):
                raise IndexError
            at = end  # past the headers, which we do not use
    except (IndexError, ValueError) as error:
        raise kafka_errors.CorruptRecordError(f"a record of the batch at {base}") from error
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at ``at``, written in zigzag and groups of seven bits; and where it ends."""
    byte = data[at]
    number, shift = byte & 0x7F, 7
    while byte > 0x7F:
        at += 1
        byte = data[at]
        number |= (byte & 0x7F) << shift
        shift += 7
        if shift > 70:
            raise ValueError
    return (number >> 1) ^ -(number & 1), at + 1
