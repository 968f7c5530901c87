"""Old entries among new ones."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from collectors.kit.polling import Entry
from collectors.kit.strays import without_strays
from pipeline.ports import Unreadable
from tests.contracts.listening import START


@given(st.lists(st.integers(-5, 5)))
def test_only_what_ends_a_page_may_end_a_walk(hours: list[int]) -> None:
    """All new entries stay; old ones only where nothing newer comes after them."""
    nothing = Unreadable(b"", "", "")
    page = [Entry(str(n), START + timedelta(hours=h), nothing) for n, h in enumerate(hours)]
    kept = without_strays(page, START)
    assert [one for one in kept if one.at >= START] == [one for one in page if one.at >= START]
    is_old = [one.at < START for one in kept]
    assert is_old == sorted(is_old)
    assert [one.at < START for one in page[-1:]] == is_old[-1:]
