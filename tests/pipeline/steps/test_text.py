"""Texts made ready: plain for models, canonical for repeats."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.steps.text import LOOKED_AT, plain, prepare_texts

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def canonical(text: str) -> str:
    return prepare_texts([text]).canonical[0]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Acme  is\n\tdown ", "Acme is down"),
        ("\u202eAcme\u202c is\u200b down\ufeff", "Acme is down"),
        ("Ａｃｍｅ 𝓲𝓼 𝕕𝕠𝕨𝕟", "Acme is down"),
        ("A&amp;B &lt;down&gt;", "A&B <down>"),
        ("@acme #Outage https://a.example/x 😡!!", "@acme #Outage https://a.example/x 😡!!"),
        ("Việt Nam", "Việt Nam"),
        ("", ""),
    ],
)
def test_plain_cleans_but_keeps_what_models_read(raw: str, expected: str) -> None:
    """Invisible characters and odd forms go; case, URLs, signs and emoji stay."""
    assert plain(raw) == expected


def test_a_pile_of_marks_is_cut_to_two() -> None:
    """Decoration by hundreds of combining marks becomes two of them at most."""
    cleaned = plain("a" + "\u0334\u0361" * 5_000 + " down")
    assert sum(unicodedata.combining(c) > 0 for c in cleaned) <= 2
    assert cleaned.endswith("down")


def test_a_megabyte_is_looked_at_in_part() -> None:
    """Only the first characters count, however long the post is."""
    assert len(plain("a b" * 350_000)) <= LOOKED_AT
    assert len(plain("ﷺ" * 10_000)) <= LOOKED_AT


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("RT @acme: Our app is DOWN!!! https://a.example/1", "our app is down"),
        ("RT @b: RT @acme: our app is down", "our app is down"),
        ("Our app is down via @news", "our app is down"),
        ("Soooo slow, don’t like it", "soo slow dont like it"),
        ("@acme #acmedown 😡 again?", "acmedown again"),
        ("раураl is dоwn", "paypal is down"),
        ("сервис не работает", "сервис не работает"),
        ("服务器挂了！", "服务器挂了"),
        ("خدمة الإنترنت معطلة", "خدمة الإنترنت معطلة"),
        ("हिन्दी में", "हिन्दी में"),
        ("Straße", "strasse"),
        ("😀 https://a.example", ""),
    ],
)
def test_canonical_forms(raw: str, expected: str) -> None:
    """What people would call the same text becomes the same string, in any script."""
    assert canonical(raw) == expected


def test_a_word_cut_off_by_a_retelling_goes() -> None:
    """A shortened repost ends with the last whole word."""
    assert canonical("RT @acme: our app is down for every…") == "our app is down for"


def test_a_short_text_may_end_with_dots() -> None:
    """Dots at the end of a post that was not shortened take no word away."""
    assert canonical("so tired…") == "so tired"


@given(st.lists(anything, max_size=8))
def test_texts_do_not_depend_on_their_batch(texts: list[str]) -> None:
    """Each text comes out as if it were alone, for any Unicode."""
    whole = prepare_texts(texts)
    assert whole.plain == [prepare_texts([text]).plain[0] for text in texts]
    assert whole.canonical == [canonical(text) for text in texts]


@given(anything)
def test_forms_are_tidy(text: str) -> None:
    """Single spaces, nothing invisible, and an already plain text stays as it is."""
    (tidy,), (key,) = (
        form for form in (prepare_texts([text]).plain, prepare_texts([text]).canonical)
    )
    assert tidy == " ".join(tidy.split())
    assert key == " ".join(key.split(" "))
    assert "\n" not in key
    assert "\u200b" not in tidy
