"""The ports: what the pipeline asks of the world. The docstrings are the contract.

Every adapter passes the contract suite of its port (``tests/contracts``). Everything is
synchronous; what may block says so, and what may fail says with which error of ``pipeline.errors``.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.model import (
    Campaign,
    Coverage,
    Decision,
    Feedback,
    Incident,
    LateLink,
    Mention,
    Removal,
    Spend,
)


class Clock(Protocol):
    """Time is handed in, never taken: a replay lives in the time of its records."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Waits so long in this clock's time or until ``stop`` is set; True when it was set."""
        ...


# ---- in: collectors and incident sources ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something a source delivered that is none of the words; it goes to the dead letters."""

    data: bytes
    reason: str
    origin: str  # where it stood, for a person: "posts.jsonl line 7"


class Item(NamedTuple):
    """One thing read from a source, and the cursor to resume right after it.

    ``value`` is None when there is nothing new for now: the caller may flush and store the cursor.
    """

    value: Mention | Removal | Decision | Incident | Coverage | Spend | Unreadable | None
    cursor: str


class Collector(Protocol):
    """Reads one source of mentions."""

    @property
    def name(self) -> str:
        """Unique among all sources; the key of its cursor."""
        ...

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """Everything after ``cursor`` (None: from the source's own start), in its order.

        Edits are mentions of a higher version, removals are items too. Resuming with the cursor of
        any item delivers exactly what came after it; repeats are allowed, losses are not. While
        nothing comes, yields an item without value at least once a second. Ends when the source
        has an end, or within 5 s after ``stop`` is set. Raises TryLater or GiveUp.
        """
        ...


class IncidentSource(Collector, Protocol):
    """Reads incidents of one tool: the same contract, the values are Incident (or Unreadable)."""


# ---- broker -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and how long it remembers. ``None`` retention: for ever (compaction only)."""

    name: str
    partitions: int = 1
    compacted: bool = False
    retention_hours: int | None = None


class Record(NamedTuple):
    """One record as it was read. A value of None is a tombstone: the key is gone."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    at: int  # when the broker took it, ms since 1970


class Mark(NamedTuple):
    """How far a group has come in a partition: it is done with all offsets below ``done``.

    ``end`` is the offset that the next record will get.
    """

    done: int
    end: int


class Producer(Protocol):
    """Sends records. One thread uses it."""

    def send(self, topic: str, key: str, value: bytes | None) -> None:
        """Hands one record over; records of one key keep their order.

        Blocks while too much is in flight or consumers lag too far behind (back-pressure), for a
        bounded time, then raises TryLater. Raises SetAside when the record is too large, GiveUp
        when the topic does not exist.
        """
        ...

    def flush(self) -> None:
        """Returns once everything sent since the last flush is acknowledged and durable.

        Raises TryLater if any of it was not: the caller commits nothing and sends all again.
        """
        ...

    def close(self) -> None:
        """Gives up what is not flushed."""
        ...


class Consumer(Protocol):
    """Reads topics as a member of a group. One thread uses it."""

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        """The next records in order per partition; empty after ``timeout`` seconds without any.

        Also empty while another member holds the place. Raises TryLater.
        """
        ...

    def commit(self) -> None:
        """Marks everything polled so far as done, for whoever holds this place next.

        Raises Fenced when another took over: what was polled is delivered to that one again.
        """
        ...

    def rewind(self) -> None:
        """Goes back to the last commit: what was polled since is delivered again."""
        ...

    def close(self) -> None:
        """Leaves the group, without a commit, so that another can take the place at once."""
        ...


class Reader(Protocol):
    """Reads whole topics outside any group, to rebuild state. One thread uses it."""

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        """The next records in order per partition; empty after ``timeout`` seconds."""
        ...

    def caught_up(self) -> bool:
        """True once everything that stood there when the reader was made has been polled."""
        ...

    def close(self) -> None:
        """Lets go of the connection."""
        ...


class Broker(Protocol):
    """Topics between the parts. Safe to share between threads."""

    def ensure(self, topics: Sequence[Topic]) -> None:
        """Creates what is missing and verifies the rest. Raises GiveUp naming what differs."""
        ...

    def producer(self) -> Producer:
        """A new producer."""
        ...

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        """A new member of ``group``; a group that never committed starts at the oldest record."""
        ...

    def reader(self, topics: Sequence[str], since: datetime | None = None) -> Reader:
        """A reader from the oldest record on, or from the first that arrived at ``since``."""
        ...

    def lag(self, group: str) -> Mapping[str, int]:
        """Records that the group has not committed yet, per topic it consumes."""
        ...

    def marks(self, group: str, topic: str) -> Mapping[int, Mark]:
        """How far the group has come, by partition of the topic. Raises TryLater.

        A group that never committed is done with nothing; what was dropped counts as done.
        """
        ...

    def close(self) -> None:
        """Lets go of files and connections."""
        ...


# ---- repeats ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What a batch of n posts is compared by, arrays aligned with ``ids``.

    ``exact``: n × e uint64, hashes of whatever makes two posts one matter (the post that is told
    again, the canonical text), the strongest first, 0 where there is none.
    ``bands``: n × b uint64, keys that alike posts are likely to share, 0 where a post has none.
    ``phrases``: n × p uint64, keys of what a post says literally, each once, 0 where it has fewer.
    ``letters``: the canonical texts, a byte a character, by which posts that share a band or a
    phrase are compared; empty where a post is too short for that (and has neither).
    ``at``: n × int64, ``event_at`` in ms. ``author``: n × uint64, hash of who posted, 0 if unknown.
    """

    ids: Sequence[str]
    exact: NDArray[np.uint64]
    bands: NDArray[np.uint64]
    phrases: NDArray[np.uint64]
    letters: Sequence[bytes]
    at: NDArray[np.int64]
    author: NDArray[np.uint64]


