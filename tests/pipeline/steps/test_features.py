"""Hashed n-grams of a batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from pipeline.steps import features
from pipeline.steps.features import hashed

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def words(text: str) -> set[int]:
    """The columns of a text's words."""
    return set(hashed([text], words=(1, 1), chars=None).indices.tolist())


def equal(one: sparse.csr_matrix, two: sparse.csr_matrix) -> bool:
    return one.shape == two.shape and abs(one - two).nnz == 0


@settings(deadline=None)
@given(st.lists(anything, min_size=1, max_size=6))
def test_rows_do_not_depend_on_their_batch(texts: list[str]) -> None:
    """Each row is what the text gives alone, for any Unicode."""
    alone = sparse.csr_matrix(sparse.vstack([hashed([text]) for text in texts]))
    assert equal(hashed(texts), alone)


def test_a_large_batch_is_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Working in parts gives the same matrix."""
    texts = [f"post {number} says that acme is down" for number in range(50)]
    whole = hashed(texts)
    monkeypatch.setattr(features, "_CHARACTERS_AT_ONCE", 100)
    assert equal(hashed(texts), whole)


def test_rows_have_length_one_and_empty_texts_empty_rows() -> None:
    """So that a long post weighs no more than a short one."""
    matrix = hashed(["acme is down", "", "  "])
    assert np.sqrt(matrix.multiply(matrix).sum(axis=1)).ravel().tolist() == [
        [pytest.approx(1.0), 0.0, 0.0]
    ]
    assert matrix.dtype == np.float32
    assert hashed([]).shape == (0, 1 << 18)


def test_a_word_has_one_column_wherever_it_stands() -> None:
    """The same word in another post and another case is the same feature."""
    assert words("acme is down") & words("Down again") == words("down")
    assert len(words("down")) == 1


def test_the_hash_of_a_word_stays_what_it_was() -> None:
    """Shipped weights depend on it: a change here makes every model useless."""
    assert sorted(words("acme is down")) == [13170, 101368, 204035]


def test_bigrams_are_pairs_within_one_post() -> None:
    """Neighbours in one post make a pair, the ends of two posts do not."""
    pairs = hashed(["acme down", "now acme"], words=(2, 2), chars=None)
    assert pairs.getnnz(axis=1).tolist() == [1, 1]
    assert hashed(["a acme down"], words=(2, 2), chars=None)[0, pairs.indices[0]] > 0


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("see https://a.example/1", "see http://b.example/2?x=y"),
        ("thanks @acme", "thanks @nordwind_help"),
        ("since 3 hours", "since 17 hours"),
        ("don't know", "dont know"),
    ],
)
def test_what_counts_as_one_token(one: str, two: str) -> None:
    """URLs, user names and numbers are a token each; apostrophes are not part of words."""
    assert words(one) == words(two)


@pytest.mark.parametrize(("plain", "marked"), [("down", "down!"), ("down", "down 😡")])
def test_signs_of_feeling_are_tokens(plain: str, marked: str) -> None:
    """Exclamation marks, question marks and emoji are features, other punctuation is not."""
    assert words(plain) < words(marked)
    assert words("down, now.") == words("down now")


def test_capitals_add_a_token() -> None:
    """Shouting is a feature beside the words, which stay the same."""
    assert len(words("acme is DOWN") - words("acme is down")) == 1
    assert words("Acme is down") == words("acme is down")


def test_a_post_cannot_write_a_token_of_ours() -> None:
    """The characters that stand for URLs and users are cleared from what comes in."""
    assert words("\ue000 \ue001 hello") == words("hello")
