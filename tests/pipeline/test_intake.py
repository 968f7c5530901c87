"""Intake: what a source delivers is on the topics before its cursor moves."""

import base64
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import topics
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.decoding import read, read_post
from pipeline.errors import GiveUp, SetAside, TryLater
from pipeline.intake import Intake, prepare
from pipeline.model import Author, Coverage, DeadLetter, Decision, Incident, Mention, Removal
from pipeline.ports import Item, Record, Unreadable
from pipeline.reading import batches
from pipeline.tracks import Matcher, Track

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
MATCHER = Matcher([Track(name="acme", terms=("acme",))])


def mention(number: int = 1, text: str = "Acme is down", **more: Any) -> Mention:
    return Mention(source="x", external_id=str(number), text=text, said_at=NOW, **more)


class Fixed:
    """A source that delivers fixed values; an exception among them is raised at its place, once."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.name = "fixed"
        self.opened_at: list[str | None] = []
        self._values = list(values)

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        self.opened_at.append(cursor)
        position = int(cursor or 0)
        while position < len(self._values) and not stop.is_set():
            value = self._values[position]
            if isinstance(value, Exception):
                del self._values[position]
                raise value
            position += 1
            yield Item(value, str(position))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    with closing(LocalBroker(tmp_path / "broker", ManualClock(NOW))) as opened:
        opened.ensure(topics.TOPICS)
        yield opened


def intake(source: Fixed, broker: LocalBroker, **more: Any) -> Intake:
    matcher = more.pop("matcher", None)
    return Intake(source, broker, matcher, ManualClock(NOW), **more)


def run(role: Intake) -> int:
    """Turns until the source is at its end; how many items were handled."""
    handled = 0
    with closing(role):
        while not role.done:
            handled += role.turn(0)
    return handled


def on(broker: LocalBroker, topic: str) -> list[Record]:
    with closing(broker.reader([topic])) as reader:
        return [record for records in batches(reader, 100) for record in records]


def test_each_word_goes_to_its_topic(broker: LocalBroker) -> None:
    """Mentions and removals share a topic, so that they keep their order; the rest has its own."""
    removal = Removal(removal="x:1", kind="hidden", at=NOW)
    incident = Incident(id="acme:1", title="t", status="investigating", at=NOW)
    decision = Decision(id="d", subject="x:1", verb="link", value="acme:1", by="ann", at=NOW)
    coverage = Coverage(source="x", from_at=NOW, to_at=NOW)
    values = [mention(), removal, incident, decision, coverage]
    assert run(intake(Fixed(values), broker)) == 5
    posts = [read_post(r.value or b"") for r in on(broker, topics.MENTIONS)]
    assert [type(post) for post in posts] == [Mention, Removal]
    assert [r.key for r in on(broker, topics.MENTIONS)] == ["x:1", "x:1"]
    for topic, word in (
        (topics.INCIDENTS, incident), (topics.DECISIONS, decision), (topics.COVERAGE, coverage)
    ):  # fmt: skip
        [record] = on(broker, topic)
        assert record.key == word.key
        assert record.value == word.to_json()


def test_an_unreadable_item_becomes_a_dead_letter(broker: LocalBroker) -> None:
    """With its bytes, its reason and where it stood; the rest goes on."""
    bad = Unreadable(b"\xff{", "no JSON", "posts line 7")
    assert run(intake(Fixed([bad, mention()]), broker)) == 2
    [record] = on(broker, topics.DEADLETTER)
    dead = read(DeadLetter, record.value or b"")
    assert base64.b64decode(dead.data) == b"\xff{"
    assert (dead.stage, dead.topic, dead.reason) == ("intake", "mentions", "no JSON")
    assert dead.origin == "fixed: posts line 7"
    assert len(on(broker, topics.MENTIONS)) == 1


def test_what_json_cannot_hold_is_set_aside_without_its_text(broker: LocalBroker) -> None:
    """A lone surrogate in a field that a collector did not check must not stop the source."""
    bad = mention(author=Author(id="1", handle="secret\ud800"))
    assert run(intake(Fixed([bad, mention(2)]), broker)) == 2
    [record] = on(broker, topics.DEADLETTER)
    assert "cannot be written as JSON" in read(DeadLetter, record.value or b"").reason
    assert b"secret" not in (record.value or b"")


def test_resumes_after_the_last_acknowledged_item(broker: LocalBroker) -> None:
    """A new intake reads the cursor from its topic and goes on there."""
    values = [mention(n) for n in range(5)]
    first = intake(Fixed(values), broker, batch=2)
    assert first.turn(0) == 2
    first.close()
    source = Fixed(values)
    assert run(intake(source, broker, batch=2)) == 3
    assert source.opened_at == ["2"]
    assert [r.key for r in on(broker, topics.MENTIONS)] == [f"x:{n}" for n in range(5)]


def test_a_source_that_fails_loses_nothing(broker: LocalBroker) -> None:
    """What came before the error is published, the error is raised, and reading goes on there."""
    source = Fixed([mention(1), TryLater("away", after=3), mention(2)])
    with closing(intake(source, broker)) as role:
        with pytest.raises(TryLater, match="away"):
            role.turn(0)
        assert [r.key for r in on(broker, topics.MENTIONS)] == ["x:1"]
        assert role.turn(0) == 1
        assert role.done
    assert source.opened_at == [None, "1"]


def test_a_source_that_gives_up_stops_the_role(broker: LocalBroker) -> None:
    """GiveUp goes through, after what had come is safe."""
    role = intake(Fixed([mention(1), GiveUp("no key")]), broker)
    with closing(role), pytest.raises(GiveUp, match="no key"):
        role.turn(0)
    assert len(on(broker, topics.MENTIONS)) == 1


def test_a_broker_that_fails_gets_the_batch_again(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is acknowledged, so the cursor stays and the same batch is sent again."""
    source = Fixed([mention(1), mention(2)])
    with closing(intake(source, broker)) as role:
        flush = role._producer.flush

        def fail() -> None:
            monkeypatch.setattr(role._producer, "flush", flush)
            raise TryLater("disk full")

        monkeypatch.setattr(role._producer, "flush", fail)
        with pytest.raises(TryLater, match="disk full"):
            role.turn(0)
        assert on(broker, topics.CURSORS) == []
        assert role.turn(0) == 2
    assert source.opened_at == [None], "the source was not asked again"
    assert {r.key for r in on(broker, topics.MENTIONS)} == {"x:1", "x:2"}


