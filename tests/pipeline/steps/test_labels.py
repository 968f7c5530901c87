"""The labeller: overlays, odd texts, batches, broken files."""

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from pipeline.errors import GiveUp
from pipeline.examples import Example
from pipeline.heads import read_head
from pipeline.model import Label, Mention
from pipeline.steps import text
from pipeline.steps.labels import Labeller
from pipeline.train import train
from tests.pipeline.labelled import moods, small_model

SHIPPED = Path(__file__).parents[3] / "config" / "models"
AT = datetime(2026, 11, 2, tzinfo=UTC)


def mention(words: str, lang: str | None = None) -> Mention:
    return Mention(source="test", external_id="1", text=words, said_at=AT, lang=lang)


def labels_of(labeller: Labeller, *texts: str) -> list[dict[str, Label]]:
    mentions = [mention(words) for words in texts]
    return labeller.label(mentions, text.prepare(mentions))


@pytest.fixture(scope="module")
def shipped() -> Labeller:
    return Labeller.load([SHIPPED])


def test_the_shipped_models_answer_every_head(shipped: Labeller) -> None:
    """Seven heads, each with a probability; the names are those of the model files."""
    [labels] = labels_of(shipped, "No signal in Leeds since this morning, what is going on @acme")
    assert set(labels) == {
        "intent", "topic", "severity", "sentiment", "informative", "noise", "language",
    }  # fmt: skip
    assert labels["intent"].name == "report"
    assert labels["language"].name == "en"
    for head in labels.keys() - {"language"}:
        assert labels[head].name in shipped.labels[head]


@pytest.mark.parametrize(
    ("words", "head", "name"),
    [
        ("acme is down again, cannot log in since 8am", "intent", "report"),
        ("and we're back, internet works again here", "intent", "recovery"),
        ("GIVEAWAY! RT and follow to win a phone from acme", "noise", "yes"),
        ("three hours on hold, worst customer service ever @acme", "intent", "complaint"),
        ("thank you acme, the support was amazing", "sentiment", "positive"),
        ("sin señal en todo el barrio desde la mañana @acme", "intent", "report"),
        ("kein Internet seit heute früh, alles tot @acme", "intent", "report"),
    ],
)
def test_plain_cases_are_told(shipped: Labeller, words: str, head: str, name: str) -> None:
    """What anybody would see at a glance, the shipped models see."""
    [labels] = labels_of(shipped, words)
    assert labels[head].name == name


@pytest.mark.parametrize("words", ["", "   ", "😡😡😡", "https://a.example/x", "@acme", "!!!"])
def test_texts_without_words_get_labels_but_no_language(shipped: Labeller, words: str) -> None:
    """Nothing to read is no error: every head answers, the language stays open."""
    [labels] = labels_of(shipped, words)
    assert len(labels) == 7
    assert labels["language"] == Label(name="und", p=0.0, sure=False)


def test_a_text_of_a_megabyte_costs_no_more_than_its_first_characters(shipped: Labeller) -> None:
    """What lies behind the characters looked at changes nothing."""
    words = "the app crashes all the time "
    start = (words * 1_000)[: text.LOOKED_AT * 4]
    long, cut = labels_of(shipped, (words * 40_000)[:1_000_000], start)
    assert long == cut


def test_an_empty_batch_has_no_answers(shipped: Labeller) -> None:
    """A batch of nothing is a batch."""
    assert labels_of(shipped) == []


@given(cuts=st.sets(st.integers(1, 11)))
@settings(max_examples=20, deadline=None)
def test_batches_do_not_change_answers(shipped: Labeller, cuts: set[int]) -> None:
    """However mentions are cut into batches, each gets the same labels, to the last digit."""
    posts = [*(e.text for e in moods()[::12]), "", "😡"]
    edges = [0, *sorted(cuts), len(posts)]
    together = labels_of(shipped, *posts)
    apart = [
        answer
        for start, end in itertools.pairwise(edges)
        for answer in labels_of(shipped, *posts[start:end])
    ]
    assert apart == together


