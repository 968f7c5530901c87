"""The gate through which a trained head becomes the one in use."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from pipeline.evaluate import Answers
from pipeline.heads import SUFFIX, Head, read_head, write_head
from pipeline.paired import Difference, differences
from pipeline.train import Report

#: What a new model may lose in a label or a language, however sure it is that it loses.
LOSS = 0.02


@dataclass(frozen=True)
class Promotion:
    """Whether a model took the place of the current one, and why or why not.

    ``compared``: the whole, then each label and language, on the texts that were held out; empty
    where there was no model to compare with.
    """

    promoted: bool
    reason: str
    path: Path | None = None
    compared: Sequence[Difference] = ()


def promote(
    report: Report,
    current: Answers | None,
    into: Path,
    *,
    needed: Collection[str] = (),
    within: Mapping[str, str] = MappingProxyType({}),
) -> Promotion:
    """Copies the trained head to ``into`` if it beats the current one on the held-out texts.

    It must be better as a whole (macro-F1), and lose more than ``LOSS`` in no label and language,
    both beyond chance, by a paired bootstrap. ``current``: the answers of the model in use to
    ``report.texts``, None when it has no such head. It may have learnt from some of them, the new
    one was measured on texts it had not seen: in doubt the model in use stays. ``needed``: labels
    that the rest of the program asks this head for; a head without them is not put in use.
    ``within``: the parents of new labels; what a parent loses to its child is no loss.
    """
    missing = sorted(set(needed) - report.counts.keys())
    if missing:
        why = f"not promoted: it has never seen {', '.join(missing)}, which this head must know"
        return Promotion(False, f"{why}; give examples of these, too, or the head another name")
    if current is None:
        new = report.held_out.macro_f1.value
        return _installed(report, into, f"macro-F1 {new:.3f} on held-out texts, there was none", ())
    compared = _compared(report, current, within)
    whole = f"macro-F1 on held-out texts {compared[0]}"
    if not compared[0].won:
        not_better = "it is not better" if compared[0].after <= compared[0].before else "maybe luck"
        return Promotion(False, f"not promoted: {whole}: {not_better}", compared=compared)
    lost = [f"{d.name} {d}" for d in compared[1:] if d.lost and d.before - d.after > LOSS]
    if lost:
        reason = f"not promoted: {whole}, but it loses in {'; '.join(lost)}"
        return Promotion(False, reason, compared=compared)
    return _installed(report, into, whole, compared)


def _compared(report: Report, current: Answers, within: Mapping[str, str]) -> list[Difference]:
    """The whole, then the new labels with a parent, then the others with their children in them."""
    found = differences(report.texts, current, report.answers)
    if not within:
        return found

    def renamed(names: Iterable[str]) -> list[str]:
        return [within.get(name, name) for name in names]

    texts = [
        replace(e, label=within.get(e.label, e.label), others=tuple(renamed(e.others)))
        for e in report.texts
    ]
    before = replace(current, names=renamed(current.names))
    after = replace(report.answers, names=renamed(report.answers.names))
    own = [difference for difference in found if difference.name in within]
    return [found[0], *own, *differences(texts, before, after)[1:]]


def _installed(report: Report, into: Path, why: str, compared: Sequence[Difference]) -> Promotion:
    last = into / f"{report.head}{SUFFIX}"
    revision = read_head(last).card.revision + 1 if last.exists() else 1
    head = read_head(report.path)
    card = head.card.model_copy(update={"revision": revision})
    path = write_head(Head(card, head.rows, head.weights, head.digest), into)
    return Promotion(True, f"promoted: {why}", path, compared)