def test_an_item_without_value_sends_what_there_is(broker: LocalBroker) -> None:
    """A pause of the source ends the batch; its cursor is kept too."""
    with closing(intake(Fixed([mention(1), None, mention(2), None]), broker)) as role:
        assert role.turn(0) == 1
        assert [r.key for r in on(broker, topics.MENTIONS)] == ["x:1"]
        assert role.turn(0) == 1
        assert on(broker, topics.CURSORS)[-1].key == "fixed"


def test_a_clock_that_leaps_does_not_cut_batches(broker: LocalBroker) -> None:
    """In a replay the clock is set by the records; batches stay full all the same."""
    clock = ManualClock(NOW)

    class Leaping(Fixed):
        def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
            for item in super().items(cursor, stop):
                clock.set(clock.now() + timedelta(days=1))
                yield item

    source = Leaping([mention(n) for n in range(10)])
    with closing(Intake(source, broker, None, clock)) as role:
        assert role.turn(0) == 10


def test_an_idle_source_writes_nothing(broker: LocalBroker) -> None:
    """While the cursor stays where it is, nothing goes to the topics."""

    class Idle(Fixed):
        def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
            yield from [Item(mention(1), "1"), *[Item(None, "1")] * 5]

    assert run(intake(Idle([]), broker)) == 1
    assert len(on(broker, topics.CURSORS)) == 1


