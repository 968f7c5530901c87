"""Intake: from a source to the topics; the cursor moves only after the acknowledgement."""

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic_core import PydanticSerializationError

from pipeline import deadletters, topics
from pipeline.decoding import read
from pipeline.errors import GroundswellError, SetAside
from pipeline.masking import masked
from pipeline.model import Coverage, Cursor, Decision, Incident, Mention, Removal, Spend, Word
from pipeline.ports import Broker, Clock, Collector, Item, Unreadable
from pipeline.reading import batches
from pipeline.tally import Tally
from pipeline.tracks import Matcher
from pipeline.values import EVENT_AHEAD

log = logging.getLogger(__name__)

#: A batch that is not full goes out when it is so old, in seconds of the machine's time: whoever
#: watches a slow stream must not wait for the rest, whatever clock the records live by.
LINGER = 0.5

#: How many posts that an edit took the tracks' names out of are kept in mind, to be shown again.
RENOUNCED = 10_000

TOPIC_OF: dict[type[Word], str] = {
    Mention: topics.MENTIONS,
    Removal: topics.MENTIONS,
    Incident: topics.INCIDENTS,
    Decision: topics.DECISIONS,
    Coverage: topics.COVERAGE,
    Spend: topics.SPEND,
}


def prepare(mention: Mention, now: datetime, matcher: Matcher | None, mask: bool = True) -> Mention:
    """A mention as it goes on the topic: times in bounds, tracks matched, private numbers masked.

    ``now`` becomes ``seen_at`` where the source did not set it. Tracks that are given are kept.
    """
    update: dict[str, Any] = {}
    seen_at = mention.seen_at
    if "seen_at" not in mention.model_fields_set:
        update["seen_at"] = seen_at = now
    if mention.event_at - seen_at > EVENT_AHEAD:
        update["event_at"] = seen_at + EVENT_AHEAD
    if matcher is not None and not mention.tracks and (tracks := matcher.match(mention)):
        update["tracks"] = tracks
    if mask and (text := masked(mention.text)) != mention.text:
        update["text"] = text
    return mention.model_copy(update=update) if update else mention


