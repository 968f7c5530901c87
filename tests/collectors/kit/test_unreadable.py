"""What cannot be read is set aside, whatever it is."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.kit.unreadable import KEPT, kept, unreadable

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


@given(raw=ANYTHING | st.binary())
def test_anything_can_be_set_aside(raw: Any) -> None:
    """Half a character or a huge number, as the libraries of platforms let them through."""
    assert len(kept(raw)) <= KEPT


@pytest.mark.parametrize("raw", [{"text": "half: \ud83d"}, {"id": 2**70}, {"score": 1.5}])
def test_it_stays_json(raw: Any) -> None:
    """For whoever looks at the dead letter."""
    letter = unreadable(raw, "wants a time", "post 7")
    assert orjson.loads(letter.data.replace(b"\\ud83d", b"")).keys() == raw.keys()
    assert (letter.reason, letter.origin) == ("wants a time", "post 7")


def test_bytes_stay_as_they_came_up_to_a_bound() -> None:
    """A hostile answer must not fill the store."""
    assert kept(b"{no json") == b"{no json"
    assert len(kept(b"x" * 10 * KEPT)) == len(kept({"text": "x" * 10 * KEPT})) == KEPT
