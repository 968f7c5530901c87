"""The words: what they accept, what they derive, and what they say when something is wrong."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decoding import check, load, read, read_post
from pipeline.errors import SetAside
from pipeline.model import WORDS, Decision, Incident, LateLink, Mention, Removal
from pipeline.values import from_ms, in_utc, sound, to_ms

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
POST = {"source": "x", "external_id": "1", "text": "the shop is down", "said_at": NOON.isoformat()}


def test_a_mention_needs_four_fields_and_says_which_is_missing() -> None:
    """The reason names every missing field and shows nothing of the record."""
    for field in POST:
        rest = {k: v for k, v in POST.items() if k != field}
        with pytest.raises(SetAside, match=field) as caught:
            read(Mention, json.dumps(rest))
        assert "shop" not in str(caught.value)


def test_times_default_to_when_it_was_said() -> None:
    """Without event_at and seen_at, both are said_at."""
    mention = check(Mention, POST)
    assert mention.event_at == mention.seen_at == mention.said_at == NOON


def test_a_time_without_zone_is_utc_and_others_are_turned() -> None:
    """All times are UTC inside."""
    assert check(Mention, POST | {"said_at": "2026-03-02T12:00:00"}).said_at == NOON
    assert check(Mention, POST | {"said_at": "2026-03-02T14:00:00+02:00"}).said_at == NOON


def test_null_means_absent_and_unknown_fields_are_ignored() -> None:
    """Platforms send null where they have nothing, and fields that we do not know."""
    record = POST | {"hashtags": None, "engagement": None, "author": None, "colour": "red"}
    mention = read(Mention, json.dumps(record))
    assert mention.hashtags == ()
    assert mention.author.id is None


def test_ids_may_be_numbers() -> None:
    """An id given as a number is the same id."""
    assert check(Mention, POST | {"external_id": 17}).id == "x:17"


def test_a_word_survives_its_own_json() -> None:
    """What is written is read back as the same word."""
    mention = check(Mention, POST | {"author": {"id": 5, "handle": "kim"}, "version": 3})
    assert read(Mention, mention.to_json()) == mention


def test_lone_surrogates_and_nul_become_replacement_characters() -> None:
    """Real platforms send both; no store can hold them."""
    text = '{"source":"x","external_id":"1","said_at":"2026-03-02","text":"a\\ud83db\\u0000c"}'
    assert read(Mention, text).text == "a\ufffdb\ufffdc"


def test_a_surrogate_pair_is_one_character() -> None:
    """Only lone surrogates are lost."""
    assert load('{"a":"\\ud83d\\ude00\\ud800"}') == {"a": "\U0001f600\ufffd"}


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'"text"', b"NaN", b"\xff\xfe", b"{}" * 2])
def test_what_is_no_object_is_set_aside(data: bytes) -> None:
    """No JSON, or no object: a reason, never another error."""
    with pytest.raises(SetAside):
        read(Mention, data)


def test_deep_nesting_is_set_aside() -> None:
    """A bomb of brackets is refused, not crashed upon."""
    with pytest.raises(SetAside):
        read(Mention, b"[" * 200_000)


@pytest.mark.parametrize(
    "odd",
    [
        {"said_at": "0001-01-01T00:00:00+14:00"},
        {"said_at": "9999-12-31T23:59:59-12:00"},
        {"seen_at": "9999-12-31T23:59:59-12:00"},
        {"version": 2**63},
        {"version": 2**80},
    ],
)
def test_what_no_store_can_hold_is_set_aside(odd: dict[str, Any]) -> None:
    """Times beyond the calendar once they are in UTC, numbers of more than 64 bits."""
    with pytest.raises(SetAside, match=next(iter(odd))):
        read(Mention, json.dumps(POST | odd))
    assert read(Mention, json.dumps(POST | {"version": 2**63 - 1})).version == 2**63 - 1
    late = {"mention": "x:1", "model": "1", "link": {"incident": "a", "p": 0.5, "state": "linked"}}
    with pytest.raises(SetAside, match="mention_version"):
        read(LateLink, json.dumps(late | {"mention_version": 2**63}))
    named = {"id": "s:1", "title": "t", "status": "investigating", "at": POST["said_at"]}
    with pytest.raises(SetAside, match="version"):
        read(Incident, json.dumps(named | {"version": 2**53}))  # a thousand of them are added up


@pytest.mark.parametrize(
    ("source", "external_id", "fits"),
    [
        ("x", "i" * 598, True),
        ("x", "i" * 599, False),
        ("s" * 300, "i" * 300, False),
        ("x", "\U0001f525" * 149, True),
        ("x", "\U0001f525" * 150, False),
        ("s" * 700, "1", False),
    ],
)
def test_ids_fit_into_the_keys_of_every_store(source: str, external_id: str, fits: bool) -> None:
    """600 bytes for a mention's id with its source: a key of PostgreSQL holds two of them."""
    given = json.dumps(POST | {"source": source, "external_id": external_id})
    if fits:
        assert read(Mention, given.encode()).id == f"{source}:{external_id}"
    else:
        with pytest.raises(SetAside, match="600"):
            read(Mention, given.encode())