class Intake:
    """Moves what one source delivers to the topics, a batch a turn, and resumes at its cursor.

    Mentions that match none of the tracks are dropped unless ``keep_unmatched``; without a matcher
    nothing is dropped. An edit that matches none hides the post, which we may hold as it was. What
    is unreadable goes to the dead letters, to be replayed to ``topic``.
    ``done`` turns True when the source has come to its end. ``totals`` counts what became of items
    since the start (words by kind, edits apart; ``unmatched``, ``dead``), ``gaps`` how often and
    for how many seconds the source was blind, by cause.
    """

    def __init__(
        self,
        source: Collector,
        broker: Broker,
        matcher: Matcher | None,
        clock: Clock,
        *,
        mask: bool = True,
        keep_unmatched: bool = False,
        batch: int = 500,
        topic: str = topics.MENTIONS,
    ) -> None:
        self.done = False
        self._source = source
        self._broker = broker
        self._matcher = matcher
        self._clock = clock
        self._mask = mask
        self._keep_unmatched = keep_unmatched
        self._batch = batch
        self._topic = topic
        self._producer = broker.producer()
        self._stop = threading.Event()
        self._items: Iterator[Item] | None = None
        self._pending: list[Item] = []
        self._is_over = False
        self._cursor: str | None = None
        self._renounced: OrderedDict[str, None] = OrderedDict()
        self.totals: Counter[str] = Counter()
        self._tally = Tally(log, f"intake {source.name}")
        self.gaps: Counter[str] = Counter()
        self.blind_seconds: Counter[str] = Counter()
        #: The clock's time when the source last brought anything, and when its cursor last moved
        #: (None: never, as far as is known), and the newest mention's ``event_at``.
        self.heard_at: datetime | None = None
        #: When it last brought a post, or was made.
        self.posted_at: datetime = clock.now()
        self.cursor_at: datetime | None = None
        self.newest_event_at: datetime | None = None

    @property
    def cursor(self) -> str | None:
        """Up to where the broker has acknowledged what it read; None before that is known."""
        return self._cursor

    @property
    def source(self) -> Collector:
        """The source it reads."""
        return self._source

    def turn(self, timeout: float) -> int:
        """Moves one batch. The source itself decides how long it waits, at most about a second.

        Raises TryLater or GiveUp of source and broker; what was read before is published first,
        and what could not be published is kept for the next turn.
        """
        if self.done:
            self._stop.wait(timeout)
            return 0
        problem = self._gather() if not self._pending and not self._is_over else None
        handled = self._publish()
        if problem is not None:
            raise problem
        self.done = self._is_over
        return handled

    def close(self) -> None:
        """Stops the source; what is not acknowledged is read again next time."""
        self._stop.set()
        self._tally.tell()
        self._forget_source()
        self._producer.close()

    def _gather(self) -> GroundswellError | None:
        """Fills the batch; returns what stopped the source, to be raised after publishing."""
        try:
            if self._items is None:
                self._cursor = self._stored_cursor()
                self._items = self._source.items(self._cursor, self._stop)
            until = time.monotonic() + LINGER
            for item in self._items:
                self._pending.append(item)
                is_full = len(self._pending) >= self._batch
                if item.value is None or is_full or time.monotonic() > until:
                    return None
        except GroundswellError as problem:
            self._forget_source()
            return problem
        self._is_over = True
        return None

    def _forget_source(self) -> None:
        items, self._items = self._items, None
        close: Callable[[], None] | None = getattr(items, "close", None)
        if close is not None:
            close()

    def _stored_cursor(self) -> str | None:
        """The last acknowledged cursor of this source."""
        found: str | None = None
        reader = self._broker.reader([topics.CURSORS])
        try:
            for records in batches(reader, 1_000):
                for record in records:
                    if record.key == self._source.name:
                        found = None if record.value is None else self._cursor_in(record.value)
        finally:
            reader.close()
        return found

    def _cursor_in(self, data: bytes) -> str | None:
        try:
            word = read(Cursor, data)
        except SetAside as reason:
            log.warning(
                "%s: its cursor is unreadable, it starts anew: %s", self._source.name, reason
            )
            return None
        self.cursor_at = word.at
        return word.cursor

    def _publish(self) -> int:
        """Sends the batch, waits for the acknowledgement, and only then moves the cursor."""
        if not self._pending:
            return 0
        began = time.perf_counter()
        counts = Counter(self._send(item) for item in self._pending if item.value is not None)
        if counts:
            self._producer.flush()
        cursor = self._pending[-1].cursor
        if cursor != self._cursor:
            word = Cursor(source=self._source.name, cursor=cursor, at=self._clock.now())
            self._producer.send(topics.CURSORS, word.key, word.to_json())
            self._producer.flush()
            self._cursor, self.cursor_at = cursor, word.at
        sent, self._pending = self._pending, []
        if counts:
            self._note(sent, counts)
            self._tally.add(dict(sorted(counts.items())), began)
        return counts.total()

    def _send(self, item: Item) -> str:
        """Sends one item to its topic; says what became of it."""
        value = item.value
        if value is None or isinstance(value, Unreadable):
            return "nothing" if value is None else self._set_aside(value)
        if isinstance(value, Mention):
            value = prepare(value, self._clock.now(), self._matcher, self._mask)
            if self._matcher is not None and not value.tracks and not self._keep_unmatched:
                self._renounce(value)
                return "unmatched"
            if self._renounced and value.id in self._renounced:
                self._remove(value.id, "shown")
                del self._renounced[value.id]
        data = b""
        try:
            data = value.to_json()
            self._producer.send(TOPIC_OF[type(value)], value.key, data)
        except (SetAside, PydanticSerializationError) as reason:
            # A collector may hand over what JSON cannot hold; its error would quote the text.
            told = str(reason) if isinstance(reason, SetAside) else "it cannot be written as JSON"
            return self._set_aside(Unreadable(data, told, item.cursor))
        if isinstance(value, Mention) and value.version:
            return "edits"
        is_gap = isinstance(value, Coverage) and value.is_gap
        return "gaps" if is_gap else f"{type(value).__name__.lower()}s"

    def _renounce(self, mention: Mention) -> None:
        """Hides a post whose edit says nothing of the tracks any more, until one does again."""
        if not mention.version:
            return
        self._remove(mention.id, "hidden")
        self._renounced[mention.id] = None
        if len(self._renounced) > RENOUNCED:
            self._renounced.popitem(last=False)

    def _remove(self, number: str, kind: Literal["hidden", "shown"]) -> None:
        word = Removal(removal=number, kind=kind, at=self._clock.now(), scope="mention")
        self._producer.send(topics.MENTIONS, word.key, word.to_json())

    def _note(self, items: Sequence[Item], counts: Counter[str]) -> None:
        """Keeps in mind what acknowledged items say of their source."""
        self.totals += counts
        self.heard_at = self._clock.now()
        for item in items:
            value = item.value
            if isinstance(value, Mention):
                self.posted_at = self.heard_at
                self.newest_event_at = max(self.newest_event_at or value.event_at, value.event_at)
            elif isinstance(value, Coverage) and value.is_gap:
                cause = value.cause or "unknown"
                self.gaps[cause] += 1
                self.blind_seconds[cause] += round((value.to_at - value.from_at).total_seconds())

    def _set_aside(self, unreadable: Unreadable) -> str:
        dead = deadletters.letter(
            "intake",
            unreadable.reason,
            unreadable.data,
            topic=self._topic,
            origin=f"{self._source.name}: {unreadable.origin}",
            at=self._clock.now(),
        )
        self._producer.send(topics.DEADLETTER, dead.key, dead.to_json())
        return "dead"
