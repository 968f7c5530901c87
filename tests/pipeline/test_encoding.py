"""What a word writes is what pydantic would write, byte for byte, and reads back as the word."""

import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticSerializationError

from pipeline.decoding import read
from pipeline.model import (
    Author,
    Evidence,
    Feedback,
    Incident,
    Label,
    Link,
    Mention,
    Repeat,
    Update,
)

TIMES = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.just(UTC),
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
NAMES = TEXTS.filter(bool)
WORDS = st.lists(TEXTS, max_size=3).map(tuple)
MAYBE = st.none() | TEXTS
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 10**9).map(float)
SHARES = st.floats(0, 1)
EVIDENCE = st.lists(st.builds(Evidence, kind=TEXTS, value=TEXTS, weight=NUMBERS), max_size=3).map(
    tuple
)
MENTIONS = st.builds(
    Mention,
    source=NAMES,
    external_id=NAMES,
    author=st.builds(Author, id=MAYBE, handle=MAYBE, created_at=st.none() | TIMES),
    text=TEXTS,
    lang=MAYBE,
    said_at=TIMES,
    event_at=TIMES,
    seen_at=TIMES,
    thread=MAYBE,
    hashtags=WORDS,
    engagement=st.dictionaries(TEXTS, NUMBERS, max_size=3),
    rating=st.none() | NUMBERS,
    tracks=WORDS,
    version=st.integers(0, 2**53),
)
LINKS = st.builds(Link, incident=NAMES, p=SHARES, evidence=EVIDENCE, incident_version=st.just(7))
LABELS = st.builds(Label, name=TEXTS, p=SHARES, sure=st.booleans(), evidence=EVIDENCE)
FEEDBACK = st.builds(
    Feedback,
    mention=MENTIONS,
    repeat=st.builds(Repeat, kind=st.just("near"), of=MAYBE, group=TEXTS),
    labels=st.dictionaries(TEXTS, LABELS, max_size=3),
    links=st.lists(LINKS, max_size=2).map(tuple),
    model=TEXTS,
)


@given(FEEDBACK)
@settings(deadline=None)
def test_feedback_is_written_as_pydantic_writes_it_and_read_back(word: Feedback) -> None:
    """The quick encoder changes no byte, so that every reader sees the same word."""
    written = word.to_json()
    assert written == word.model_dump_json().encode()
    assert read(Feedback, written) == word


@given(FEEDBACK)
@settings(deadline=None)
def test_a_word_made_unchecked_is_the_same_word(word: Feedback) -> None:
    """It equals the checked one, is written alike, can be copied, and says what it was given."""
    made = Feedback.unchecked({name: getattr(word, name) for name in Feedback.model_fields})
    assert made == word
    assert made.to_json() == word.to_json() == made.model_dump_json().encode()
    assert made.model_copy(update={"links": ()}) == word.model_copy(update={"links": ()})
    assert made.model_fields_set == set(Feedback.model_fields)


def test_an_incident_with_its_history_is_written_as_pydantic_writes_it() -> None:
    """Tuples of words within words, times with and without a fraction, and what is derived."""
    start = datetime(2026, 1, 5, 12, tzinfo=UTC)
    later = datetime(2026, 1, 5, 12, 30, 0, 250_000, tzinfo=UTC)
    word = Incident(
        id="status:1",
        title="Nordwind: „Störung“",
        status="investigating",
        updates=(Update(body="We look into it", display_at=later),),
        started_at=start,
    )
    assert word.to_json() == word.model_dump_json().encode()
    assert read(Incident, word.to_json()) == word


def test_a_number_beyond_64_bits_is_written_all_the_same() -> None:
    """The quick encoder knows no such number; the slow one does."""
    word = Mention(source="x", external_id="1", text="t", said_at="2026-01-05")
    longer = word.model_copy(update={"version": 10**30})
    assert longer.to_json() == longer.model_dump_json().encode()


def test_a_text_that_cannot_be_encoded_raises_as_it_did() -> None:
    """Half of a surrogate pair is no text that could be read again; callers set it aside."""
    word = Mention(source="x", external_id="1", text="t", said_at="2026-01-05")
    with pytest.raises(PydanticSerializationError):
        word.model_copy(update={"text": "\ud800"}).to_json()


def test_what_was_written_takes_no_more_memory_than_it_is_long() -> None:
    """Words wait by the thousand for their acknowledgement; orjson alone would keep 8 KB each."""
    word = Mention(source="x", external_id="1", text="t" * 600, said_at="2026-01-05")
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        written = [word.to_json() for _ in range(200)]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2 * sum(map(len, written))
