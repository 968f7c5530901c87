"""Dead letters are listed without their bytes and can be sent again."""

import pytest

from pipeline import deadletters, topics
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.deadletters import MAX_DATA_BYTES, letter, tells_of
from pipeline.incidents import Book
from pipeline.model import DeadLetter, Incident
from pipeline.worker import Worker
from tests.pipeline.flow import NOON, decision, enrich, feedback, mention, send, sent


def dead(
    data: bytes, origin: str = "posts.jsonl line 7", topic: str = topics.MENTIONS
) -> DeadLetter:
    return letter("intake", "no JSON", data, topic=topic, origin=origin, at=NOON)


def test_a_dead_letter_is_listed_once(broker: LocalBroker) -> None:
    """The same bad record met again after a crash is one entry, with how much and where."""
    send(broker, topics.DEADLETTER, dead(b"12345"), dead(b"12345"), dead(b"6", "line 8"))

    first, second = deadletters.listing(broker)

    assert (first.origin, first.bytes, first.reason) == ("posts.jsonl line 7", 5, "no JSON")
    assert second.bytes == 1
    assert first.id != second.id


def test_nothing_dead_is_an_empty_list(broker: LocalBroker) -> None:
    """A fresh broker has none."""
    assert deadletters.listing(broker) == []
    assert deadletters.replay(broker, ["feedbeef00"]) == 0


def test_replay_sends_the_very_bytes_again(broker: LocalBroker) -> None:
    """They go to their topic under the key they tell; only the chosen ones, and they are done."""
    post = mention(1)
    send(broker, topics.DEADLETTER, dead(post.to_json()), dead(b"no json", "line 8"))
    chosen, other = deadletters.listing(broker)

    assert deadletters.replay(broker, [chosen.id]) == 1

    assert sent(broker, topics.MENTIONS) == [(post.id, post.to_json())]
    assert [each.id for each in deadletters.listing(broker)] == [other.id]


def test_what_the_intake_set_aside_is_prepared_before_it_is_sent(broker: LocalBroker) -> None:
    """It was never masked; letters of later stages went through the intake and stay as they are."""
    later = letter("worker", "?", b"b", topic=topics.MENTIONS, origin="mentions/0/1", at=NOON)
    send(broker, topics.DEADLETTER, dead(mention(1).to_json()), later)
    ids = [each.id for each in deadletters.listing(broker)]
    masked = mention(1).model_copy(update={"text": "masked"})

    deadletters.replay(broker, ids, lambda _: masked)

    assert {value for _, value in sent(broker, topics.MENTIONS)} == {masked.to_json(), b"b"}


def test_an_incident_goes_back_as_an_incident(broker: LocalBroker) -> None:
    """Whatever topic its letter names: releases before named that of posts."""
    word = Incident(id="status:4", title="t", status="investigating", at=NOON)
    send(broker, topics.DEADLETTER, dead(word.to_json()))

    assert deadletters.replay(broker, [each.id for each in deadletters.listing(broker)]) == 1

    assert sent(broker, topics.INCIDENTS) == [("status:4", word.to_json())]
    assert sent(broker, topics.MENTIONS) == []


@pytest.mark.parametrize("data", [b"{bad", b'{"alert": {"state": "firing"}}'])
def test_what_only_its_source_could_read_stays_with_its_reason(
    broker: LocalBroker, data: bytes
) -> None:
    """A tool's own JSON is no word of ours: sent on, it would come back with another reason."""
    send(broker, topics.DEADLETTER, dead(data, topic=topics.INCIDENTS))
    (before,) = deadletters.listing(broker)

    assert deadletters.replay(broker, [before.id]) == 0

    assert deadletters.listing(broker) == [before]
    assert sent(broker, topics.MENTIONS) == sent(broker, topics.INCIDENTS) == []


@pytest.mark.parametrize(
    ("data", "topic", "key"),
    [
        (feedback(mention(1)).to_json(), topics.FEEDBACK, "forum:0001"),
        (decision("groundswell:a-1").to_json(), topics.DECISIONS, "groundswell:a-1"),
        (b'{"removal":"forum:7","kind":"gone"}', topics.MENTIONS, "forum:7"),
        (b'{"id":"status:4"}', topics.INCIDENTS, "status:4"),
        (b"no json", topics.MENTIONS, "worker|mentions/0/1"),
    ],
)
def test_a_replayed_record_gets_its_key_back(
    broker: LocalBroker, data: bytes, topic: str, key: str
) -> None:
    """As far as the bytes tell whose they are; order within a key depends on it."""
    bad = letter("worker", "?", data, topic=topic, origin="mentions/0/1", at=NOON)
    send(broker, topics.DEADLETTER, bad)

    deadletters.replay(broker, [each.id for each in deadletters.listing(broker)])

    assert sent(broker, topic) == [(key, data)]


def test_what_is_still_bad_dies_again(broker: LocalBroker, clock: ManualClock) -> None:
    """A replayed record that nobody mended comes back to the list."""
    bad = letter("worker", "?", b"no json", topic=topics.MENTIONS, origin="mentions/0/1", at=NOON)
    send(broker, topics.DEADLETTER, bad)
    deadletters.replay(broker, [each.id for each in deadletters.listing(broker)])
    assert deadletters.listing(broker) == []

    Worker(broker, enrich, Book(), clock).turn(0)

    assert [each.stage for each in deadletters.listing(broker)] == ["worker"]


def test_rubbish_among_the_dead_letters_is_passed_over(broker: LocalBroker) -> None:
    """What is no dead letter itself cannot hide the others, and an erasure still looks into it."""
    bad = dead(b"x").model_copy(update={"data": "no base64", "origin": "line 9"})
    send(broker, topics.DEADLETTER, b"rubbish of forum:77", dead(b"12345"), bad)

    assert [each.bytes for each in deadletters.listing(broker)] == [5, 9]
    assert tells_of(b"rubbish of forum:77", ["forum:77"])


def test_a_huge_record_is_cut(broker: LocalBroker) -> None:
    """Its dead letter must itself fit a topic; the reason says that some is missing."""
    huge = dead(b"x" * (MAX_DATA_BYTES + 1))
    send(broker, topics.DEADLETTER, huge)

    (listed,) = deadletters.listing(broker)

    assert listed.bytes == MAX_DATA_BYTES
    assert "kept: the first" in listed.reason


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"source":"forum","external_id":"77"}', True),
        (b'{"source":"forum","external_id":77}', True),
        (b'{"source":"other","external_id":"77"}', False),
        (b'{"source":"forum","external_id":"1","author":{"id":"77"}}', True),
        (b'{"source":"forum","external_id":"1","text":"77"}', False),
        (b'{"mention":{"source":"forum","external_id":"77"}}', True),
        (b'{"removal":"forum:77"}', True),
        (b'{"external_id":"77","te', True),  # broken off: better one too many
        (b'{"external_id":"770","te', False),
        (b"", False),
    ],
)
def test_it_is_known_whose_bytes_they_are(data: bytes, expected: bool) -> None:
    """An erasure finds the dead letters of a post or an author."""
    assert tells_of(dead(data).to_json(), ["forum:77"]) is expected
