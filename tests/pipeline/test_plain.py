"""The quick reader of mentions gives what the model gives, or leaves it to the model."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import plain
from pipeline.decoding import read
from pipeline.errors import SetAside
from pipeline.model import Mention
from pipeline.values import MAX_TEXT_BYTES
from tests.pipeline.test_encoding import MENTIONS, TEXTS

#: Times as others write them, right and wrong.
TIMES = [
    "2026-01-05T12:00:00Z",
    "2026-01-05T12:00:00.5Z",
    "2026-01-05T12:00:00.123456Z",
    "2026-01-05T12:00:00.1234567Z",
    "2026-01-05T12:00:00.9999999Z",
    "2026-01-05T12:00:00,5Z",
    "2026-01-05t12:00:00z",
    "2026-01-05 12:00:00+00:00",
    "2026-01-05T12:00:00-00:00",
    "2026-01-05T14:00:00+02:00",
    "2026-01-05T12:00:00",
    "2026-01-05T12:00Z",
    "2026-01-05",
    "2026-W02-1T12:00:00Z",
    "20260105T120000Z",
    "2026-02-30T12:00:00Z",
    "2026-01-05T24:00:00Z",
    "2026-01-05T23:59:60Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "1767614400",
    "٢٠٢٦-01-05T12:00:00Z",
    "",
]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(TIMES),
    st.lists(st.text(max_size=3) | st.integers() | st.none(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2),
)
AUTHORS = st.fixed_dictionaries(
    {},
    optional={
        "id": TEXTS | ODD,
        "handle": TEXTS | st.none(),
        "created_at": st.sampled_from(TIMES) | ODD,
        "other": ODD,
    },
)
#: Of each field what it may be and what it may not; most fields of a post are as they should be.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "kind": st.sampled_from(["post", "repost", "review", "story"]),
    "author": AUTHORS,
    "event_at": st.sampled_from(TIMES),
    "seen_at": st.sampled_from(TIMES),
    "lang": TEXTS,
    "thread": st.none(),
    "hashtags": st.lists(TEXTS, max_size=2),
    "engagement": st.dictionaries(TEXTS, st.integers(0, 9) | st.floats(), max_size=2),
    "rating": st.integers(0, 5) | st.floats(),
    "tracks": st.lists(TEXTS, max_size=2),
    "version": st.integers(0, 2**60),
}
DOCUMENTS = st.fixed_dictionaries(
    {
        "source": TEXTS | ODD,
        "external_id": TEXTS | ODD,
        "text": st.text(max_size=20) | ODD,
        "said_at": st.sampled_from(TIMES) | ODD,
    },
    optional=FIELDS | {"url": ODD, "place": ODD, "unknown": ODD},
)


def by_model(data: bytes) -> Mention | str:
    """What is read without the quick reader, or why nothing is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "read_mention", lambda _: None)
        try:
            return read(Mention, data)
        except SetAside as reason:
            return str(reason)


def assert_same(data: bytes) -> bool:
    """With and without it: the same mention or the same reason; whether it is read quickly."""
    slowly = by_model(data)
    try:
        quickly: Mention | str = read(Mention, data)
    except SetAside as reason:
        quickly = str(reason)
    if isinstance(quickly, Mention) and isinstance(slowly, Mention):
        assert quickly.to_json() == slowly.to_json()  # equal also where a number is none
        # Of the times it matters which were told.
        for name in ("event_at", "seen_at"):
            assert (name in quickly.model_fields_set) == (name in slowly.model_fields_set)
        assert list(vars(quickly)) == list(vars(slowly))
        assert type(quickly.said_at.tzinfo) is type(slowly.said_at.tzinfo)
    else:
        assert quickly == slowly
    return plain.read_mention(data) is not None


@given(DOCUMENTS)
@settings(max_examples=150, deadline=None)
def test_any_document_is_read_as_the_model_reads_it(document: dict[str, Any]) -> None:
    """Right or wrong, complete or not, with fields that nobody knows."""
    assert_same(json.dumps(document).encode())


@given(MENTIONS)
@settings(deadline=None)
def test_what_we_wrote_ourselves_is_read_quickly(word: Mention) -> None:
    """Nothing that a mention of ours may hold needs the model."""
    assert assert_same(word.to_json())
    assert read(Mention, word.to_json()) == word


@given(MENTIONS, st.data())
@settings(max_examples=100, deadline=None)
def test_broken_bytes_are_never_read_otherwise(word: Mention, chance: st.DataObject) -> None:
    """One byte changed, put in or lost anywhere: no text slips through that the model refuses."""
    data = bytearray(word.to_json())
    at = chance.draw(st.integers(0, len(data) - 1))
    data[at : at + chance.draw(st.integers(0, 2))] = chance.draw(st.binary(max_size=2))
    assert_same(bytes(data))


@pytest.mark.parametrize(
    "part",
    [
        *[f'"said_at":"{time}"' for time in TIMES],
        '"said_at":"2026-01-05","text":"x","text":"y"',
        '"said_at":"2026-01-05T12:00:00Z","event_at":null,"author":null',
        '"said_at":"2026-01-05T12:00:00Z","author":{"id":"a","id":7}',
        '"said_at":"2026-01-05T12:00:00Z","author":{"created_at":"0001-01-01T00:00:00Z"}',
        '"said_at":"2026-01-05T12:00:00Z","version":5.0',
        '"said_at":"2026-01-05T12:00:00Z","version":true',
        '"said_at":"2026-01-05T12:00:00Z","version":9223372036854775807',
        '"said_at":"2026-01-05T12:00:00Z","version":9223372036854775808',
        '"said_at":"0001-01-01T00:00:00+14:00"',
        '"said_at":"2026-01-05T12:00:00Z","rating":1e400',
        '"said_at":"2026-01-05T12:00:00Z","rating":01',
        '"said_at":"2026-01-05T12:00:00Z","rating":NaN',
        '"said_at":"2026-01-05T12:00:00Z","engagement":{"likes":1,"likes":2}',
        '"said_at":"2026-01-05T12:00:00Z","unknown":' + "[" * 5_000 + "]" * 5_000,
        '"said_at":"2026-01-05T12:00:00Z","lang":"\\ud83d\\ude00"',
        '"said_at":"2026-01-05T12:00:00Z","lang":"\\ud83d"',
        '"said_at":"2026-01-05T12:00:00Z","lang":"\\u0000"',
    ],
)
def test_odd_but_possible_documents_are_read_alike(part: str) -> None:
    """What platforms and hostile posts may send, by name."""
    assert_same(f'{{"source":"x","external_id":"1","text":"t",{part}}}'.encode())


@pytest.mark.parametrize("characters", [MAX_TEXT_BYTES // 4, MAX_TEXT_BYTES, MAX_TEXT_BYTES + 1])
def test_the_longest_texts_are_left_to_the_model(characters: int) -> None:
    """Only it counts their bytes."""
    post = {"source": "x", "external_id": "1", "text": "é" * (characters // 2), "said_at": TIMES[0]}
    assert_same(json.dumps(post, ensure_ascii=False).encode())
    assert_same(json.dumps(post | {"external_id": "i" * characters}).encode())


def test_a_rating_with_many_digits_is_no_time() -> None:
    """What looks for digits too fine in times does not stumble over other numbers."""
    word = Mention(source="a", external_id="1", text="", said_at="2026-01-05", rating=10.1328125)
    assert assert_same(word.to_json())
