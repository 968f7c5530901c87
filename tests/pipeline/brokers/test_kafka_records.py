"""What we unpack from Kafka is what the library would have unpacked."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import errors as kafka_errors
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from pipeline.brokers.kafka_records import unpacked
from pipeline.ports import Record

Told = tuple[bytes | None, bytes | None, int, list[tuple[str, bytes | None]]]

HEADERS = st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9)), max_size=3)
RECORDS = st.lists(
    st.tuples(
        st.none() | st.binary(max_size=150),
        st.none() | st.binary(max_size=400),
        st.integers(0, 2**41),
        HEADERS,
    ),
    min_size=1,
    max_size=70,
)


def packed(records: Sequence[Told], compression: int = 0) -> bytearray:
    """A batch as the library packs it."""
    builder = DefaultRecordBatchBuilder(2, compression, False, -1, -1, -1, 1 << 24)
    for number, (key, value, at, headers) in enumerate(records):
        builder.append(number * 3, at, key, value, headers)  # as if others were compacted away
    built: bytearray = builder.build()
    return built


def by_library(data: bytearray) -> list[Record]:
    """The same records, the long way."""
    return [
        Record(
            "t",
            4,
            each.offset,
            "" if each.key is None else each.key.decode(errors="replace"),
            each.value,
            each.timestamp,
        )
        for each in DefaultRecordBatch(data)
    ]


@given(RECORDS, st.sampled_from([0, 1, 3]))
def test_records_are_unpacked_as_the_library_does(
    records: Sequence[Told], compression: int
) -> None:
    """Any keys, values, times, headers and gaps; plain, with gzip or with lz4."""
    data = packed(records, compression)
    assert unpacked(DefaultRecordBatch(data), "t", 4) == by_library(data)


def test_the_brokers_time_counts_where_it_sets_one() -> None:
    """A topic of ours has the time of the broker, which is the batch's and not the record's."""
    data = packed([(b"a", b"1", 1_000, []), (b"b", b"2", 2_000, [])])
    attributes = DefaultRecordBatch.ATTRIBUTES_OFFSET
    data[attributes + 1] |= DefaultRecordBatch.TIMESTAMP_TYPE_MASK
    assert [each.at for each in unpacked(DefaultRecordBatch(data), "t", 4)] == [2_000, 2_000]
    assert unpacked(DefaultRecordBatch(data), "t", 4) == by_library(data)


@given(RECORDS, st.data())
def test_a_broken_batch_is_told_and_not_guessed_at(
    records: Sequence[Told], chance: st.DataObject
) -> None:
    """A batch that ends too early has no records, rather than half of one."""
    data = packed(records)
    start = DefaultRecordBatch.HEADER_STRUCT.size
    cut = chance.draw(st.integers(start, len(data) - 1))
    with pytest.raises(kafka_errors.CorruptRecordError):
        unpacked(DefaultRecordBatch(data[:cut]), "t", 4)
