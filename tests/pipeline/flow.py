"""What the tests of worker and store share: words of invented people, and a plain ``enrich``."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.model import Decision, Feedback, Incident, Link, Mention, Removal, Repeat, Word
from pipeline.ports import Broker

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def mention(number: int, text: str = "Nordwind is down", **more: Any) -> Mention:
    """A post, a second after the one before."""
    given = {"source": "forum", "external_id": f"{number:04d}", "text": text}
    return Mention(**(given | {"said_at": NOON + timedelta(seconds=number)} | more))


def incident(number: int = 1, **more: Any) -> Incident:
    """An incident of an invented shop."""
    given = {"id": f"status:{number}", "title": "Checkout fails", "status": "investigating"}
    return Incident(**(given | {"at": NOON} | more))


def decision(subject: str = "groundswell:nordwind-1", verb: str = "accept") -> Decision:
    """What a person settled."""
    return Decision(
        id=f"d-{subject}",
        subject=subject,
        verb=verb,
        by="ada",
        at=NOON,
    )


def erased(of: Mention) -> Removal:
    """The order to erase a post."""
    return Removal(removal=of.id, kind="erased", at=NOON, scope="mention")


def feedback(of: Mention, **more: Any) -> Feedback:
    """Feedback without labels or links."""
    return Feedback(
        **({"mention": of, "repeat": Repeat(group=of.id), "labels": {}, "model": "1"} | more)
    )


def enrich(mentions: Sequence[Mention]) -> list[Feedback]:
    """The steps' place in these tests: a text that tells of a checkout is linked."""
    link = Link(incident="status:1", p=0.9, state="linked")
    return [feedback(post, links=(link,) if "checkout" in post.text else ()) for post in mentions]


def send(broker: Broker, topic: str, *words: Word | bytes, key: str = "raw") -> None:
    """Puts words, or raw bytes, on a topic."""
    producer = broker.producer()
    for word in words:
        if isinstance(word, bytes):
            producer.send(topic, key, word)
        else:
            producer.send(topic, word.key, word.to_json())  # type: ignore[attr-defined]
    producer.flush()


def sent(broker: Broker, topic: str) -> list[tuple[str, bytes | None]]:
    """Keys and values of all records of a topic."""
    reader = broker.reader([topic])
    found = [(record.key, record.value) for record in reader.poll(10_000, 0)]
    reader.close()
    return found
