"""Records that were fetched and not handed out yet, partition by partition."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from kafka.structs import TopicPartition

from pipeline.ports import Record

#: Fetched ahead of what is asked for, so that a busy partition cannot hide the others.
READ_AHEAD = 1_000
#: One poll's values end with the record that reaches this, so that long texts cannot fill memory.
POLL_BYTES = 32 * 1024 * 1024
#: Records taken from the library at once: it counts records and not bytes.
STEP = 250


class Shelf:
    """Hands records out in turns: no partition gets more than its share while others wait.

    The library drains one partition before the next; a topic of a few records would wait for all
    of a busy one that was fetched before it.
    """

    def __init__(self) -> None:
        self._queues: dict[TopicPartition, deque[Record]] = {}
        self._count = 0
        self._bytes = 0

    def wants_more(self, count: int) -> bool:
        """Whether more should be fetched before ``count`` records are handed out."""
        return self._count < count + READ_AHEAD and self._bytes < POLL_BYTES

    def __len__(self) -> int:
        """Records that wait."""
        return self._count

    def put(self, found: Mapping[TopicPartition, Sequence[Record]]) -> None:
        """Takes what the library gave."""
        for partition, records in found.items():
            self._queues.setdefault(partition, deque()).extend(records)
            self._count += len(records)
            self._bytes += sum(_size(record) for record in records)

    def take(self, count: int) -> list[list[Record]]:
        """Up to ``count`` records, in order within each partition, of all of them in turns.

        Each list holds records of one partition, at least one.
        """
        taken: list[list[Record]] = []
        room = POLL_BYTES
        while self._queues and count > 0 and room > 0:
            share = max(1, count // len(self._queues))
            for partition in list(self._queues):
                queue = self._queues.pop(partition)
                part = [queue.popleft() for _ in range(min(share, count, len(queue)))]
                if queue:
                    self._queues[partition] = queue  # at the end: others come first next time
                size = sum(map(_size, part))
                if part:
                    taken.append(part)
                count -= len(part)
                room -= size
                self._count -= len(part)
                self._bytes -= size
        return taken

    def drop(self, partitions: Iterable[TopicPartition]) -> None:
        """Forgets what belongs to somebody else now."""
        for partition in partitions:
            queue = self._queues.pop(partition, ())
            self._count -= len(queue)
            self._bytes -= sum(_size(record) for record in queue)

    def first_offsets(self) -> dict[TopicPartition, int]:
        """Where each partition would have to be read again from."""
        return {partition: queue[0].offset for partition, queue in self._queues.items()}

    def holds(self, partition: TopicPartition) -> bool:
        """Whether something of it waits."""
        return partition in self._queues

    def clear(self) -> None:
        """Forgets all."""
        self._queues.clear()
        self._count = self._bytes = 0


def _size(record: Record) -> int:
    return len(record.value or b"")
