"""When two posts are alike."""

import pytest

from pipeline.indexes.alike import EQUAL, in_order, is_alike, words

SAID = b"acme messages have not been delivered since this morning in leeds"


def alike(one: bytes, other: bytes) -> bool:
    likeness, enough = in_order([one], [other])
    assert 0 <= likeness[0] <= EQUAL
    return bool(enough[0]) and is_alike(one, other)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (SAID, True),
        (SAID.replace(b"messages", b"texts"), True),
        (SAID[:40], True),  # cut off
        (b"hello all does anybody here know why " + SAID + b" and will it come back today", True),
        (b"in leeds this morning acme delivered messages", False),  # in another order
        (b"nordwind parcels have not been delivered for weeks it is a shame", False),
        (b"", False),
    ],
)
def test_small_edits_and_what_is_contained(other: bytes, expected: bool) -> None:
    """Either way round."""
    assert alike(SAID, other) is alike(other, SAID) is expected


def test_four_words_contained_are_not_enough() -> None:
    """Everybody uses four words sooner or later."""
    assert not alike(b"acme messages not delivered", SAID)


def test_words_are_words_or_pairs_of_characters() -> None:
    """Bytes from 128 on are characters of scripts without spaces."""
    assert words(b"to be or not to be") == {b"to", b"be", b"or", b"not"}
    assert words(b"ok \x81\x82\x83 \x90") == {b"ok", b"\x81\x82", b"\x82\x83", b"\x90"}
    assert words(b"") == set()


def test_no_pairs() -> None:
    """Nothing asked, nothing answered."""
    likeness, enough = in_order([], [])
    assert likeness.size == enough.size == 0
