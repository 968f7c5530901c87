"""The worker: mentions become feedback, whatever is among them and whenever it stops."""

import logging
from collections.abc import Sequence
from datetime import timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import deadletters, topics
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.decoding import read
from pipeline.errors import Emptied, GiveUp, SetAside, TryLater
from pipeline.incidents import Book
from pipeline.model import Feedback, Mention, Removal, Repeat
from pipeline.worker import Enrich, Worker, enriched
from tests.pipeline.flow import (
    NOON,
    decision,
    enrich,
    erased,
    feedback,
    incident,
    mention,
    send,
    sent,
)

SECRET = "my dog is called Rex"


def worker(broker: LocalBroker, clock: ManualClock, steps: Enrich = enrich) -> Worker:
    return Worker(broker, steps, Book(), clock)


def texts(broker: LocalBroker) -> list[str]:
    """The texts on ``feedback``, in order; a removal shows as its kind."""
    found: list[str] = []
    for _, value in sent(broker, topics.FEEDBACK):
        assert value is not None
        if b'"removal"' in value:
            found.append(read(Removal, value).kind)
        else:
            found.append(read(Feedback, value).mention.text)
    return found


def test_each_mention_becomes_feedback_in_order(broker: LocalBroker, clock: ManualClock) -> None:
    """One for one, versions of one post in their order, and the batch is committed."""
    send(broker, topics.MENTIONS, mention(1), mention(2), mention(1, "edited", version=5))
    role = worker(broker, clock)

    assert role.turn(0) == 3
    assert role.turn(0) == 0

    assert texts(broker) == ["Nordwind is down", "Nordwind is down", "edited"]
    assert broker.lag("worker") == {topics.MENTIONS: 0}


def test_a_turn_goes_through_the_steps_in_parts_and_is_committed_once(
    broker: LocalBroker, clock: ManualClock
) -> None:
    """What is done flies while the next part is worked on; all of it counts together."""
    said = [f"post {n}" for n in range(8)]
    send(broker, topics.MENTIONS, *[mention(n, text) for n, text in enumerate(said)])
    parts: list[int] = []

    def steps(mentions: Sequence[Mention]) -> list[Feedback]:
        parts.append(len(mentions))
        return enrich(mentions)

    role = Worker(broker, steps, Book(), clock, batch=7, at_once=3)
    assert role.turn(0) == 7
    assert parts == [3, 3, 1]
    assert broker.lag("worker") == {topics.MENTIONS: 1}
    assert role.totals["mentions"] == 7

    assert role.turn(0) == 1
    assert texts(broker) == said


def test_an_idle_turn_does_nothing(broker: LocalBroker, clock: ManualClock) -> None:
    """No mentions, no records."""
    assert worker(broker, clock).turn(0) == 0
    assert sent(broker, topics.FEEDBACK) == []


def test_a_hidden_post_keeps_its_record(broker: LocalBroker, clock: ManualClock) -> None:
    """Hidden can be undone: the removal goes on, nothing is deleted."""
    hidden = Removal(removal=mention(1).id, kind="hidden", at=NOON)
    send(broker, topics.MENTIONS, mention(1), hidden)

    worker(broker, clock).turn(0)

    assert texts(broker) == ["Nordwind is down", "hidden"]
    assert broker.count(topics.MENTIONS) == 2


def test_an_erased_post_leaves_a_tombstone(broker: LocalBroker, clock: ManualClock) -> None:
    """The removal is on its way to the store before the text goes from ``mentions``."""
    send(broker, topics.MENTIONS, mention(1), mention(2), erased(mention(1)))
    role = worker(broker, clock)

    role.turn(0)
    role.turn(0)  # meets its own tombstone

    assert texts(broker)[-1] == "erased"
    assert dict(sent(broker, topics.MENTIONS))[mention(1).id] is None
    assert broker.count(topics.MENTIONS) == 2


def test_a_post_under_another_key_does_not_stay(broker: LocalBroker, clock: ManualClock) -> None:
    """What somebody else put on the topic is handled, and goes: no erasure would find it there."""
    send(broker, topics.MENTIONS, mention(1).to_json(), key="theirs")
    role = worker(broker, clock)
    while role.turn(0):
        pass
    assert [key for key, _ in sent(broker, topics.FEEDBACK)] == [mention(1).id]
    assert sent(broker, topics.MENTIONS) == [("theirs", None)]


def test_what_cannot_be_read_is_set_aside(broker: LocalBroker, clock: ManualClock) -> None:
    """Broken records become dead letters with their bytes and a reason; the others go on."""
    broken = [b"no json", b'{"source":"forum"}', decision().to_json(), b"\xff\xfe", b"[]"]
    send(broker, topics.MENTIONS, mention(1), *broken, mention(2))

    worker(broker, clock).turn(0)

    assert len(texts(broker)) == 2
    assert [dead.bytes for dead in deadletters.listing(broker)] == [len(each) for each in broken]
    assert {dead.stage for dead in deadletters.listing(broker)} == {"worker"}