def test_a_text_over_a_mebibyte_is_set_aside() -> None:
    """1 MiB is kept whole, one byte more is refused with the limit named."""
    assert len(check(Mention, POST | {"text": "a" * 1_048_576}).text) == 1_048_576
    with pytest.raises(SetAside, match="1,048,576"):
        check(Mention, POST | {"text": "a" * 1_048_577})
    with pytest.raises(SetAside, match="1,048,576"):
        check(Mention, POST | {"text": "\u00e4" * 600_000})


def test_who_is_a_witness() -> None:
    """An author stands for all own posts; an unknown author for this post; unknown reposts not."""
    assert check(Mention, POST | {"author": {"id": "7"}}).witness == "x:7"
    assert check(Mention, POST).witness == "x:1"
    assert check(Mention, POST | {"kind": "repost"}).witness is None


def test_a_line_is_the_word_that_its_fields_name() -> None:
    """Mentions, removals and decisions stand in one file."""
    at = NOON.isoformat()
    assert isinstance(read_post(json.dumps(POST)), Mention)
    removal = {"removal": "x:1", "kind": "erased", "at": at}
    assert isinstance(read_post(json.dumps(removal)), Removal)
    decision = {"id": "d", "subject": "x:1", "verb": "unlink", "value": "s:1", "by": "k", "at": at}
    assert isinstance(read_post(json.dumps(decision)), Decision)


@pytest.mark.parametrize(
    ("verb", "value"), [("relabel", "report"), ("relabel", "mood=bad"), ("link", ""), ("merge", "")]
)
def test_a_decision_without_a_fitting_value_is_refused(verb: str, value: str) -> None:
    """A decision that nobody could carry out is no decision."""
    record = {"id": "d", "subject": "x:1", "verb": verb, "value": value, "by": "k", "at": NOON}
    with pytest.raises(SetAside, match="wants"):
        check(Decision, record)


def incident(**fields: object) -> Incident:
    """An incident of an invented service."""
    return check(Incident, {"id": "status:1", "title": "Login fails", **fields})


def test_an_incident_without_history_gets_it_from_its_updates() -> None:
    """Statuspage tells the history in its updates."""
    updates = [
        {"status": "resolved", "display_at": NOON + timedelta(hours=1)},
        {"status": "investigating", "display_at": NOON},
    ]
    told = incident(status="resolved", updates=updates)
    assert [step.status for step in told.history] == ["investigating", "resolved"]
    assert told.opened_at == NOON
    assert told.started_at == NOON
    assert told.at == NOON + timedelta(hours=1)


def test_an_incident_with_a_start_and_an_end_only_was_investigated_between() -> None:
    """The least that a tool can say still gives a life."""
    told = incident(status="resolved", started_at=NOON, resolved_at=NOON + timedelta(hours=1))
    assert told.status_at(NOON - timedelta(seconds=1)) is None
    assert told.status_at(NOON + timedelta(minutes=5)) == "investigating"
    assert told.status_at(NOON + timedelta(hours=2)) == "resolved"


def test_an_incident_as_it_was_known_at_a_time() -> None:
    """Nobody learns the end at the beginning."""
    later = NOON + timedelta(minutes=30)
    told = incident(
        status="resolved",
        started_at=NOON,
        resolved_at=NOON + timedelta(hours=1),
        updates=[
            {"status": "investigating", "body": "we look", "display_at": NOON},
            {"status": "resolved", "body": "done", "display_at": NOON + timedelta(hours=1)},
        ],
    )
    known = told.at_time(later)
    assert known is not None
    assert known.status == "investigating"
    assert known.resolved_at is None
    assert [update.body for update in known.updates] == ["we look"]
    assert told.at_time(NOON - timedelta(minutes=1)) is None


