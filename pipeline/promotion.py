"""The gate through which a trained head becomes the one in use."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.evaluate import Scores
from pipeline.heads import SUFFIX, Head, read_head, write_head
from pipeline.train import Report

#: What a new model may lose in a label or a language and still be promoted: less is chance.
LOSS = 0.02


@dataclass(frozen=True)
class Promotion:
    """Whether a model took the place of the current one, and why or why not."""

    promoted: bool
    reason: str
    path: Path | None = None


def promote(report: Report, current: Scores | None, into: Path) -> Promotion:
    """Copies the trained head to ``into`` if it beats the current one on the held-out texts.

    It must be better as a whole (macro-F1) and must not lose more than ``LOSS`` in any label or
    language that either of them is measured on. ``current``: the figures of the model in use on the
    same examples, None when it has no such head. It may have learnt from some of them, the new one
    was measured on texts it had not seen: in doubt the model in use stays.
    """
    new = report.held_out.macro_f1.value
    if current is not None:
        before = f"the model in use has {current.macro_f1.value:.3f} on the same texts"
        if new <= current.macro_f1.value:
            return Promotion(False, f"not promoted: macro-F1 {new:.3f} on held-out texts, {before}")
        lost = _losses(report.held_out, current)
        if lost:
            better = (
                f"not promoted: macro-F1 {new:.3f} on held-out texts, {before}, but it loses in"
            )
            return Promotion(False, f"{better} {', '.join(lost)}")
    last = into / f"{report.head}{SUFFIX}"
    revision = read_head(last).card.revision + 1 if last.exists() else 1
    head = read_head(report.path)
    card = head.card.model_copy(update={"revision": revision})
    path = write_head(Head(card, head.rows, head.weights, head.digest), into)
    than = "there was none" if current is None else f"before {current.macro_f1.value:.3f}"
    return Promotion(True, f"promoted: macro-F1 {new:.3f} on held-out texts, {than}", path)


def compared(new: Scores, current: Scores) -> list[tuple[str, float, float]]:
    """Label by label, then language by language: its name, F1 in use, F1 of the new model."""
    labels = [
        (name, old.f1.value, new.labels[name].f1.value)
        for name, old in current.labels.items()
        if name in new.labels
    ]
    languages = [
        (f"language {name}", old["macro_f1"], new.languages[name]["macro_f1"])
        for name, old in current.languages.items()
        if name in new.languages
    ]
    return labels + languages


def _losses(new: Scores, current: Scores) -> list[str]:
    return [
        f"{name} ({before:.3f} to {after:.3f})"
        for name, before, after in compared(new, current)
        if after < before - LOSS
    ]
