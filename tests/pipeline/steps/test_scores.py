"""What heads see of texts, and scores by looking words up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from pipeline.steps import grams, scores
from pipeline.steps.grams import Floats, matrix
from pipeline.steps.scores import Scorer
from pipeline.steps.tokens import tokenised

BITS, CHARS, COLUMNS = 14, (3, 5), 3
WEIGHTS = np.random.default_rng(5).normal(size=(1 << BITS, COLUMNS)).astype(np.float32)
EVERY_THIRD = np.arange(0, 1 << BITS, 3)

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
batches = st.lists(anything, min_size=1, max_size=6)


def scorer() -> Scorer:
    return Scorer(EVERY_THIRD, WEIGHTS[EVERY_THIRD], bits=BITS, chars=CHARS)


def multiplied(texts: list[str]) -> Floats:
    """The scores by the book: features times weights."""
    full = np.zeros_like(WEIGHTS)
    full[EVERY_THIRD] = WEIGHTS[EVERY_THIRD]
    product: Floats = matrix(texts, bits=BITS, chars=CHARS) @ full
    return product


@settings(deadline=None)
@given(batches)
def test_rows_do_not_depend_on_their_batch(texts: list[str]) -> None:
    """Each row is what the text gives alone, for any Unicode."""
    alone = sparse.vstack([matrix([text], bits=BITS, chars=CHARS) for text in texts])
    together = matrix(texts, bits=BITS, chars=CHARS)
    assert together.dtype == np.float32
    assert abs(together - alone).max() < 1e-6


@settings(deadline=None)
@given(batches, batches)
def test_scores_are_features_times_weights(before: list[str], texts: list[str]) -> None:
    """Whatever words were looked up before."""
    ours = scorer()
    ours(before)
    assert np.allclose(ours(texts), multiplied(texts), atol=1e-4)


@settings(deadline=None)
@given(batches, batches)
def test_scores_depend_on_the_text_alone(before: list[str], texts: list[str]) -> None:
    """To the last bit, with any words in the table and any neighbours."""
    fresh, used = scorer(), scorer()
    used(before)
    alone = np.concatenate([fresh([text]) for text in texts])
    assert used(texts).tobytes() == alone.tobytes()


def test_words_that_share_a_slot_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    """With four slots nearly every word drives another one out; the scores stay right."""
    monkeypatch.setattr(scores, "_SLOT_BITS", 2)
    texts = [f"post {word} says that acme is down" for word in "abcdefghij"]
    ours = scorer()
    for _ in range(2):
        assert np.allclose(ours(texts), multiplied(texts), atol=1e-4)


def test_a_large_batch_is_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Working in parts gives the same scores."""
    texts = [f"post {number} says that acme is down" for number in range(50)]
    whole = scorer()(texts)
    monkeypatch.setattr(scores, "_CHARACTERS_AT_ONCE", 100)
    assert scorer()(texts).tobytes() == whole.tobytes()


def test_nothing_scores_nothing() -> None:
    """No texts, no rows; an empty text, zeros."""
    assert scorer()([]).shape == (0, COLUMNS)
    assert scorer()(["", "  "]).tolist() == [[0.0] * COLUMNS] * 2
    assert matrix(["", ".,"], bits=BITS, chars=CHARS).nnz == 0


def shared(one: str, two: str) -> int:
    """How many features two texts share, parts of words left out."""
    rows = [set(matrix([text], bits=19, chars=None).indices.tolist()) for text in (one, two)]
    return len(rows[0] & rows[1])


def test_neighbours_in_one_post_make_a_pair() -> None:
    """The ends of two posts do not."""
    assert shared("acme hums", "so acme hums") == 3
    assert shared("hums acme", "so acme hums") == 2


def test_concepts_pair_over_languages_and_whatever_the_order() -> None:
    """The concepts "not" and "works" and their pair: three features without a word in common."""
    assert shared("not working", "geht heute nicht") == 3


def test_capitals_add_a_feature() -> None:
    """Shouting counts beside the words, which stay the same."""
    assert shared("acme HUMS", "acme HUMS") == shared("acme hums", "acme HUMS") + 1


def negated(*texts: str) -> grams.Grams:
    tokens = tokenised(texts)
    known = grams.concepts(tokens, np.arange(tokens.rows.size))
    return grams.negated(tokens, known, BITS)


def test_a_negation_reaches_the_next_three_words() -> None:
    """ "not really that good": these three are features of their own, what follows is not."""
    long, short = negated("it is not really that good today"), negated("not really that good")
    assert long.buckets.tolist() == short.buckets.tolist()
    assert len(set(short.buckets.tolist())) == 3
    assert negated("really that good today").buckets.size == 0
    assert negated("not not good").buckets.size == 1


def test_a_negation_ends_with_its_text() -> None:
    """The next post of the batch is another matter."""
    found = negated("it is good not", "good")
    assert found.buckets.size == 0
    assert negated("never", "no good").rows.tolist() == [1]