def test_posts_of_another_version_of_the_words(broker: LocalBroker, clock: ManualClock) -> None:
    """What a later version adds is passed over; what has another shape is set aside."""
    later = orjson.loads(mention(1).to_json()) | {"schema": 7, "mood": {"name": "sunny"}}
    reshaped = later | {"author": "ada", "text": ["in", "parts"]}
    send(broker, topics.MENTIONS, *map(orjson.dumps, (later, reshaped)), mention(2))

    worker(broker, clock).turn(0)

    assert len(texts(broker)) == 2
    assert len(deadletters.listing(broker)) == 1


def test_a_post_that_breaks_a_step_is_found(broker: LocalBroker, clock: ManualClock) -> None:
    """Two of many raise: they alone are set aside, with the kind of error and never their text."""
    send(
        broker, topics.MENTIONS, *[mention(n, SECRET if n in {3, 11} else "ok") for n in range(20)]
    )

    role = worker(broker, clock, touchy)
    role.turn(0)

    assert texts(broker) == ["ok"] * 18
    reasons = {dead.reason for dead in deadletters.listing(broker)}
    assert len(reasons) == 1
    assert reasons.pop().startswith("ValueError at test_worker.py:")
    assert role.totals == {"mentions": 18, "dead": 2}


def touchy(mentions: Sequence[Mention]) -> list[Feedback]:
    """A step with a bug that quotes what it chokes on."""
    for post in mentions:
        if post.text == SECRET:
            raise ValueError(f"cannot digest {post.text}")
    return enrich(mentions)


