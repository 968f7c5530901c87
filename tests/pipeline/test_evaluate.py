"""Measuring: the figures, their intervals, and the file of examples."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from pipeline.errors import Misuse
from pipeline.evaluate import Answers, Interval, LanguageScore, evaluate, macro_f1, score
from pipeline.examples import Example, read_examples
from pipeline.steps.labels import Labeller
from tests.pipeline.labelled import moods, small_model


def examples(*labels: str, lang: str | None = None) -> list[Example]:
    return [Example(f"text {i}", label, lang=lang) for i, label in enumerate(labels)]


def test_figures_of_a_small_case() -> None:
    """Counted by hand: two of three yes found, one no wrongly called yes."""
    truth = examples("yes", "yes", "yes", "no", "no")
    answers = Answers(
        ["yes", "yes", "no", "yes", "no"], [0.9] * 5, [True, True, False, True, False]
    )
    scores = score("noise", truth, answers)
    assert scores.labels["yes"].precision.value == pytest.approx(2 / 3)
    assert scores.labels["yes"].recall.value == pytest.approx(2 / 3)
    assert scores.labels["no"].support == 2
    assert scores.accuracy.value == pytest.approx(0.6)
    assert scores.calibration_error.value == pytest.approx(0.3)
    for figure in (scores.calibration_error, scores.labels["yes"].precision):
        assert figure.low <= figure.value <= figure.high
    assert scores.sure == pytest.approx(0.6)
    assert scores.sure_precision == pytest.approx(2 / 3)
    assert scores.macro_f1.low <= scores.macro_f1.value <= scores.macro_f1.high


ONE = Interval(1.0, 1.0, 1.0)
PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1)


@given(pairs=PAIRS)
def test_macro_f1_agrees_with_the_common_definition(pairs: list[tuple[str, str]]) -> None:
    """The mean over the labels of the truth, as scikit-learn computes it."""
    truth, guess = [t for t, _ in pairs], [g for _, g in pairs]
    known = f1_score(truth, guess, labels=sorted(set(truth)), average="macro", zero_division=0)
    assert macro_f1(truth, guess) == pytest.approx(known)


def test_everything_right_has_no_doubt() -> None:
    """Nothing to resample: 1, from 1 to 1, and no division by zero for what nobody said."""
    scores = score("h", examples("a", "b"), Answers(["a", "b"], [1.0, 1.0], [False, False]))
    assert tuple(scores.macro_f1) == (1.0, 1.0, 1.0)
    assert scores.sure_precision is None


def test_languages_with_enough_texts_have_figures_of_their_own() -> None:
    """Twenty texts of a language or more; fewer would be an anecdote."""
    truth = examples(*["a"] * 20, lang="de") + examples(*["a"] * 19, lang="fr")
    scores = score("h", truth, Answers(["a"] * 39, [0.9] * 39, [True] * 39))
    assert list(scores.languages) == ["de"]
    assert scores.languages["de"] == LanguageScore(20, ONE, ONE)


def test_a_model_is_measured_and_told_as_text_and_json(tmp_path: Path) -> None:
    """The table and the JSON hold the same figures."""
    small_model(tmp_path)
    scores = evaluate(moods(), "mood", Labeller.load([tmp_path]))
    shown = scores.to_text()
    assert f"{scores.macro_f1.value:.3f}" in shown
    told = json.loads(json.dumps(scores.to_dict()))
    assert told["labels"]["bad"]["f1"].keys() == {"value", "low", "high"}
    assert told["n"] == 112
    assert "no signal" not in shown


def test_a_head_that_does_not_exist_is_said(tmp_path: Path) -> None:
    """The message lists what there is."""
    small_model(tmp_path)
    with pytest.raises(Misuse, match="no model for the head 'mod'; there are: mood"):
        evaluate(moods(), "mod", Labeller.load([tmp_path]))
    with pytest.raises(Misuse, match="no examples"):
        evaluate([], "mood", Labeller.load([tmp_path]))


def test_examples_are_read_from_plain_and_gzipped_files(tmp_path: Path) -> None:
    """In order over all files; unknown fields and empty lines are no error."""
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl.gz"
    one.write_text('{"text": "a", "label": "x", "more": 1}\n\n{"text": "b", "label": "y"}\n')
    line = {"text": "c \ud800", "label": "x", "group": "g", "lang": "en", "weight": 2}
    two.write_bytes(gzip.compress(json.dumps(line).encode()))
    assert read_examples([one, two]) == [
        Example("a", "x"),
        Example("b", "y"),
        Example("c \ufffd", "x", "g", "en", 2.0),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        '{"text": "a"}',
        '{"text": "", "label": "x"}',
        '{"text": "a", "label": 3}',
        '{"text": "a", "label": "x", "group": 1}',
        '{"text": "a", "label": "x", "weight": 0}',
        '{"text": "a", "label": "x", "weight": true}',
        '{"text": "a", "label": "x", "weight": NaN}',
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    """File and line number, never the text."""
    path = tmp_path / "bad.jsonl"
    path.write_text('{"text": "secret words", "label": "x"}\n' + line + "\n")
    with pytest.raises(Misuse, match=r"bad\.jsonl line 2: ") as caught:
        read_examples([path])
    assert "secret" not in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Missing, or no gzip inside."""
    with pytest.raises(Misuse, match=r"none\.jsonl: No such file"):
        read_examples([tmp_path / "none.jsonl"])
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(b"no gzip")
    with pytest.raises(Misuse, match=r"broken\.jsonl\.gz: not a readable file"):
        read_examples([broken])
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Misuse, match=r"binary\.jsonl line 1: not a JSON document"):
        read_examples([binary])
