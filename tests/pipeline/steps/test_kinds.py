import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.steps.kinds import kinds, names
from pipeline.steps.text import prepare_texts


def named(*texts: str) -> list[tuple[str, ...]]:
    return [names(int(some)) for some in kinds(prepare_texts(list(texts)).canonical)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("the river floods half of Brackwater", "flood"),
        ("#BrackwaterFlood", "flood"),
        ("Hochwasser in Brackwater", "flood"),
        ("inundación en el centro", "flood"),
        ("enorme incendie près du port", "fire"),
        ("terremoto de magnitud 5", "earthquake"),
        ("землетрясение ночью", "earthquake"),
        ("زلزال قوي", "earthquake"),
        ("बाढ़ का पानी", "flood"),
        ("my card was declined twice", "payment"),
        ("Stromausfall im ganzen Viertel", "power"),
    ],
)
def test_a_kind_is_named_in_many_languages(text: str, kind: str) -> None:
    """Also inside of a hashtag or a long word."""
    assert kind in named(text)[0]


def test_words_that_only_look_alike_name_no_kind() -> None:
    """The forecast is no meteor, and who is fired is not burning."""
    assert named("the meteorological office", "he was fired", "a lovely day", "") == [()] * 4


@given(st.lists(st.sampled_from(["fire", "flood", "x", "", "a quake", "e"]), max_size=8))
def test_what_a_text_names_does_not_depend_on_its_batch(texts: list[str]) -> None:
    """No word is found across two of them."""
    assert kinds(texts).tolist() == [int(kinds([text])[0]) for text in texts]
