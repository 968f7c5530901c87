"""The worker: mentions in, feedback out, one turn a batch."""

import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic_core import PydanticSerializationError

from pipeline import deadletters, topics
from pipeline.decoding import read, read_post
from pipeline.errors import Emptied, GiveUp, SetAside, TryLater
from pipeline.model import Decision, Feedback, Incident, Mention, Profile, Removal
from pipeline.ports import Broker, Clock, Record
from pipeline.reading import batches
from pipeline.tally import Tally
from pipeline.values import from_ms, to_ms

log = logging.getLogger(__name__)

STAGE = "worker"
#: What the log tells of a batch.
TOLD = ("mentions", "repeats", "linked", "dead")
#: How far back the index of repeats is rebuilt: groups span 72 h of event time, and a post that
#: comes up to 24 h after its time is compared with what came 72 h before that time.
MEMORY_MS = (72 + 24) * 3_600_000

Enrich = Callable[[Sequence[Mention]], list[Feedback]]


class Book(Protocol):
    """What the worker tells about incidents; the linker behind ``enrich`` reads it."""

    def put(self, incident: Incident) -> bool:
        """Takes a record of an incident; True if it changed something."""
        ...

    def decide(self, decision: Decision) -> Any:
        """Takes a person's decision."""
        ...

    def learn(self, profile: Profile) -> Any:
        """Takes what people taught about an incident."""
        ...


