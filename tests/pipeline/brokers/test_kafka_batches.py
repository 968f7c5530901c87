"""What we pack for Kafka is what the library would have packed, record by record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner import murmur2 as murmur2_of_library
from kafka.record.memory_records import MemoryRecordsBuilder

from pipeline.brokers.kafka_batches import BATCH_BYTES, MAGIC, murmur2, pack, partition_numbers

KEYS = st.binary(max_size=90)
VALUES = st.none() | st.binary(max_size=300)
RECORDS = st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=200)


@given(st.lists(KEYS, max_size=40))
def test_keys_are_hashed_as_by_every_client_of_kafka(keys: list[bytes]) -> None:
    """A key that another program produced stays in its partition; else it would lose its order."""
    assert murmur2(keys).tolist() == [murmur2_of_library(key) for key in keys]


def test_a_key_has_its_partition_in_whatever_company() -> None:
    """Hashed together or alone: the same; the numbers are those that Java's client gives."""
    keys = [b"x:1", b"", b"k" * 2_400, "bluesky:é".encode()]
    alone = [partition_numbers([(key, b"")], 12)[0] for key in keys]
    assert partition_numbers([(key, None) for key in keys], 12) == alone
    assert murmur2([b"21", b"foobar"]).view("int32").tolist() == [-973932308, -790332482]


@given(RECORDS)
def test_records_are_packed_as_the_library_packs_them(
    records: list[tuple[bytes, bytes | None]],
) -> None:
    """Byte for byte, tombstones, empty keys and empty values too."""
    theirs = MemoryRecordsBuilder(MAGIC, 0, BATCH_BYTES)
    for key, value in records:
        theirs.append(1, key, value, [])
    (ours,) = pack(records)
    assert ours.data == bytes(theirs._builder._buffer[theirs._builder.header_size_in_bytes() :])
    assert ours.records == len(records)
    assert ours.size == sum(len(key) + len(value or b"") for key, value in records)


@pytest.mark.parametrize(
    ("sizes", "counts"),
    [
        ([BATCH_BYTES * 2], [1]),
        ([10, BATCH_BYTES * 2, 10], [1, 1, 1]),
        ([BATCH_BYTES // 2] * 5, [1, 1, 1, 1, 1]),
        ([BATCH_BYTES // 3] * 5, [2, 2, 1]),
    ],
)
def test_batches_are_cut_before_they_are_too_large(sizes: list[int], counts: list[int]) -> None:
    """A long record stands alone, the others share batches, and all keep their order."""
    records = [(b"%d" % number, b"v" * size) for number, size in enumerate(sizes)]
    packed = list(pack(records))
    assert [each.records for each in packed] == counts
    for each in packed:
        assert each.records == 1 or len(each.data) <= BATCH_BYTES
