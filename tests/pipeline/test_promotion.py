"""The gate: a new model is in use only when it is better, and worse nowhere."""

from dataclasses import replace
from pathlib import Path

from pipeline.evaluate import Interval, evaluate
from pipeline.heads import read_head
from pipeline.promotion import compared, promote
from pipeline.steps.labels import Labeller
from pipeline.train import train
from tests.pipeline.labelled import moods, small_model


def test_a_better_model_is_promoted(tmp_path: Path) -> None:
    """It is installed with a growing revision, and the reason has both figures."""
    report = small_model(tmp_path / "out")
    first = promote(report, None, tmp_path / "use")
    assert first.promoted
    assert "there was none" in first.reason
    bad = train([replace(e, label=e.label[::-1]) for e in moods()], "mood", tmp_path / "bad")
    worse = evaluate(moods(), "mood", Labeller.load([bad.path.parent]))
    second = promote(report, worse, tmp_path / "use")
    assert second.promoted
    assert second.path == tmp_path / "use" / "mood.safetensors"
    assert read_head(second.path).card.revision == 2
    assert "before 0.000" in second.reason


def test_a_model_that_is_not_better_stays_outside(tmp_path: Path) -> None:
    """Equal is not better: the model in use stays, and the reason says why."""
    report = small_model(tmp_path / "out")
    current = evaluate(moods(), "mood", Labeller.load([tmp_path / "out"]))
    answer = promote(report, current, tmp_path / "use")
    assert not answer.promoted
    assert answer.path is None
    assert "not promoted: macro-F1" in answer.reason
    assert not (tmp_path / "use").exists()


def test_a_model_that_loses_in_one_label_stays_outside(tmp_path: Path) -> None:
    """Better on the whole is not enough: the reason names the label and both figures."""
    report = small_model(tmp_path / "out")
    ours = report.held_out
    asked = replace(ours.labels["ask"], f1=Interval(1.5, 1.5, 1.5))
    before = replace(ours, macro_f1=Interval(0.1, 0.1, 0.1), labels=ours.labels | {"ask": asked})
    answer = promote(report, before, tmp_path / "use")
    assert not answer.promoted
    assert "loses in ask (1.500 to" in answer.reason


def test_a_model_that_loses_in_one_language_stays_outside(tmp_path: Path) -> None:
    """The languages are compared like the labels."""
    report = small_model(tmp_path / "out")
    spoken = {"en": {"n": 112, "macro_f1": 1.5, "accuracy": 1.0}}
    before = replace(report.held_out, macro_f1=Interval(0.1, 0.1, 0.1), languages=spoken)
    answer = promote(report, before, tmp_path / "use")
    assert "loses in language en (1.500 to" in answer.reason
    assert compared(report.held_out, before)[-1][:2] == ("language en", 1.5)