class Claim(NamedTuple):
    """Whose matter a post belongs to. ``owner`` is None when it is the first of its group."""

    group: str
    owner: str | None
    is_copy: bool  # one of the exact keys is the owner's; otherwise alike
    likeness: float  # 0..1
    is_echo: bool  # the same author has posted in this group before


class RepeatIndex(Protocol):
    """Answers "whose is this key?", never "was it seen?": a replay finds its own claim."""

    def claim(self, batch: Fingerprints) -> list[Claim]:
        """Claims every key of the batch, in order, as if the posts came one by one.

        A key belongs to the first that claimed it, a phrase to the last, for 72 h of event time to
        either side, plus the allowed lateness of its life by arrival; a post that comes later than
        the 72 h takes the key over. A post joins the group of the owner of its first exact key
        that has one, otherwise of the owner of one of its bands and phrases that is alike by
        ``pipeline.indexes.alike`` and whose group began in those 72 h (the earliest to come of
        several), otherwise its own id becomes a group. An id that already has a claim
        gets the same answer again. One round trip. Raises TryLater.
        """
        ...

    def restore(self, batch: Fingerprints, groups: Sequence[str]) -> None:
        """Puts back claims of the past with the groups they were given, after a restart."""
        ...

    def forget(self, ids: Sequence[str]) -> None:
        """Overwrites the letters of these posts, which were erased. What they claimed stays theirs.

        Nobody is alike to them from now on; unknown ids are passed over. Raises TryLater.
        """
        ...


# ---- warehouse --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased on somebody's word, without the data: kept for who asks later.

    ``requests`` mentions and authors were named, ``mentions`` lost their words, in ``places``.
    """

    id: str
    asked_at: datetime
    done_at: datetime
    by: str | None
    reason: str | None
    requests: int
    mentions: int
    places: Sequence[str]


@dataclass(frozen=True, slots=True)
class Rows:
    """What one batch brings to the warehouse. The order within and between batches is free."""

    feedback: Sequence[Feedback] = ()
    links: Sequence[LateLink] = ()
    campaigns: Sequence[Campaign] = ()
    incidents: Sequence[Incident] = ()
    decisions: Sequence[Decision] = ()
    removals: Sequence[Removal] = ()
    coverage: Sequence[Coverage] = ()
    spend: Sequence[Spend] = ()
    receipts: Sequence[Receipt] = ()


#: One row of an answer, by column name.
Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """An answer to free SQL: column names and rows, cut at ``limit`` if ``cut``."""

    columns: list[str]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    cut: bool = False


class Warehouse(Protocol):
    """Keeps the result. Safe to share between threads; ``write`` is for one at a time."""

    def write(self, rows: Rows, at: datetime) -> list[str]:
        """Writes a batch in one transaction; when it returns, all of it is durable.

        The result is the same for any order of arrival, any batch size and any repetition: the
        highest revision wins, a person's word beats every automatic one, erased stays erased.
        ``at`` becomes ``updated_at``. Returns the ids of mentions whose text was erased for good
        and must be tombstoned on the topics. Raises TryLater (disk full, server away).
        """
        ...

    def rows(self, query: str, **values: Any) -> list[Row]:
        """The answer to one of our own named queries (``.sql`` files, a section each)."""
        ...

    def sql(self, text: str, limit: int | None = None, seconds: float | None = None) -> Table:
        """The answer to an analyst's SQL: it can neither write nor read files. Raises Misuse."""
        ...

    def revision(self) -> int:
        """A number that grows with every write, cheap enough to be asked four times a second."""
        ...

    def roll_up(self, at: datetime) -> int:
        """Counts anew, by hour and incident, what changed since the last time; 0 if nothing did.

        The views say the same before and after; they answer faster. In a transaction of its own,
        with bounded memory; may be called at any time, also twice. Raises TryLater.
        """
        ...

    def snapshot(self) -> None:
        """Refreshes the copy that other processes may read while this one owns the warehouse."""
        ...

    def erase(self, removals: Sequence[Removal], at: datetime) -> Row:
        """Erases and rewrites the files so that the bytes are gone; returns the receipt."""
        ...

    def close(self) -> None:
        """Lets go of the warehouse."""
        ...
