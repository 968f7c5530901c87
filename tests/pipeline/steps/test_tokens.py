"""Words and signs of a batch."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.steps.tokens import tokenised

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def tokens(text: str) -> list[int]:
    """The hashes of a text's tokens, in order."""
    hashes: list[int] = tokenised([text]).hashes.tolist()
    return hashes


def loud(text: str) -> int:
    return int(tokenised([text]).loud.sum())


@settings(deadline=None)
@given(st.lists(anything, min_size=1, max_size=6))
def test_tokens_do_not_depend_on_their_batch(texts: list[str]) -> None:
    """Each text has the tokens it has alone, for any Unicode, and they stand where they should."""
    together = tokenised(texts)
    for row, text in enumerate(texts):
        assert together.hashes[together.rows == row].tolist() == tokens(text)
    ends = together.starts + together.sizes
    assert (together.sizes > 0).all()
    assert (ends <= together.codes.size).all()


def test_a_word_is_the_same_wherever_it_stands() -> None:
    """In another post, another case, beside a comma."""
    assert tokens("acme is down")[2] == tokens("Down, again")[0]
    assert tokens("down, now.") == tokens("down now")


def test_the_hash_of_a_word_stays_what_it_was() -> None:
    """Shipped weights depend on it: a change here makes every model useless."""
    assert tokens("down") == [7133189744993492024]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("see https://a.example/1", "see http://b.example/2?x=y"),
        ("look at www.a.example", "look at HTTPS://b.example"),
        ("thanks @acme", "thanks @nordwind_help"),
        ("since 3 hours", "since 17 hours"),
        ("don't know", "dont know"),
        ("sooooo slow", "soo slow"),
        ("down!!!!!", "down!!"),
        ("great :)", "great 🙂"),
        ("great :-)", "great 🙂"),
        ("awful :(", "awful 🙁"),
        ("we <3 you", "we ❤ you"),
        ("ok 👍🏽", "ok 👍"),
    ],
)
def test_what_counts_as_the_same(one: str, two: str) -> None:
    """URLs, user names and numbers are a token each; long runs are cut, faces become emoji."""
    assert tokens(one) == tokens(two)


@pytest.mark.parametrize("text", ["at 12:30 (today)", "awww.cool", "a:)b"])
def test_what_is_no_face_and_no_url(text: str) -> None:
    """Times, brackets and words that look alike stay words."""
    signs = {*tokens("🙂"), *tokens("🙁"), *tokens("https://a.example")}
    assert not signs & set(tokens(text))


@pytest.mark.parametrize("marked", ["down!", "down?", "down 😡", "#down", '"down"', "¿down?"])
def test_signs_are_tokens(marked: str) -> None:
    """What tells a question, a shout, a quotation or a tag is a token beside the word."""
    assert set(tokens("down")) < set(tokens(marked))


def test_ideographs_are_tokens_each() -> None:
    """There are no spaces to go by."""
    assert len(tokens("通信障害")) == 4


def test_capitals_are_marked() -> None:
    """Shouting is told of words of two letters and more; the word stays the same."""
    assert loud("acme is DOWN") == 1
    assert loud("Acme is down, I see") == 0
    assert tokens("DOWN") == tokens("down")


def test_a_post_cannot_write_a_token_of_ours() -> None:
    """The characters that stand for URLs and users are cleared from what comes in."""
    assert tokens("\ue000 \ue001 hello") == tokens("hello")


@pytest.mark.parametrize("text", ["", "   ", ".,;", "\n"])
def test_no_tokens(text: str) -> None:
    """A text of nothing has none, and disturbs no neighbour."""
    assert tokens(text) == []
    assert tokenised([text, "down"]).rows.tolist() == [1]
