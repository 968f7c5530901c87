"""Dead letters: what could not be handled, kept with its bytes, listed and sent again."""

import base64
import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from pipeline import topics
from pipeline.decoding import load, read, read_post
from pipeline.errors import SetAside, TryLater
from pipeline.model import DeadLetter, Decision, Incident, Mention, Removal
from pipeline.ports import Broker, Reader, Record
from pipeline.reading import batches

log = logging.getLogger(__name__)

#: What is larger is cut, so that with base64 and its frame it fits a Kafka message of 1 MB.
MAX_DATA_BYTES = 700_000


@dataclass(frozen=True, slots=True)
class Summary:
    """A dead letter as it is listed: never its bytes, only how many there are."""

    id: str  # short, made of its key: the same bad record keeps it
    at: datetime
    stage: str
    topic: str
    origin: str
    reason: str
    bytes: int


def letter(
    stage: str, reason: str, data: bytes, *, topic: str, origin: str, at: datetime
) -> DeadLetter:
    """A dead letter about ``data``, which belongs on ``topic`` and stood at ``origin``."""
    if len(data) > MAX_DATA_BYTES:
        reason += f" (kept: the first {MAX_DATA_BYTES:,} of {len(data):,} bytes)"
    kept = base64.b64encode(data[:MAX_DATA_BYTES]).decode()
    return DeadLetter(stage=stage, reason=reason, topic=topic, origin=origin, data=kept, at=at)


def of_record(stage: str, reason: str, record: Record, at: datetime) -> DeadLetter:
    """A dead letter about a record that was polled."""
    origin = f"{record.topic}/{record.partition}/{record.offset}"
    return letter(stage, reason, record.value or b"", topic=record.topic, origin=origin, at=at)


def listing(broker: Broker) -> list[Summary]:
    """All dead letters that were not sent again, oldest first. Raises TryLater."""
    return [_summary(dead) for dead in _waiting(broker).values()]


def replay(
    broker: Broker, ids: Sequence[str], prepare: Callable[[Mention], Mention] = lambda word: word
) -> int:
    """Sends what these dead letters hold to where it belongs; returns how many went.

    They leave the list. What is still bad becomes a dead letter again. What the intake set aside
    goes only if it is one of our words, to the topic of its kind, mentions after ``prepare``, which
    does what the intake would have done: they were set aside before they were masked. All else
    that a source delivered stays on the list with its reason, for nobody behind the intake reads
    it. Raises TryLater.
    """
    wanted = set(ids)
    chosen = [dead for dead in _waiting(broker).values() if _id(dead) in wanted]
    going = [(dead, again) for dead in chosen if (again := _again(dead, prepare)) is not None]
    producer = broker.producer()
    try:
        for dead, (topic, data) in going:
            producer.send(topic, _key(data) or dead.key, data)
        producer.flush()
        # Only now: a crash in between sends them twice, which the warehouse does not mind.
        for dead, _ in going:
            producer.send(topics.DEADLETTER, dead.key, None)
        producer.flush()
    finally:
        producer.close()
    return len(going)


def expire(broker: Broker, before: datetime) -> int:
    """Takes dead letters that are older than ``before`` off the list; how many. Raises TryLater."""
    old = [dead for dead in _waiting(broker).values() if dead.at < before]
    if old:
        producer = broker.producer()
        try:
            for dead in old:
                producer.send(topics.DEADLETTER, dead.key, None)
            producer.flush()
        finally:
            producer.close()
    return len(old)


def _again(dead: DeadLetter, prepare: Callable[[Mention], Mention]) -> tuple[str, bytes] | None:
    """The topic and the bytes that are sent; None for what only its source could read."""
    data = _bytes(dead)
    if dead.stage != "intake":
        return dead.topic, data
    try:
        word = _delivered(data)
    except SetAside:
        return None
    if isinstance(word, Mention):
        return topics.MENTIONS, prepare(word).to_json()
    if isinstance(word, Incident):
        return topics.INCIDENTS, data
    return (topics.MENTIONS if isinstance(word, Removal) else topics.DECISIONS), data


def _delivered(data: bytes) -> Mention | Removal | Decision | Incident:
    """The word a source delivered, of whichever kind. Raises SetAside."""
    try:
        return read_post(data)
    except SetAside:
        return read(Incident, data)


