"""Shingles, phrases and letters of canonical texts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.steps.shingles import COMPARED, PHRASES, shingled, unspaced

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def likeness(one: str, two: str) -> float:
    """The share of equal MinHash values."""
    values = shingled([one, two]).values
    return float((values[0] == values[1]).mean())


def test_values_tell_how_alike_texts_are() -> None:
    """Equal texts have equal values, strangers none, an edit some."""
    text = "the app has not worked since the update this morning"
    assert likeness(text, text) == 1
    assert likeness(text, "nordwind parcels come late every week") == 0
    assert 0.3 < likeness(text, text.replace("morning", "evening")) < 1


def test_the_order_of_words_counts() -> None:
    """The same words in another order have no phrase in common."""
    one, two = shingled(["one two three four five", "five four three two one"]).phrases
    assert set(one[one > 0].tolist()).isdisjoint(two.tolist())


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("one two", 0),
        ("one two three", 1),
        ("a b c a b c", 3),  # each once
        (" ".join(f"w{n}" for n in range(40)), PHRASES),
        ("服务器挂了", 3),
        ("ระบบล่ม", 5),
    ],
)
def test_phrases_are_three_words_in_a_row(text: str, count: int) -> None:
    """Or three characters where words have no spaces between them."""
    assert np.count_nonzero(shingled([text]).phrases) == count


@pytest.mark.parametrize(
    ("text", "letters"),
    [("acme is down 24 h", b"acme is down 24 h"), ("", b"")],
)
def test_plain_letters_are_themselves(text: str, letters: bytes) -> None:
    """``a-z``, digits and spaces keep their byte."""
    assert shingled([text]).letters == [letters]


def test_letters_of_an_alphabet_differ() -> None:
    """A byte for each of Greek, Cyrillic, Hebrew, Arabic or Devanagari, none of them a break."""
    for first, last in ((0x3B1, 0x3C9), (0x430, 0x44F), (0x5D0, 0x5EA), (0x627, 0x64A)):
        (letters,) = shingled(["".join(map(chr, range(first, last + 1)))]).letters
        assert len(set(letters)) == last - first + 1
        assert max(letters) < 128
        assert not set(letters) & set(b"\n 0")


def test_scripts_without_spaces_have_bytes_of_their_own() -> None:
    """From 128 on, which is how pairs of characters are told from words."""
    (letters,) = shingled(["服务器 ระบบ ok"]).letters
    assert [byte >= 128 for byte in letters] == [True] * 3 + [False] + [True] * 4 + [False] * 3
    assert unspaced("服务器 ระบบ ok") == (3, 4)


def test_only_the_beginning_is_compared() -> None:
    """What follows after that many characters changes nothing."""
    text = "word " * 80
    one, two = shingled([text, text + "and more"]), shingled([text])
    assert one.letters[0] == two.letters[0]
    assert len(one.letters[0]) <= COMPARED
    assert (one.values == two.values).all()


@settings(deadline=None)
@given(st.lists(anything.map(lambda text: text.replace("\n", " ")), max_size=6))
def test_nothing_depends_on_the_batch(texts: list[str]) -> None:
    """Each text gives what it gives alone."""
    whole = shingled(texts)
    assert len(whole.letters) == len(whole.values) == len(whole.phrases) == len(texts)
    for row, text in enumerate(texts):
        alone = shingled([text])
        assert whole.values[row].tolist() == alone.values[0].tolist()
        assert whole.phrases[row].tolist() == alone.phrases[0].tolist()
        assert whole.letters[row] == alone.letters[0]
