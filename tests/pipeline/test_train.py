"""Training: the same bytes again, honest held-out figures, clear errors, the gate."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import Misuse
from pipeline.evaluate import evaluate
from pipeline.examples import Example
from pipeline.heads import NEVER, read_head
from pipeline.steps.labels import Labeller
from pipeline.train import COSTS, Settings, train
from tests.pipeline.labelled import moods, small_model


def test_training_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    """No clock and no chance in the file: the examples decide alone."""
    one = small_model(tmp_path / "one").path.read_bytes()
    two = small_model(tmp_path / "two").path.read_bytes()
    assert one == two


def test_a_trained_head_labels_what_it_learnt(tmp_path: Path) -> None:
    """Trained, loaded, and right on nearly all of what it was taught."""
    report = small_model(tmp_path)
    assert report.split == "by group"
    assert report.groups == 6
    assert report.counts == {"ask": 32, "bad": 40, "good": 40}
    assert report.held_out.macro_f1.value > 0.9
    assert report.held_out.languages["en"].n == 112
    again = evaluate(moods(), "mood", Labeller.load([tmp_path]))
    assert again.macro_f1.value > 0.98
    assert "macro-F1" in report.to_text()


def test_sure_means_nine_in_ten_on_held_out_texts(tmp_path: Path) -> None:
    """Thresholds promise a precision that was seen; a label never right is never sure."""
    chance = random.Random(3)
    lost = [Example(e.text, chance.choice(("coin", "toss"))) for e in moods()]
    report = train(lost, "luck", tmp_path)
    assert set(read_head(report.path).card.thresholds) == {NEVER}
    assert report.held_out.sure == 0
    good = small_model(tmp_path)
    assert good.held_out.sure > 0.5
    assert good.held_out.sure_precision is not None
    assert good.held_out.sure_precision >= 0.9


def test_two_labels_need_one_column(tmp_path: Path) -> None:
    """Yes-or-no heads take half the room and answer all the same."""
    report = train(moods(("bad", "good")), "yes-no", tmp_path)
    assert read_head(report.path).columns == 1
    assert report.held_out.macro_f1.value > 0.9


def test_without_groups_every_text_stands_for_itself(tmp_path: Path) -> None:
    """Group and lang are optional; a text that occurs twice counts once."""
    bare = [Example(e.text, e.label) for e in moods()]
    report = train(bare + bare, "mood", tmp_path)
    assert report.examples == 112
    assert report.held_out.languages == {}


def test_few_groups_are_said(tmp_path: Path) -> None:
    """Two groups cannot be held out five times: the report says that it split otherwise."""
    few = [replace(e, group=e.group and "ab"[len(e.group) % 2]) for e in moods()]
    report = train(few, "mood", tmp_path)
    assert report.split == "at random: too few groups"


def test_max_rows_bounds_the_file(tmp_path: Path) -> None:
    """Only the buckets that matter most are kept."""
    report = train(moods(), "mood", tmp_path, settings=Settings(max_rows=100))
    assert len(read_head(report.path).rows) == 100


def test_progress_is_told(tmp_path: Path) -> None:
    """A caller can draw a bar: stages, done and total."""
    told: list[tuple[str, int, int]] = []
    train(moods(), "mood", tmp_path, progress=lambda *step: told.append(step))
    assert told[0] == ("features", 0, 112)
    assert ("cross-validation", 5, 5) in told
    assert told[-1] == ("fit", 1, 1)


@pytest.mark.parametrize(
    ("examples", "why"),
    [
        ([], "no examples"),
        (moods(("bad",)), "all examples have the label 'bad'"),
        ([*moods(("bad", "good")), Example("hm", "rare")], "'rare' has 1 different texts"),
    ],
)
def test_examples_that_cannot_teach(tmp_path: Path, examples: list[Example], why: str) -> None:
    """Nothing, one label only, or a label of one text: said clearly, nothing written."""
    with pytest.raises(Misuse, match=why):
        train(examples, "mood", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_cannot_be_a_file(tmp_path: Path) -> None:
    """A head's name becomes a file's name: no paths, no spaces."""
    with pytest.raises(Misuse, match="head's name"):
        train(moods(), "../mood", tmp_path)


def test_an_open_label_teaches_what_it_rules_out(tmp_path: Path) -> None:
    """A complaint or a report: either answer is right, and neither is forgotten."""
    mixed = [
        replace(e, others=("ask",) if e.label == "bad" else ()) if i % 2 else e
        for i, e in enumerate(moods())
    ]
    report = train(mixed, "mood", tmp_path)
    assert report.held_out.macro_f1.value > 0.9
    assert read_head(report.path).card.labels == ("ask", "bad", "good")


def test_the_cost_is_chosen_on_held_out_texts(tmp_path: Path) -> None:
    """Without a cost one of two is taken, and the file is what that cost makes."""
    chosen = train(moods(), "mood", tmp_path / "chosen").path.read_bytes()
    fixed = [
        train(moods(), "mood", tmp_path / str(cost), settings=Settings(cost=cost)).path.read_bytes()
        for cost in COSTS
    ]
    assert fixed[0] != fixed[1]
    assert chosen in fixed