@pytest.mark.parametrize(
    ("given_lang", "words", "name"),
    [
        ("de", "the platform's word counts", "de"),
        ("pt-BR", "anything", "pt"),
        ("und", "where is my parcel, it was promised for monday", "en"),
        (None, "¿por qué no funciona la aplicación desde ayer?", "es"),
        (None, "लाइट कब आएगी", "hi"),
        (None, "ok", "und"),
        ("qme", "ok", "und"),
    ],
)
def test_language(shipped: Labeller, given_lang: str | None, words: str, name: str) -> None:
    """The platform's language wins; a text too short to tell is und, never a guess."""
    one = [mention(words, given_lang)]
    [labels] = shipped.label(one, text.prepare(one))
    assert labels["language"].name == name


def test_a_later_directory_lays_over_head_by_head(tmp_path: Path) -> None:
    """The namesake is replaced, new heads appear, the rest stays, the version says it all."""
    small_model(tmp_path / "base", version="2026.11.0")
    small_model(tmp_path / "base", head="other", version="2026.11.0")
    mine = [Example(e.text, e.label.upper(), e.group) for e in moods(("bad", "good"))]
    train(mine, "mood", tmp_path / "mine")
    train(mine, "team-label", tmp_path / "mine")
    base = Labeller.load([tmp_path / "base"])
    both = Labeller.load([tmp_path / "base", tmp_path / "mine"])
    assert base.version == "2026.11.0"
    assert both.version > base.version
    assert both.version.startswith("2026.11.0+mood.0000.")
    assert "+team-label.0000." in both.version
    assert both.labels["mood"] == ("BAD", "GOOD")
    assert both.labels["other"] == base.labels["other"]
    [labels] = labels_of(both, "no signal at home")
    assert labels["mood"].name == labels["team-label"].name == "BAD"


def test_no_models_is_said_with_the_place(tmp_path: Path) -> None:
    """A missing or an empty directory stops the start with the setting to mend."""
    with pytest.raises(GiveUp, match="gone: no such directory of models"):
        Labeller.load([tmp_path / "gone"])
    with pytest.raises(GiveUp, match="no models in"):
        Labeller.load([tmp_path])


@pytest.mark.parametrize("data", [b"", b"hello", b"\x10" + bytes(7) + b"{not json at all", None])
def test_a_corrupt_file_is_named(tmp_path: Path, data: bytes | None) -> None:
    """Whatever bytes stand there (None: the file is cut), the file and the mend are named."""
    path = small_model(tmp_path).path
    path.write_bytes(path.read_bytes()[:-100] if data is None else data)
    with pytest.raises(GiveUp, match=r"mood\.safetensors: not a .*groundswell train"):
        Labeller.load([tmp_path])