def test_an_incident_id_names_its_provider() -> None:
    """Ids of two tools must not meet."""
    with pytest.raises(SetAside, match="id"):
        check(Incident, {"id": "17", "title": "t", "status": "resolved", "started_at": NOON})


@given(st.text(st.characters(codec=None), max_size=50))
def test_sound_text_can_be_encoded_and_is_stable(text: str) -> None:
    """Whatever Python can hold becomes something UTF-8 can hold, once and for all."""
    clean = sound(text)
    assert clean.encode().decode() == clean
    assert sound(clean) == clean


@given(st.datetimes(timezones=st.just(UTC)))
def test_milliseconds_there_and_back(at: datetime) -> None:
    """A time keeps its millisecond."""
    assert abs(from_ms(to_ms(at)) - at) <= timedelta(milliseconds=1)
    assert in_utc(at) == at


def test_every_word_has_a_schema_with_its_fields() -> None:
    """The schema names what the word has."""
    for word in WORDS.values():
        assert set(word.model_json_schema()["properties"]) == set(word.model_fields)


NAMED = {"id": "s:1", "title": "t", "status": "resolved", "started_at": "2026-03-02T12:00:00Z"}


def test_a_component_may_be_told_by_its_bare_name() -> None:
    """As the webhook's shape shows it; numbers and lists are refused."""
    told = {"components": ["Checkout", {"id": "7", "name": "Login"}]}
    for incident in (check(Incident, NAMED | told), read(Incident, json.dumps(NAMED | told))):
        assert [(c.id, c.name) for c in incident.components] == [(None, "Checkout"), ("7", "Login")]
        assert read(Incident, incident.to_json()) == incident
    with pytest.raises(SetAside, match="components"):
        check(Incident, NAMED | {"components": [["Checkout"]]})


def test_opened_at_is_the_first_step_of_a_history_that_is_not_told() -> None:
    """It began to hurt at noon, its owner said so nine minutes later."""
    opened = NOON + timedelta(minutes=9)
    told = NAMED | {"opened_at": opened.isoformat()}
    plain = check(Incident, told | {"resolved_at": (NOON + timedelta(hours=1)).isoformat()})
    assert (plain.started_at, plain.opened_at) == (NOON, opened)
    assert [step.status for step in plain.history] == ["investigating", "resolved"]
    assert check(Incident, {k: v for k, v in told.items() if k != "started_at"}).opened_at == opened
    assert read(Incident, plain.to_json()) == plain


@pytest.mark.parametrize(("minute", "first"), [(20, 9), (5, 5)])
def test_opened_at_stands_before_the_updates_or_not_at_all(minute: int, first: int) -> None:
    """An update is a word of the owner's, so nothing was opened after one."""
    said = (NOON + timedelta(minutes=9)).isoformat()
    told = {
        "opened_at": (NOON + timedelta(minutes=minute)).isoformat(),
        "updates": [{"status": "identified", "body": "Found.", "display_at": said}],
    }
    incident = check(Incident, NAMED | told)
    assert incident.opened_at == NOON + timedelta(minutes=first)
    assert [step.status for step in incident.history][-2:] == ["identified", "resolved"]


def test_a_told_history_has_the_last_word_on_when_it_was_opened() -> None:
    """``opened_at`` beside a history is passed over."""
    history = [{"at": NOON.isoformat(), "status": "resolved"}]
    told = {"history": history, "opened_at": "2026-03-02T11:00:00Z"}
    assert check(Incident, NAMED | told).opened_at == NOON


def test_an_opened_at_that_is_no_time_is_refused_without_its_text() -> None:
    """With updates and without."""
    update = {"status": "identified", "display_at": NOON.isoformat()}
    for more in ({}, {"updates": [update]}):
        with pytest.raises(SetAside, match="opened_at: wants a time") as caught:
            check(Incident, NAMED | {"opened_at": "my secret"} | more)
        assert "secret" not in str(caught.value)