class Worker:
    """Polls mentions, enriches them, produces feedback and commits (a role, see ``roles``).

    A turn polls up to ``batch`` records and commits them together; ``at_once`` of them pass the
    steps, and fly to the broker while the next ones do. ``enrich`` gives feedback one for one, in
    order, equal for any number of mentions; what makes it raise is found by halving and set aside.
    ``restore`` gets the feedback of the last 96 h before the first turn, oldest first, in batches;
    with ``remembers``, for an index that outlives us, only after ``enrich`` raised Emptied.
    ``forget`` gets the ids of what was erased.
    Every step may happen again after a crash: a mention enriched twice claims its own keys again
    and gets the same answer. ``totals`` counts mentions, repeats, linked, removals and dead since
    the start.
    """

    def __init__(
        self,
        broker: Broker,
        enrich: Enrich,
        book: Book,
        clock: Clock,
        *,
        batch: int = 1_000,
        at_once: int = 500,
        restore: Callable[[Sequence[Feedback]], None] | None = None,
        remembers: bool = False,
        forget: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        self._broker = broker
        self._enrich = enrich
        self._book = book
        self._clock = clock
        self._batch = batch
        self._at_once = at_once
        self._restore = restore
        self._is_restored = remembers
        self._forget = forget
        self._consumer = broker.consumer("worker", [topics.MENTIONS])
        self._incidents = broker.reader([topics.INCIDENTS, topics.DECISIONS, topics.PROFILES])
        self._producer = broker.producer()
        self.totals: Counter[str] = Counter()
        self._tally = Tally(log, "worker")

    def turn(self, timeout: float) -> int:
        """One batch from poll to commit; the number of records polled."""
        self._rebuild()
        try:
            records = self._consumer.poll(self._batch, timeout)
            # After the poll, which may have waited: the batch is compared with what is known now.
            self._read_incidents()
            if records:
                self._handle(records)
        except TryLater as error:
            if isinstance(error, Emptied):
                self._is_restored = False
            self._consumer.rewind()
            self._producer.close()
            self._producer = self._broker.producer()
            raise
        return len(records)

    def close(self) -> None:
        """Leaves without a commit: an unfinished batch is done again by the next worker."""
        self._tally.tell()
        self._producer.close()
        self._incidents.close()
        self._consumer.close()

    # ---- what is known ------------------------------------------------------------------------

    def _rebuild(self) -> None:
        """Hands the past to ``restore``, where that is not done yet."""
        if self._restore is None or self._is_restored:
            return
        since = from_ms(max(0, to_ms(self._clock.now()) - MEMORY_MS))
        reader = self._broker.reader([topics.FEEDBACK], since)
        try:
            for records in batches(reader, self._batch):
                past = [word for word in map(_past_feedback, records) if word is not None]
                if past:
                    self._restore(past)
        finally:
            reader.close()
        self._is_restored = True

    def _read_incidents(self) -> None:
        """Brings the book up to date. What is unreadable here, ``store`` sets aside."""
        for records in batches(self._incidents, self._batch):
            for record in records:
                if record.value is None:
                    continue
                try:
                    if record.topic == topics.INCIDENTS:
                        self._book.put(read(Incident, record.value))
                    elif record.topic == topics.PROFILES:
                        self._book.learn(read(Profile, record.value))
                    else:
                        self._book.decide(read(Decision, record.value))
                except SetAside:
                    log.debug("worker: passed over an unreadable record of %s", record.topic)

    # ---- a batch ------------------------------------------------------------------------------

    def _handle(self, records: Sequence[Record]) -> None:
        """Enriches, produces in the records' order, and commits when all of it is durable."""
        began = time.perf_counter()
        counts: Counter[str] = Counter()
        erased: list[str] = []
        foreign: list[str] = []
        for first in range(0, len(records), self._at_once):
            some = records[first : first + self._at_once]
            outcomes = list(map(self._produce, some, self._outcomes(some)))
            counts += _counted(outcomes)
            both = list(zip(some, outcomes, strict=True))
            erased += [r.key for r, what in both if _erases(what)]
            foreign += [r.key for r, what in both if _is_foreign(r, what)]
        self._producer.flush()
        gone = [*erased, *(record.key for record in records if record.value is None)]
        if gone and self._forget is not None:
            self._forget(gone)
        if erased or foreign:
            # Only now: with what was made of it on its way, nothing but the text is lost.
            for key in (*erased, *foreign):
                self._producer.send(topics.MENTIONS, key, None)
            self._producer.flush()
        self._consumer.commit()
        self.totals += counts
        self._tally.add({what: counts[what] for what in TOLD}, began)

    def _outcomes(self, records: Sequence[Record]) -> "list[Outcome]":
        """What becomes of each record; all mentions go through ``enrich`` together."""
        posts = [_post(record) for record in records]
        results = iter(enriched(self._enrich, [p for p in posts if isinstance(p, Mention)]))
        return [next(results) if isinstance(post, Mention) else post for post in posts]

    def _produce(self, record: Record, outcome: "Outcome") -> "Outcome":
        """Sends what became of one record; returns what that was in the end."""
        if outcome is None:
            return None
        if not isinstance(outcome, SetAside):
            try:
                self._producer.send(topics.FEEDBACK, outcome.key, outcome.to_json())
            except SetAside as too_large:
                outcome = too_large
            except PydanticSerializationError:
                outcome = SetAside("what was made of it cannot be written as JSON")
        if isinstance(outcome, SetAside):
            dead = deadletters.of_record(STAGE, str(outcome), record, self._clock.now())
            self._producer.send(topics.DEADLETTER, dead.key, dead.to_json())
        return outcome


#: What became of a record: None for a tombstone.
Outcome = Feedback | Removal | SetAside | None


def _counted(outcomes: Sequence[Outcome]) -> Counter[str]:
    """How many of each kind there are; what is 0 is left out."""
    feedback = [outcome for outcome in outcomes if isinstance(outcome, Feedback)]
    linked = [word for word in feedback if any(link.state == "linked" for link in word.links)]
    return +Counter(
        mentions=len(feedback),
        repeats=sum(word.repeat.kind != "original" for word in feedback),
        linked=len(linked),
        dead=sum(isinstance(outcome, SetAside) for outcome in outcomes),
        removals=sum(isinstance(outcome, Removal) for outcome in outcomes),
    )


def _erases(outcome: Outcome) -> bool:
    """Whether a text under the same key must go from the topic.

    Not where an author is meant, or may be: nothing but removals stands under that key, and a
    tombstone would take away a later one that nobody has read yet. The posts of an author are
    known to the store, which sends their tombstones.
    """
    return isinstance(outcome, Removal) and outcome.kind == "erased" and outcome.scope == "mention"


def _is_foreign(record: Record, outcome: Outcome) -> bool:
    """Whether a post stands under another key than its id, where no erasure would find it."""
    return isinstance(outcome, Feedback) and outcome.mention.key != record.key


def enriched(enrich: Enrich, mentions: Sequence[Mention]) -> list[Feedback | SetAside]:
    """The feedback on each mention, or why there is none.

    A batch that raises is halved until the mentions at fault stand alone; the reason names the
    kind of error and where it was raised, never a text. TryLater and GiveUp propagate.
    """
    if not mentions:
        return []
    try:
        feedback = enrich(mentions)
        if len(feedback) != len(mentions):
            raise SetAside(f"{len(feedback)} answers for {len(mentions)} mentions")
    except (TryLater, GiveUp):
        raise
    except Exception as error:  # noqa: BLE001 - any bug in a step must cost one post, not the flow
        if len(mentions) == 1:
            return [error if isinstance(error, SetAside) else SetAside(_blame(error))]
        half = len(mentions) // 2
        return enriched(enrich, mentions[:half]) + enriched(enrich, mentions[half:])
    return list(feedback)


def _blame(error: Exception) -> str:
    """The kind of an error and the place it came from; its message may quote a post."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def _post(record: Record) -> Mention | Removal | SetAside | None:
    """What stands in a record of ``mentions``; None for a tombstone."""
    if record.value is None:
        return None
    try:
        # Straight into the model costs half of what a decoded dict does; a removal cannot hide,
        # for within a text its name's quotes are escaped.
        if b'"removal"' not in record.value:
            return read(Mention, record.value)
        post = read_post(record.value)
    except SetAside as reason:
        return reason
    if isinstance(post, Decision):
        return SetAside("a decision does not belong on the topic mentions")
    return post


def _past_feedback(record: Record) -> Feedback | None:
    """Feedback for the index of repeats; removals, tombstones and broken records give nothing."""
    if record.value is None or b'"repeat"' not in record.value:
        return None
    try:
        return read(Feedback, record.value)
    except SetAside:
        return None
