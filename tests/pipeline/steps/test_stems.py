import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.steps.likeness import NO_LESSON, Likeness
from pipeline.steps.outlines import Said, outlines
from pipeline.steps.stems import BITS, rarity, stems
from pipeline.steps.text import prepare_texts


def columns(text: str, *, within: bool = True) -> set[int]:
    return set(stems(prepare_texts([text]).canonical, within=within).columns.tolist())


@pytest.mark.parametrize(
    ("one", "other"),
    [("flooding", "floods"), ("#brackwaterflood", "flood"), ("PAYMENTS", "payment fails")],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    """Endings, capitals and what a hashtag is made of do not matter."""
    assert columns(one) & columns(other)


def test_scripts_without_spaces_give_pairs_of_signs() -> None:
    """Two texts share what stands inside of them."""
    assert columns("今日ログインできない") & columns("ログイン障害")


def test_numbers_are_no_stems() -> None:
    """Years and counts tell nothing about what happens."""
    assert columns("2013 17") == set()
    assert columns("5g")


@given(st.lists(st.text(max_size=60), max_size=6))
def test_stems_of_a_text_do_not_depend_on_the_batch(texts: list[str]) -> None:
    """Whatever else is in it, in order, and within the table."""
    canonical = prepare_texts(texts).canonical
    found = stems(canonical)
    assert (np.diff(found.rows) >= 0).all()
    assert ((found.columns >= 0) & (found.columns < 1 << BITS)).all()
    for row, text in enumerate(canonical):
        assert found.columns[found.rows == row].tolist() == stems([text]).columns.tolist()


def test_what_everybody_says_is_less_rare() -> None:
    """The table knows ordinary posts and the stock phrases of status pages."""
    table = rarity()
    assert table[list(columns("outage"))].max() <= 1
    assert table[list(columns("xylophone", within=False))].min() > 5


def test_a_post_is_compared_with_what_it_shares_rare_words_with() -> None:
    """A phrase counts only as a whole, and places are told from what happens."""
    said = [
        Said("Flooding in Brackwater", "Flooding in Leeds. Brackwater sluice", ("Leeds",)),
        Said("Xylophone recall", "Xylophone recall", ()),
    ]
    index = Likeness(outlines(said), [NO_LESSON] * 2)
    posts = prepare_texts(
        ["the brackwater sluice in leeds", "a sluice", "xylophones", ""]
    ).canonical
    alike = index.compare(posts, lambda rows, _: np.ones(rows.size, np.bool_))
    pairs = list(zip(alike.rows.tolist(), alike.columns.tolist(), strict=True))
    assert pairs == [(0, 0), (1, 0), (2, 1)]
    assert alike.phrase.tolist() == [1, 0, 0]
    assert alike.where[0] > 0
    assert alike.what[0] > alike.what[1] > 0
    assert alike.heading[2] == pytest.approx(0.5, abs=0.4)
