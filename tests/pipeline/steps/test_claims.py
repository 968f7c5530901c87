"""Claims: what is said about a cause that only its owner could know."""

import pytest

from pipeline.steps import claims
from pipeline.steps.text import prepare_texts


def found(text: str) -> dict[str, str]:
    """The claims of a text and the words that make them."""
    (labels,) = claims.find(prepare_texts([text]))
    return {e.kind: e.value for label in labels.values() for e in label.evidence}


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("Acme has been HACKED!!", "hacked"),
        ("pretty sure @acme suffered a data-breach", "data_leaked"),
        ("han hackeado a Acme", "hacked"),
        ("parece uma fuga de datos", "data_leaked"),
        ("vazamento de dados na Acme?", "data_leaked"),
        ("Acme piraté, encore", "hacked"),
        ("fuite de données chez Acme", "data_leaked"),
        ("Acme wurde gehackt", "hacked"),
        ("Datenleck bei Acme", "data_leaked"),
        ("attacco hacker ad Acme", "hacked"),
        ("تم اختراق التطبيق", "hacked"),
        ("एक्मे हैक हो गया", "hacked"),
        ("they want a ransom", "ransomware"),
        ("someone cut the cable on purpose", "sabotage"),
        ("Acme is bankrupt, that is why", "insolvent"),
    ],
)
def test_claims_in_many_languages(text: str, claim: str) -> None:
    """The words that make the claim are its reason."""
    assert claim in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Acme is down again",
        "Acme was not hacked",
        "no data breach here, says Acme",
        "Acme wurde nicht gehackt",
        "ce n'est pas une fuite de données",
        "my favourite life hack for the Acme app",
        "see you at the hackathon",
        "",
        "🤖🤖🤖",
    ],
)
def test_what_is_no_claim(text: str) -> None:
    """Denials, words that only look alike, and nothing at all."""
    assert found(text) == {}


@pytest.mark.parametrize(
    ("text", "claims_made"),
    [
        ("We have identified unauthorised access to some accounts.", ["data_leaked", "hacked"]),
        ("Investigamos un ciberataque.", ["hacked"]),
        ("Dados de clientes foram vazados.", ["data_leaked"]),
        ("Une fuite de données est confirmée.", ["data_leaked"]),
        ("Ein Cyberangriff stört unsere Systeme.", ["hacked"]),
        ("Il cavo tagliato è in riparazione", ["sabotage"]),
        ("نؤكد حدوث اختراق لأنظمتنا", ["hacked"]),
        ("हमारे सिस्टम पर साइबर हमला हुआ है", ["hacked"]),
        ("Acme has gone into administration.", ["insolvent"]),
        ("Es wird Lösegeld verlangt", ["ransomware"]),
        ("We were not hacked and there is no evidence of unauthorised access.", []),
        ("Wir wurden nicht gehackt.", []),
        ("There is no evidence that any of our customers' data was exposed.", []),
        ("No action is needed. An attack on our network is over.", ["hacked"]),
        ("نحقق في الاختراق الذي وقع", ["hacked"]),
        ("Please clear the cache on the administration page.", []),
    ],
)
def test_what_an_official_word_states(text: str, claims_made: list[str]) -> None:
    """In the languages of the claims, by beginnings of words; what is denied is not stated."""
    assert claims.stated(["Delayed messages", text]) == claims_made


def test_official_words_know_every_claim_in_every_language() -> None:
    """A rumour must be able to end wherever it could begin."""
    people, officials = (claims._data()[who] for who in ("claims", "official"))
    assert {claim: set(words) for claim, words in people.items()} == {
        claim: set(words) for claim, words in officials.items()
    }


def test_several_claims() -> None:
    """A post may make more than one; the label is never sure."""
    (labels,) = claims.find(prepare_texts(["acme got hacked and passwords leaked"]))
    label = labels[claims.HEAD]
    assert not label.sure
    assert {e.kind for e in label.evidence} == {"hacked", "data_leaked"}