def _rewritten(path: Path, **changes: object) -> None:
    head = read_head(path)
    stated = head.card.model_dump(mode="json") | changes
    save_file(
        {"rows": head.rows, "weights": head.weights}, path, {"groundswell": json.dumps(stated)}
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": 99}, "format 99, this program reads 2"),
        ({"head": "else"}, "named otherwise"),
        ({"labels": ["a", "b"]}, "shapes"),
        ({"thresholds": [0.5]}, "thresholds"),
        ({"fingerprint": "0"}, "another way of hashing"),
        ({"temperature": 0}, "not a readable model"),
        ({"features": {"bits": 12}}, "buckets"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    """Another format, other hashing or parts that contradict each other never label a post."""
    path = small_model(tmp_path).path
    _rewritten(path, **changes)
    with pytest.raises(GiveUp, match=why):
        Labeller.load([tmp_path])


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    """A NaN among the weights would answer everything with nothing."""
    path = small_model(tmp_path).path
    head = read_head(path)
    weights = head.weights.copy()
    weights[0, 0] = np.nan
    about = {"groundswell": json.dumps(head.card.model_dump(mode="json"))}
    save_file({"rows": head.rows, "weights": weights}, path, about)
    with pytest.raises(GiveUp, match="no number"):
        Labeller.load([tmp_path])


ODD = [
    "ａｃｍｅ ｉｓ ｄｏｗｎ",  # full width
    "a\u200bc\u200bm\u200be is d\u200bo\u200bw\u200bn",  # invisible characters between letters
    "n\u0335o\u0335 s\u0335i\u0335g\u0335n\u0335a\u0335l" + "\u0301" * 500,  # zalgo
    "асме is down",  # Cyrillic letters that look Latin
    "नेटवर्क down है since صباح",  # scripts mixed
    "\ud83d alone \udc00",  # halves of a character
    "\x00\x01\x02",
    "a" * 4_000,
    "😡" * 2_000,
    "?!" * 2_000,
]


@pytest.mark.parametrize("words", ODD)
def test_odd_texts_get_an_answer_for_every_head(shipped: Labeller, words: str) -> None:
    """Whatever people or attackers write: probabilities between 0 and 1, seven heads."""
    [labels] = labels_of(shipped, words)
    assert len(labels) == 7
    assert all(0 <= label.p <= 1 for label in labels.values())


def test_invisible_characters_hide_nothing(shipped: Labeller) -> None:
    """What looks the same is read the same."""
    hidden = labels_of(shipped, "n\u200bo sig\u200bnal in Leeds", "ｎｏ ｓｉｇｎａｌ in Leeds")
    seen = labels_of(shipped, "no signal in Leeds", "no signal in Leeds")
    assert hidden == seen


@pytest.mark.parametrize(
    ("words", "head", "name"),
    [
        ("acme is down", "intent", "report"),
        ("Nordwind ist down", "intent", "report"),
        ("nordwind está caído", "intent", "report"),
        ("internet is out", "intent", "report"),
        ("is acme down?", "intent", "question"),
        ("is it down for anyone else?", "informative", "yes"),
        ("not down for me, works fine in Bath", "intent", "other"),
        ("Great job acme, down again", "intent", "report"),
        ("Great job acme, down again", "sentiment", "negative"),
        ("BREAKING: regulator to look into the acme outage of last year", "intent", "other"),
        ("hiring now: customer advisor at Acme, apply today", "noise", "yes"),
        ("my husband is on oxygen and the power is out", "severity", "harm"),
        ("l'app plante au démarrage depuis hier", "intent", "report"),
        ("o aplicativo não abre, já reiniciei", "intent", "report"),
        ("non funziona niente da stamattina", "intent", "report"),
        ("التطبيق لا يعمل منذ الصباح", "intent", "report"),
        ("ऐप नहीं खुल रहा है सुबह से", "intent", "report"),
        ("der Kundenservice ist eine Frechheit", "sentiment", "negative"),
        ("muchas gracias, excelente atención", "sentiment", "positive"),
    ],
)
def test_hard_cases_that_are_told(shipped: Labeller, words: str, head: str, name: str) -> None:
    """Negation, irony's easy cases, news, questions about an outage, eight languages."""
    [labels] = labels_of(shipped, words)
    assert labels[head].name == name


@pytest.mark.parametrize("author", [{"handle": "AcmeHelp"}, {"id": "77"}])
def test_official_accounts_are_marked_and_never_report(author: dict[str, str]) -> None:
    """Who speaks for the service is no witness, whatever the words; everybody else may be one."""
    words = "acme is down again, cannot log in since 8am"
    said = {"source": "test", "external_id": "1", "text": words, "said_at": AT}
    posts = [Mention.model_validate(said | {"author": a}) for a in (author, {"handle": "kim"})]
    labeller = Labeller.load([SHIPPED], official=["@acmehelp", "77"])
    ours, theirs = labeller.label(posts, text.prepare(posts))
    assert (ours["voice"].name, ours["intent"].name) == ("official", "other")
    assert theirs["intent"].name == "report"
    assert "voice" not in theirs
