"""Reading from Kafka: as a member of a group, or whole topics for oneself."""

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from kafka import ConsumerRebalanceListener
from kafka import errors as kafka_errors
from kafka.structs import OffsetAndMetadata, TopicPartition

from pipeline.brokers.kafka_link import STALLED_AFTER, KafkaLink, within
from pipeline.brokers.kafka_records import unpack_quickly
from pipeline.brokers.kafka_shelf import STEP, Shelf
from pipeline.errors import Fenced
from pipeline.ports import Record
from pipeline.values import to_ms

#: How often a consumer that gets nothing looks whether the brokers are still there.
LOOK_AROUND_SECONDS = 5.0

MustExist = Callable[[Sequence[str]], None]

#: The group went on without us, or is about to.
TAKEN_OVER = (
    kafka_errors.CommitFailedError,
    kafka_errors.FencedInstanceIdError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.UnknownMemberIdError,
)


class Lost(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """Hears, on the library's thread, which partitions went to somebody else."""

    def __init__(self) -> None:
        self._partitions: deque[TopicPartition] = deque()

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """They are about to get another holder."""
        self._partitions.extend(revoked)

    def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        """They have one already."""
        self._partitions.extend(lost)

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """New ones begin at their committed position; nothing to do."""

    def take(self) -> set[TopicPartition]:
        """Those lost since the last call."""
        lost = set()
        while self._partitions:
            lost.add(self._partitions.popleft())
        return lost


class FinishedJoin:
    """A join that ended between two polls, shown to the library as one that still goes on.

    Who waits for this one has the result at once; see ``_keep_join``.
    """

    is_done = False

    def __init__(self, task: Any) -> None:
        self.task = task

    def add_callback(self, use: Callable[..., Any]) -> Any:
        """Calls ``use`` with the result now."""
        return self.task.add_callback(use)

    def add_errback(self, use: Callable[..., Any]) -> Any:
        """Calls ``use`` with the error now, if it was one."""
        return self.task.add_errback(use)

    def __await__(self) -> Any:
        """The result."""
        return self.task.__await__()


def _keep_join(client: Any) -> None:
    """Lets the next poll take the result of a join that ended while nobody polled.

    kafka-python 3.0 joins in the background but takes the result in ``poll`` only, and forgets it
    there: a join that is done it begins anew, so that members who are out of ``poll`` at the wrong
    moment deal partitions out for ever; and if it was new metadata that made it join, it sees no
    reason to look at the result, and the member gets nothing until its process ends.
    """
    coordinator = client._coordinator
    task = coordinator._join_task
    if task is not None:
        coordinator.request_rejoin()
        if task.is_done and task.succeeded():
            coordinator._join_task = FinishedJoin(task)


class KafkaConsumer:
    """Port ``Consumer``. It joins its group with the first poll; after a stall it joins anew.

    Only offsets of records that were handed out are committed, and only while their partition is
    held. Where a partition went away with uncommitted records, all goes back to the last commit
    and Fenced is raised: the others' records come again here, those of the partition come to its
    new holder.
    """

    def __init__(
        self, link: KafkaLink, must_exist: MustExist, group: str, topics: Sequence[str]
    ) -> None:
        self._link = link
        self._must_exist = must_exist
        self._group = group
        self._topics = list(topics)
        self._client: Any = None
        self.closed = False
        self._looked_at = time.monotonic()
        self._lost = Lost()
        self._shelf = Shelf()
        self._first: dict[TopicPartition, int] = {}  # handed out since the last commit: from here
        self._next: dict[TopicPartition, OffsetAndMetadata] = {}  # and what to commit for it

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        """The next records, of all partitions in turns. Raises Fenced, TryLater, GiveUp."""
        deadline = time.monotonic() + timeout
        try:
            client = self._connected()
            while self._shelf.wants_more(max_records):
                left = 0.0 if self._shelf else max(0.0, deadline - time.monotonic())
                _keep_join(client)
                found = client.poll(timeout_ms=int(left * 1_000), max_records=STEP)
                self._take_in(found)
                if not found:
                    break
        except (kafka_errors.KafkaError, OSError) as error:
            raise self._link.meaning(error, f"read as {self._group}") from error
        taken = self._shelf.take(max_records)
        for part in taken:
            partition = TopicPartition(part[0].topic, part[0].partition)
            self._first.setdefault(partition, part[0].offset)
            self._next[partition] = OffsetAndMetadata(part[-1].offset + 1, "", -1)
        if not taken:
            self._look_around()
        return list(chain.from_iterable(taken))

    def commit(self) -> None:
        """Commits what was handed out; a watchdog bounds it. Raises Fenced, TryLater, GiveUp."""
        self._take_in({})
        deadline = time.monotonic() + self._link.settings.patience
        try:
            while self._next and self._client is not None and not self._committed():
                if time.monotonic() > deadline:
                    self.rewind()
                    raise self._fenced()
                # What we keep can be committed as soon as the partitions are dealt out.
                _keep_join(self._client)
                self._take_in(self._client.poll(timeout_ms=100, max_records=STEP))
        except TAKEN_OVER as error:
            self.rewind()
            raise self._fenced() from error
        except TimeoutError as error:
            self._leave()  # it may never answer; the next poll joins anew
            raise self._link.meaning(error, f"commit as {self._group}") from error
        except (kafka_errors.KafkaError, OSError) as error:
            raise self._link.meaning(error, f"commit as {self._group}") from error
        self._first.clear()
        self._next.clear()

    def _committed(self) -> bool:
        """Commits; False while the group deals its partitions out."""
        client, offsets, patience = self._client, dict(self._next), self._link.settings.patience
        wait_ms = int(patience * 1_000)
        try:
            within(patience + STALLED_AFTER, lambda: client.commit(offsets, timeout_ms=wait_ms))
        except kafka_errors.RebalanceInProgressError:
            return False
        return True

    def rewind(self) -> None:
        """Goes back to the last commit in what it still holds; asks nobody."""
        back = self._shelf.first_offsets() | self._first
        held = self._client.assignment() if self._client is not None else set()
        for partition in held & back.keys():
            self._client.seek(partition, back[partition])
        self._forget()

    def close(self) -> None:
        """Leaves the group, without a commit."""
        self.closed = True
        self._leave()

    def _look_around(self) -> None:
        """Raises TryLater when the brokers are away, of which the library is silent."""
        if time.monotonic() - self._looked_at < LOOK_AROUND_SECONDS:
            return
        problem = self._link.unreachable()
        self._looked_at = time.monotonic()
        if problem is not None:
            raise problem

    def _connected(self) -> Any:
        if self._client is None:
            self._must_exist(self._topics)
            self._lost = Lost()
            self._client = self._link.ready(self._link.consumer(self._group), self._subscribe)
        return self._client

    def _subscribe(self, client: Any) -> None:
        for topic in self._topics:
            # Known before the first join: who leads the group deals out only what it knows.
            client.partitions_for_topic(topic)
        unpack_quickly(client)
        client.subscribe(self._topics, listener=self._lost)

    def _take_in(self, found: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Keeps what came and drops what was lost. Raises Fenced if that was not committed yet."""
        lost = self._lost.take()
        undone = lost & self._next.keys()
        self._shelf.drop(lost)
        for partition in undone:
            del self._first[partition], self._next[partition]
        self._shelf.put(found)
        if undone:
            self.rewind()
            raise self._fenced()

    def _fenced(self) -> Fenced:
        return Fenced(f"another member of {self._group} took over; nothing was committed")

    def _leave(self) -> None:
        client, self._client = self._client, None
        self._forget()
        if client is not None:
            patience_ms = int(self._link.settings.patience * 1_000)
            self._link.bury(lambda: client.close(autocommit=False, timeout_ms=patience_ms))

    def _forget(self) -> None:
        self._shelf.clear()
        self._first.clear()
        self._next.clear()


class KafkaReader:
    """Port ``Reader``: all partitions, no group. It connects with the first call."""

    def __init__(
        self,
        link: KafkaLink,
        must_exist: MustExist,
        topics: Sequence[str],
        since: datetime | None,
    ) -> None:
        self._link = link
        self._must_exist = must_exist
        self._topics = list(topics)
        self._since_ms = None if since is None else max(0, to_ms(since))
        self._client: Any = None
        self.closed = False
        self._shelf = Shelf()
        self._ahead: dict[TopicPartition, int] = {}  # ends that were not reached yet

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        """The next records, of all partitions in turns."""
        deadline = time.monotonic() + timeout
        try:
            client = self._connected()
            while self._shelf.wants_more(max_records):
                left = 0.0 if self._shelf else max(0.0, deadline - time.monotonic())
                found = client.poll(timeout_ms=int(left * 1_000), max_records=STEP)
                self._shelf.put(found)
                if not found:
                    break
        except (kafka_errors.KafkaError, OSError) as error:
            raise self._failed(error) from error
        taken = self._shelf.take(max_records)
        for part in taken:
            partition, last = TopicPartition(part[0].topic, part[0].partition), part[-1].offset
            if last + 1 >= self._ahead.get(partition, last + 2):
                del self._ahead[partition]
        return list(chain.from_iterable(taken))

    def caught_up(self) -> bool:
        """True once everything that stood there at the start has been polled."""
        try:
            client = self._connected()
            for partition, end in list(self._ahead.items()):
                # Records may be gone, and markers are none: the library's position passes them.
                if not self._shelf.holds(partition) and self._position(client, partition) >= end:
                    del self._ahead[partition]
        except (kafka_errors.KafkaError, OSError) as error:
            raise self._failed(error) from error
        return not self._ahead

    def close(self) -> None:
        """Closes the connection."""
        self.closed = True
        client, self._client = self._client, None
        self._shelf.clear()
        if client is not None:
            self._link.bury(lambda: client.close(autocommit=False, timeout_ms=0))

    def _position(self, client: Any, partition: TopicPartition) -> int:
        return client.position(partition, timeout_ms=int(self._link.settings.patience * 1_000)) or 0

    def _connected(self) -> Any:
        if self._client is None:
            self._must_exist(self._topics)
            client = self._link.consumer(None)
            unpack_quickly(client)
            try:
                within(
                    2 * self._link.settings.patience + STALLED_AFTER, lambda: self._begin(client)
                )
            except BaseException:
                self._link.bury(lambda: client.close(autocommit=False, timeout_ms=0))
                raise
            self._client = client
        return self._client

    def _begin(self, client: Any) -> None:
        """Takes all partitions, from the start or from the time asked for."""
        wait_ms = int(self._link.settings.patience * 1_000)
        partitions = [
            TopicPartition(topic, number)
            for topic in self._topics
            for number in sorted(client.partitions_for_topic(topic))
        ]
        client.assign(partitions)
        ends = client.end_offsets(partitions, timeout_ms=wait_ms)
        starts = client.beginning_offsets(partitions, timeout_ms=wait_ms)
        if self._since_ms is not None:
            asked = dict.fromkeys(partitions, self._since_ms)
            times = client.offsets_for_times(asked, timeout_ms=wait_ms)
            starts = {each: at.offset if (at := times.get(each)) else ends[each] for each in starts}
        for partition in partitions:
            client.seek(partition, starts[partition])
        self._ahead = {each: end for each, end in ends.items() if starts[each] < end}

    def _failed(self, error: BaseException) -> Exception:
        return self._link.meaning(error, f"read {', '.join(self._topics)}")