def tells_of(value: bytes, keys: Iterable[str]) -> bool:
    """Whether a dead letter (its JSON) holds data of one of these mentions or authors, by id.

    Where the data are too broken to say, any whole word that equals an id's last part counts: it
    is better to lose a dead letter than to keep what must be erased.
    """
    try:
        data = _bytes(read(DeadLetter, value))
    except SetAside:
        data = value
    wanted = set(keys)
    try:
        ids = set(_ids(load(data)))
    except SetAside:
        ids = set()
    if ids:
        return bool(ids & wanted)
    names = {key.partition(":")[2] or key for key in wanted} | wanted
    text = data.decode(errors="replace")
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in names)


class Shelf:
    """Which dead letters hold data of whom, as they come: asked for each erasure.

    Only ids are remembered. Letters that are too broken to say are read once more when asked.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._reader: Reader | None = None
        self._ids: dict[str, frozenset[str]] = {}

    def about(self, names: Collection[str]) -> list[str]:
        """The keys of the dead letters about these mentions or authors, by id. Raises TryLater."""
        self._look()
        found = [key for key, ids in self._ids.items() if not ids.isdisjoint(names)]
        if all(self._ids.values()):
            return found
        # Read anew: what strangers wrote is not kept in memory.
        reader = self._broker.reader([topics.DEADLETTER])
        try:
            unclear = [
                record.key
                for records in batches(reader, 500)
                for record in records
                if record.value is not None and not self._ids.get(record.key)
                if tells_of(record.value, names)
            ]
        finally:
            reader.close()
        return [*found, *dict.fromkeys(unclear)]

    def close(self) -> None:
        """Lets go of the topic."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _look(self) -> None:
        if self._reader is None:
            self._reader = self._broker.reader([topics.DEADLETTER])
            self._ids.clear()
        try:
            for records in batches(self._reader, 500):
                for record in records:
                    self._take(record)
        except TryLater:
            self.close()
            raise

    def _take(self, record: Record) -> None:
        if record.value is None:
            self._ids.pop(record.key, None)
            return
        try:
            self._ids[record.key] = frozenset(_ids(load(_bytes(read(DeadLetter, record.value)))))
        except SetAside:
            self._ids[record.key] = frozenset()


def _waiting(broker: Broker) -> dict[str, DeadLetter]:
    """Dead letters by key; a tombstone marks one that was sent again."""
    found: dict[str, DeadLetter] = {}
    reader = broker.reader([topics.DEADLETTER])
    try:
        for records in batches(reader, 500):
            for record in records:
                found.pop(record.key, None)
                if record.value is None:
                    continue
                try:
                    found[record.key] = read(DeadLetter, record.value)
                except SetAside as reason:
                    log.warning("passed over an unreadable dead letter: %s", reason)
        return found
    finally:
        reader.close()


def _bytes(dead: DeadLetter) -> bytes:
    """What it is about; base64 that somebody else wrote badly is taken for the bytes themselves."""
    try:
        return base64.b64decode(dead.data, validate=True)
    except ValueError:
        return dead.data.encode()


def _summary(dead: DeadLetter) -> Summary:
    return Summary(
        id=_id(dead),
        at=dead.at,
        stage=dead.stage,
        topic=dead.topic,
        origin=dead.origin,
        reason=dead.reason,
        bytes=len(_bytes(dead)),
    )


def _id(dead: DeadLetter) -> str:
    return blake2b(dead.key.encode(), digest_size=5).hexdigest()


def _key(data: bytes) -> str | None:
    """The key under which the data belong on their topic, as far as they tell."""
    try:
        return next(_ids(load(data)), None)
    except SetAside:
        return None


def _ids(value: Any) -> Iterator[str]:
    """Ids of mentions and authors that JSON of one of our words tells, the record's own first."""
    if not isinstance(value, dict):
        return
    source = value.get("source")
    if source is not None and value.get("external_id") is not None:
        yield f"{source}:{value['external_id']}"
        author = value.get("author")
        if isinstance(author, dict) and author.get("id") is not None:
            yield f"{source}:{author['id']}"
    for name in ("removal", "subject", "id"):
        if isinstance(value.get(name), str):
            yield value[name]
    if isinstance(value.get("mention"), dict):
        yield from _ids(value["mention"])