def test_no_text_reaches_the_logs(
    broker: LocalBroker, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One line a batch with numbers, whatever the posts say and however they fail."""
    caplog.set_level(logging.DEBUG)
    send(broker, topics.MENTIONS, mention(1, SECRET), mention(2, "the checkout"), b"Rex")

    worker(broker, clock, touchy).turn(0)

    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert lines[0].startswith("worker: 1 mentions, 0 repeats, 1 linked, 2 dead, ")


def test_a_wrong_number_of_answers_sets_a_post_aside(
    broker: LocalBroker, clock: ManualClock
) -> None:
    """Feedback is never matched to the wrong mention: a step that drops some is caught."""
    send(broker, topics.MENTIONS, mention(1), mention(2))

    worker(broker, clock, lambda _: []).turn(0)

    assert texts(broker) == []
    assert len(deadletters.listing(broker)) == 2


def test_what_is_away_for_now_is_tried_again(broker: LocalBroker, clock: ManualClock) -> None:
    """TryLater in a step: nothing is committed, and the same batch comes again."""
    answers = iter([TryLater("the index is away")])

    def sometimes(mentions: Sequence[Mention]) -> list[Feedback]:
        for problem in answers:
            raise problem
        return enrich(mentions)

    send(broker, topics.MENTIONS, mention(1))
    role = worker(broker, clock, sometimes)
    with pytest.raises(TryLater):
        role.turn(0)
    assert texts(broker) == []

    assert role.turn(0) == 1
    assert len(texts(broker)) == 1


@pytest.mark.parametrize("part", [1, 2, 3])
def test_what_is_away_in_the_middle_of_a_batch_loses_no_part(
    broker: LocalBroker, clock: ManualClock, part: int
) -> None:
    """Parts that flew before TryLater are not committed either: all come again, in their order."""
    said = [f"post {n}" for n in range(8)]
    send(broker, topics.MENTIONS, *[mention(n, text) for n, text in enumerate(said)])
    calls: list[int] = []

    def steps(mentions: Sequence[Mention]) -> list[Feedback]:
        calls.append(len(mentions))
        if len(calls) == part:
            raise TryLater("the index is away")
        return enrich(mentions)

    role = Worker(broker, steps, Book(), clock, batch=8, at_once=3)
    with pytest.raises(TryLater):
        role.turn(0)
    assert broker.lag("worker") == {topics.MENTIONS: 8}

    assert role.turn(0) == 8
    assert texts(broker)[-8:] == said
    assert broker.lag("worker") == {topics.MENTIONS: 0}
    assert role.totals["mentions"] == 8


def test_what_cannot_be_mended_stops_the_worker(broker: LocalBroker, clock: ManualClock) -> None:
    """GiveUp is nobody's post's fault: no dead letters."""

    def never(mentions: Sequence[Mention]) -> list[Feedback]:
        raise GiveUp("the model file is damaged")

    send(broker, topics.MENTIONS, mention(1))

    with pytest.raises(GiveUp):
        worker(broker, clock, never).turn(0)
    assert deadletters.listing(broker) == []


def test_incidents_and_decisions_are_known_before_the_batch(
    broker: LocalBroker, clock: ManualClock
) -> None:
    """What stands on the topics when mentions are polled is in the book when they are enriched."""
    book = Book()
    known: list[int] = []

    def look(mentions: Sequence[Mention]) -> list[Feedback]:
        known.append(len(book.all()))
        return enrich(mentions)

    role = Worker(broker, look, book, clock)
    proposed = incident(id="groundswell:nordwind-1", status="proposed")
    send(broker, topics.INCIDENTS, incident(1), proposed, b"no json", key="status:9")
    send(broker, topics.DECISIONS, decision("groundswell:nordwind-1", "dismiss"))
    send(broker, topics.MENTIONS, mention(1))
    role.turn(0)
    send(broker, topics.INCIDENTS, incident(2))
    send(broker, topics.MENTIONS, mention(2))
    role.turn(0)

    assert known == [2, 3]
    assert not book.takes_posts("groundswell:nordwind-1")
    assert deadletters.listing(broker) == []  # the store sets the unreadable one aside


def test_an_author_who_leaves_twice_is_removed_twice(
    broker: LocalBroker, clock: ManualClock
) -> None:
    """The first removal leaves nothing behind that hides the second, which waits unread."""
    author = "x:nadine"
    first = Removal(removal=author, kind="erased", at=NOON, scope="author")
    second = Removal(removal=author, kind="erased", at=NOON + timedelta(hours=1), scope="author")
    send(broker, topics.MENTIONS, mention(1), first, mention(2), second)
    role = Worker(broker, enrich, Book(), clock, batch=2)
    while role.turn(0):
        pass
    told = [value for key, value in sent(broker, topics.FEEDBACK) if key == author]
    assert [read(Removal, value).at for value in told if value] == [first.at, second.at]


def test_what_is_erased_is_forgotten(broker: LocalBroker, clock: ManualClock) -> None:
    """Erased by a removal, or gone with a tombstone as when its author was erased."""
    send(broker, topics.MENTIONS, mention(1), mention(2), erased(mention(1)))
    producer = broker.producer()
    producer.send(topics.MENTIONS, mention(2).key, None)
    producer.flush()
    gone: list[str] = []
    Worker(broker, enrich, Book(), clock, forget=gone.extend).turn(0)
    assert set(gone) == {mention(1).id, mention(2).id}


def test_the_past_is_restored_before_the_first_turn(
    broker: LocalBroker, clock: ManualClock
) -> None:
    """Feedback of the last 96 hours rebuilds the index, once; nothing else does.

    A post that comes 24 hours late is compared with what was said 72 hours before it.
    """
    send(broker, topics.FEEDBACK, feedback(mention(0)))
    clock.set(NOON + timedelta(hours=5))
    send(broker, topics.FEEDBACK, feedback(mention(3)))
    clock.set(NOON + timedelta(hours=100))
    copy = feedback(mention(1), repeat=Repeat(kind="copy", of="forum:0000", group="forum:0000"))
    send(broker, topics.FEEDBACK, copy, erased(mention(1)), b'{"repeat":', feedback(mention(2)))
    past: list[Feedback] = []

    role = Worker(broker, enrich, Book(), clock, restore=past.extend)
    role.turn(0)
    role.turn(0)

    assert [each.mention.external_id for each in past] == ["0003", "0001", "0002"]
    assert past[1].repeat.group == "forum:0000"


def test_an_index_that_lost_claims_is_restored(broker: LocalBroker, clock: ManualClock) -> None:
    """One that remembers by itself gets the past only after it said so, before the next batch."""
    seen: list[str] = []
    past: list[Feedback] = []
    lost = [True]

    def claiming(mentions: Sequence[Mention]) -> list[Feedback]:
        if lost.pop() if lost else False:
            raise Emptied("the index lost what it had")
        seen.extend(f"{each.mention.external_id} restored" for each in past)
        return enrich(mentions)

    send(broker, topics.FEEDBACK, feedback(mention(0)))
    send(broker, topics.MENTIONS, mention(1))
    role = Worker(broker, claiming, Book(), clock, restore=past.extend, remembers=True)
    with pytest.raises(Emptied):
        role.turn(0)
    assert past == []
    assert role.turn(0) == 1
    assert seen == ["0000 restored"]


def test_another_worker_goes_on_where_one_left(broker: LocalBroker, clock: ManualClock) -> None:
    """A worker that is closed after the poll loses nothing."""
    send(broker, topics.MENTIONS, mention(1), mention(2))
    first = Worker(broker, enrich, Book(), clock, batch=1)
    first.turn(0)
    first.close()

    worker(broker, clock).turn(0)

    assert len(texts(broker)) == 2


@given(bad=st.sets(st.integers(0, 40)), size=st.integers(0, 40))
def test_halving_finds_exactly_the_bad_ones(bad: set[int], size: int) -> None:
    """Whichever posts raise, each of them and nobody else gives a reason, in order."""
    posts = [mention(n, SECRET if n in bad else "ok") for n in range(size)]

    results = enriched(touchy, posts)

    assert [isinstance(each, SetAside) for each in results] == [n in bad for n in range(size)]
