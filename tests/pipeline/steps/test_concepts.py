"""Concepts: the same matter in several languages."""

import pytest

from pipeline.steps.concepts import MOST, concept, names


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("down", "outage caído panne störung ausfall disservizio معطل बंद"),
        ("not", "not no não pas nicht non لا नहीं"),
        ("good", "great excelente ótimo génial großartig ottimo ممتاز शानदार 👍"),
        ("network", "internet red rede réseau netz rete الإنترنت नेटवर्क"),
        ("works", "works funciona fonctionne funktioniert funzionano يعمل"),
        ("hate", "angry 😡 wütend furieux"),
    ],
)
def test_a_concept_is_found_in_all_languages(name: str, words: str) -> None:
    """With and without accents, with any ending where the list says so, Arabic with its article."""
    assert {names()[concept(word) - 1] for word in words.split()} == {name}


@pytest.mark.parametrize("word", ["", "zzz", "x", "وا", "ال", "\U0010ffff", "\ud800"])
def test_other_words_have_none(word: str) -> None:
    """Nothing, nonsense, a bare article, code points without a meaning."""
    assert concept(word) == 0


def test_the_numbers_of_pairs_have_room() -> None:
    """A pair of concepts is one number below MOST squared."""
    assert len(names()) < MOST
    assert len(set(names())) == len(names())