def test_the_log_tells_counts_and_no_text(
    broker: LocalBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """One line a batch; a post's text never goes to the log."""
    values = [mention(1), mention(2, text="the secret"), Unreadable(b"secret", "bad", "line 3")]
    with caplog.at_level(logging.INFO):
        run(intake(Fixed(values), broker, matcher=MATCHER))
    [line] = [r.getMessage() for r in caplog.records if r.name == "pipeline.intake"]
    assert line.startswith("intake fixed: 1 dead, 1 mentions, 1 unmatched, ")
    assert "secret" not in caplog.text


@pytest.mark.parametrize(("keep", "kept"), [(False, ["x:1", "x:3"]), (True, ["x:1", "x:2", "x:3"])])
def test_unmatched_mentions_are_dropped_unless_kept(
    broker: LocalBroker, keep: bool, kept: list[str]
) -> None:
    """Given tracks count as a match; a replay keeps everything."""
    values = [mention(1), mention(2, text="nothing"), mention(3, text="none", tracks=("other",))]
    run(intake(Fixed(values), broker, matcher=MATCHER, keep_unmatched=keep))
    assert [r.key for r in on(broker, topics.MENTIONS)] == kept


def test_an_edit_that_takes_our_name_out_hides_the_post(broker: LocalBroker) -> None:
    """Else the old words would stay; another edit shows it again. Others' edits are dropped."""
    values = [
        mention(1),
        mention(1, "it was somebody else", version=1),
        mention(1, "Acme again", version=2),
        mention(1, "Acme again and again", version=3),
        mention(2, "nothing of ours"),
    ]
    assert run(intake(Fixed(values), broker, matcher=MATCHER)) == 5
    posts = [read_post(r.value or b"") for r in on(broker, topics.MENTIONS)]
    kinds = [
        post.version if isinstance(post, Mention) else getattr(post, "kind", None) for post in posts
    ]
    assert kinds == [0, "hidden", "shown", 2, 3]
    assert {r.key for r in on(broker, topics.MENTIONS)} == {"x:1"}


def test_closing_stops_the_source(broker: LocalBroker) -> None:
    """Close ends the iterator, so that files and connections are let go."""
    ended = []

    class Endless(Fixed):
        def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
            try:
                while not stop.is_set():
                    yield Item(None, "0")
            finally:
                ended.append(True)

    role = intake(Endless([]), broker)
    role.turn(0)
    role.close()
    assert ended == [True]


@settings(max_examples=30, deadline=None)
@given(data=st.data(), number=st.integers(1, 12), batch=st.integers(1, 5))
def test_no_loss_through_any_row_of_failures(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, number: int, batch: int
) -> None:
    """Whatever fails and whenever the process ends, each mention is on the topic, in order."""
    values: list[Any] = [mention(n) for n in range(number)]
    for at in sorted(data.draw(st.sets(st.integers(0, number), max_size=3)), reverse=True):
        values.insert(at, TryLater("away"))
    source = Fixed(values)
    path = tmp_path_factory.mktemp("broker") / "broker"
    with closing(LocalBroker(path, ManualClock(NOW))) as broker:
        broker.ensure(topics.TOPICS)
        role = intake(source, broker, batch=batch)
        while not role.done:
            try:
                role.turn(0)
            except TryLater:
                continue
            if not role.done and data.draw(st.booleans()):
                role.close()
                role = intake(source, broker, batch=batch)
        role.close()
        keys = [record.key for record in on(broker, topics.MENTIONS)]
    assert list(dict.fromkeys(keys)) == [f"x:{n}" for n in range(number)]


# ---- prepare ----------------------------------------------------------------------------------


def test_seen_now_unless_the_source_says() -> None:
    """seen_at is ours: the time of intake, or what a recording gives."""
    later = NOW + timedelta(hours=1)
    assert prepare(mention(), later, None).seen_at == later
    assert prepare(mention(seen_at=NOW), later, None).seen_at == NOW


def test_event_time_is_at_most_five_minutes_ahead() -> None:
    """A platform's clock may run ahead of ours a little, not to the year 2100."""
    far = mention(event_at=datetime(2100, 1, 1, tzinfo=UTC))
    assert prepare(far, NOW, None).event_at == NOW + timedelta(minutes=5)
    old = mention(event_at=datetime(1970, 1, 1, tzinfo=UTC))
    assert prepare(old, NOW, None).event_at == old.event_at


def test_given_tracks_are_kept() -> None:
    """A source that knows its tracks is believed; otherwise the text decides."""
    assert prepare(mention(tracks=("own",)), NOW, MATCHER).tracks == ("own",)
    assert prepare(mention(), NOW, MATCHER).tracks == ("acme",)
    assert prepare(mention(), NOW, None).tracks == ()


def test_private_numbers_are_masked_unless_told_otherwise() -> None:
    """Masking happens before the topic, so that no part of us ever keeps the number."""
    told = mention(text="Acme, call me on 07700 900123")
    assert prepare(told, NOW, None).text == "Acme, call me on [phone]"
    assert prepare(told, NOW, None, mask=False).text == told.text


def test_preparing_twice_changes_nothing() -> None:
    """A mention that is read again is prepared to the same record."""
    once = prepare(mention(text="Acme, mail joe@mail.example.com"), NOW, MATCHER)
    assert prepare(once, NOW + timedelta(days=1), MATCHER) == once


def test_too_large_for_the_topic_is_set_aside(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the broker refuses as too large goes to the dead letters, cut to what fits there."""
    with closing(intake(Fixed([mention(1, text="Acme " * 200_000)]), broker)) as role:
        send = role._producer.send

        def refuse(topic: str, key: str, value: bytes | None) -> None:
            if value is not None and len(value) > 999_000:
                raise SetAside("a record may have 999,000 bytes")
            send(topic, key, value)

        monkeypatch.setattr(role._producer, "send", refuse)
        assert role.turn(0) == 1
    [record] = on(broker, topics.DEADLETTER)
    assert "999,000" in read(DeadLetter, record.value or b"").reason
    assert on(broker, topics.MENTIONS) == []


def test_it_tells_what_became_of_what_came(broker: LocalBroker) -> None:
    """Words are counted by kind, edits apart; a gap says how long the source was blind and why."""
    gap = Coverage(
        source="fixed",
        from_at=NOW - timedelta(minutes=7),
        to_at=NOW,
        is_gap=True,
        cause="look-back exceeded",
    )
    later = mention(2, event_at=NOW + timedelta(minutes=1))
    values: list[Any] = [mention(1), later, mention(1, version=5), mention(3, "of others"), gap]
    values.append(Unreadable(b"{", "it is no JSON", "line 6"))
    role = intake(Fixed(values), broker, matcher=MATCHER)
    assert role.heard_at is role.cursor_at is role.newest_event_at is None

    run(role)

    assert role.totals == {"mentions": 2, "edits": 1, "unmatched": 1, "gaps": 1, "dead": 1}
    assert role.gaps == {"look-back exceeded": 1}
    assert role.blind_seconds == {"look-back exceeded": 7 * 60}
    assert role.newest_event_at == NOW + timedelta(minutes=1)
    assert role.heard_at == role.cursor_at == NOW


def test_a_cursor_of_before_the_start_has_its_age(broker: LocalBroker) -> None:
    """After a restart it is known since when the source was not read, before it answers again."""
    run(intake(Fixed([mention()]), broker))
    role = intake(Fixed([mention(), TryLater("the source is away")]), broker)
    with closing(role), pytest.raises(TryLater):
        role.turn(0)
    assert role.cursor_at == NOW
    assert role.heard_at is None
