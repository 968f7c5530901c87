"""The gate: a new model is in use only when it is better, and worse nowhere, beyond chance."""

from dataclasses import replace
from pathlib import Path

from pipeline.evaluate import Answers, answer
from pipeline.heads import read_head
from pipeline.promotion import promote
from pipeline.steps.labels import Labeller
from pipeline.train import Report
from tests.pipeline.labelled import moods, small_model


def said(names: list[str]) -> Answers:
    return Answers(names, [0.9] * len(names), [True] * len(names))


def wrong_about(report: Report, *labels: str) -> Answers:
    """Answers that miss every example of these labels and are right about all others."""
    other = {"ask": "bad", "bad": "good", "good": "ask"}
    return said([other[e.label] if e.label in labels else e.label for e in report.texts])


def test_a_better_model_is_promoted(tmp_path: Path) -> None:
    """It is installed with a growing revision, and the reason has both figures."""
    report = small_model(tmp_path / "out")
    first = promote(report, None, tmp_path / "use")
    assert first.promoted
    assert "there was none" in first.reason
    second = promote(report, wrong_about(report, "ask", "bad", "good"), tmp_path / "use")
    assert second.promoted
    assert second.path == tmp_path / "use" / "mood.safetensors"
    assert read_head(second.path).card.revision == 2
    assert "promoted: macro-F1 on held-out texts 0.000 to" in second.reason
    assert [d.name for d in second.compared] == ["macro-F1", "ask", "bad", "good", "language en"]


def test_a_model_that_is_not_better_stays_outside(tmp_path: Path) -> None:
    """Equal is not better: the model in use stays, and the reason says why."""
    report = small_model(tmp_path / "out")
    current = answer(report.texts, "mood", Labeller.load([tmp_path / "out"]))
    outcome = promote(report, current, tmp_path / "use")
    assert not outcome.promoted
    assert outcome.path is None
    assert "it is not better" in outcome.reason
    assert not (tmp_path / "use").exists()


def test_a_model_that_was_lucky_stays_outside(tmp_path: Path) -> None:
    """One text more that is right is no proof."""
    report = small_model(tmp_path / "out")
    report = replace(report, answers=said([e.label for e in report.texts]))
    names = [e.label for e in report.texts]
    names[0] = "good" if names[0] != "good" else "bad"
    outcome = promote(report, said(names), tmp_path / "use")
    assert not outcome.promoted
    assert "maybe luck" in outcome.reason


def test_a_model_that_loses_in_one_label_stays_outside(tmp_path: Path) -> None:
    """Better on the whole is not enough: the reason names the label and both figures."""
    report = small_model(tmp_path / "out")
    current = wrong_about(report, "bad", "good")
    losing = replace(report, answers=wrong_about(report, "ask"))
    outcome = promote(losing, current, tmp_path / "use")
    assert not outcome.promoted
    assert "but it loses in ask 0.615 to 0.000 (-0.615" in outcome.reason


def test_a_model_that_loses_in_one_language_stays_outside(tmp_path: Path) -> None:
    """The languages are compared like the labels."""
    report = small_model(tmp_path / "out")
    texts = [replace(e, lang="it" if i % 4 == 0 else "en") for i, e in enumerate(report.texts)]
    right = [e.label for e in texts]
    half = said(["none" if e.lang == "en" else e.label for e in texts])
    new = said([("bad" if e.lang == "it" else e.label) for e in texts])
    losing = replace(report, texts=texts, answers=new)
    outcome = promote(losing, half, tmp_path / "use")
    assert not outcome.promoted
    assert "language it 1.000 to" in outcome.reason
    fine = replace(report, texts=texts, answers=said(right))
    assert promote(fine, half, tmp_path / "use").promoted


def test_a_head_that_lacks_a_label_that_is_asked_for_stays_outside(tmp_path: Path) -> None:
    """An intent that knows no question would leave the rest of the program without it."""
    report = small_model(tmp_path / "out")
    outcome = promote(report, None, tmp_path / "use", needed=("bad", "question", "recovery"))
    assert not outcome.promoted
    assert "it has never seen question, recovery" in outcome.reason


def test_an_open_label_is_right_either_way(tmp_path: Path) -> None:
    """What may be a complaint or a report counts for the model that says either."""
    report = small_model(tmp_path / "out")
    texts = [replace(e, others=("ask",) if e.label == "bad" else ()) for e in moods()]
    names = ["ask" if e.label == "bad" else e.label for e in texts]
    open_ended = replace(report, texts=texts, answers=said(names))
    outcome = promote(open_ended, said(["good"] * len(texts)), tmp_path / "use")
    assert outcome.compared[0].after == 1.0
