"""Spellings that look alike to people become one; letters of their own stay apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.disguise import unmasked


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("раypal", "paypal"),
        ("ｆｕｌｌ ｗｉｄｔｈ", "full width"),
        ("no\u00adrd\u200bwi\u2060nd", "nordwind"),
        ("n̷o̷r̷d", "nord"),
        ("caffe\u0301", "caffé"),
        ("Straße", "strasse"),
        ("Москва", "москва"),
        ("Αθήνα", "αθήνα"),
        ("سلام", "سلام"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_what_people_read(written: str, read: str) -> None:
    """Disguises go; accents and words of other scripts stay."""
    assert unmasked(written) == read


@given(st.text(max_size=60))
def test_nothing_is_hidden_twice(text: str) -> None:
    """What was unmasked stays as it is, so that patterns and texts meet."""
    once = unmasked(text)
    assert unmasked(once) == once


def test_a_flood_of_marks_is_read_in_no_time() -> None:
    """A hundred thousand marks on one letter are one letter."""
    assert unmasked("n" + "\u0337" * 100_000) == "n"
