"""How good a head is on labelled texts: precision, recall, F1, calibration, with intervals.

The intervals are 95 % bootstrap intervals over the examples: whoever brings other events or other
languages must expect figures outside of them. The same seed gives the same interval.
"""

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from pipeline.errors import Misuse
from pipeline.examples import Example
from pipeline.steps.labels import Labeller
from pipeline.steps.text import prepare_texts

RESAMPLES = 500
_BINS = 10
# Texts are labelled in batches of this many, so that a large file does not fill the memory.
_BATCH = 2_048
#: Fewer texts of a language than this give no figure worth printing.
LANGUAGE_AT_LEAST = 20

Ints = NDArray[np.int64]
Counts = NDArray[np.int64] | NDArray[np.float64]


class Interval(NamedTuple):
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class LabelScore:
    """One label's figures. ``support`` is how many texts truly have it."""

    precision: Interval
    recall: Interval
    f1: Interval
    support: int


@dataclass(frozen=True)
class LanguageScore:
    """The figures of one language's texts, ``n`` of them."""

    n: int
    macro_f1: Interval
    accuracy: Interval


@dataclass(frozen=True)
class Scores:
    """A head's figures.

    Macro-F1 is the mean over the labels that occur in the truth. ``calibration_error``: how far
    the stated probabilities lie from the share of right answers, the mean over ten bins, on texts
    whose label is not open (of an open one, several answers are right). ``sure``: share of the
    answers marked sure; ``sure_precision``: how many of these are right (None: none was sure).
    """

    head: str
    n: int
    macro_f1: Interval
    accuracy: Interval
    calibration_error: Interval
    sure: float
    sure_precision: float | None
    labels: dict[str, LabelScore]
    languages: dict[str, LanguageScore]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; an interval is an object of value, low and high."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    def to_text(self) -> str:
        """A table for people."""
        return _table(self)


@dataclass(frozen=True)
class Answers:
    """What a model said about texts, aligned: label names, their probabilities, sure or not."""

    names: Sequence[str]
    p: Sequence[float]
    sure: Sequence[bool]


def evaluate(examples: Sequence[Example], head: str, labeller: Labeller) -> Scores:
    """The figures of ``labeller`` under ``head``. Raises Misuse when it has no such head."""
    if not examples:
        raise Misuse("there are no examples to measure on")
    return score(head, examples, answer(examples, head, labeller))


def answer(examples: Sequence[Example], head: str, labeller: Labeller) -> Answers:
    """What ``labeller`` says about the texts. Raises Misuse when it has no such head."""
    if head not in labeller.labels:
        known = ", ".join(sorted(labeller.labels))
        raise Misuse(f"no model for the head {head!r}; there are: {known}")
    labels = labeller.labels[head]
    names: list[str] = []
    probabilities: list[float] = []
    sure: list[bool] = []
    for start in range(0, len(examples), _BATCH):
        plain = prepare_texts([e.text for e in examples[start : start + _BATCH]]).plain
        best, p, ok = labeller.decide(plain)[head]
        names.extend(labels[b] for b in best)
        probabilities.extend(p)
        sure.extend(ok)
    return Answers(names, probabilities, sure)


def score(head: str, examples: Sequence[Example], answers: Answers, *, seed: int = 0) -> Scores:
    """Compares answers with the truth of the examples."""
    names = sorted({e.label for e in examples} | set(answers.names))
    at = {name: i for i, name in enumerate(names)}
    truth = np.array([at[e.label] for e in examples])
    guess = np.array([at[name] for name in answers.names])
    right = truth == guess
    k = len(names)
    table = _confusion(truth, guess, k)
    drawn = _resampled(truth, guess, k, seed)
    f1, precision, recall = f1_of(table), _precision(table), _recall(table)
    f1_drawn, precision_drawn, recall_drawn = f1_of(drawn), _precision(drawn), _recall(drawn)
    sure = np.asarray(answers.sure, dtype=bool)
    told = np.array([not e.others for e in examples])
    told = told if told.any() else ~told
    return Scores(
        head=head,
        n=len(examples),
        macro_f1=_interval(macro_of(table), macro_of(drawn)),
        accuracy=_interval(right.mean(), np.trace(drawn, axis1=1, axis2=2) / len(examples)),
        calibration_error=_calibration(right[told], np.asarray(answers.p)[told], seed),
        sure=float(sure.mean()),
        sure_precision=float(right[sure].mean()) if sure.any() else None,
        labels={
            name: LabelScore(
                precision=_interval(precision[i], precision_drawn[:, i]),
                recall=_interval(recall[i], recall_drawn[:, i]),
                f1=_interval(f1[i], f1_drawn[:, i]),
                support=int(table[i].sum()),
            )
            for name, i in at.items()
            if table[i].any()
        },
        languages=_by_language([e.lang for e in examples], truth, guess, k, seed),
    )


def macro_f1(truth: Sequence[str], guess: Sequence[str]) -> float:
    """The mean F1 over the labels that occur in the truth."""
    names = sorted(set(truth) | set(guess))
    at = {name: i for i, name in enumerate(names)}
    table = _confusion(
        np.array([at[t] for t in truth]), np.array([at[g] for g in guess]), len(names)
    )
    return float(macro_of(table))


def f1(truth: Sequence[str], guess: Sequence[str], label: str) -> float:
    """The F1 of one label."""
    pairs = list(zip(truth, guess, strict=True))
    hits = sum(t == g == label for t, g in pairs)
    either = sum((t == label) + (g == label) for t, g in pairs)
    return 2 * hits / max(either, 1)


def _confusion(truth: Ints, guess: Ints, k: int) -> Ints:
    """Counts, k × k, truth by row."""
    return np.bincount(truth * k + guess, minlength=k * k).reshape(k, k)


def _resampled(truth: Ints, guess: Ints, k: int, seed: int) -> Ints:
    """Confusions of bootstrap samples. Drawing the cells is drawing the examples."""
    cells = _confusion(truth, guess, k).ravel()
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(int(cells.sum()), cells / cells.sum(), size=RESAMPLES)
    return drawn.reshape(RESAMPLES, k, k)


def f1_of(table: Counts) -> NDArray[np.float64]:
    """F1 by label, for one confusion (k × k, truth by row) or a stack of them."""
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    either = table.sum(axis=-1) + table.sum(axis=-2)
    f1: NDArray[np.float64] = 2 * hits / np.maximum(either, 1)
    return f1


def _precision(table: Ints) -> NDArray[np.float64]:
    """Precision by label; 0 where the label was never given."""
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    precision: NDArray[np.float64] = hits / np.maximum(table.sum(axis=-2), 1)
    return precision


def _recall(table: Ints) -> NDArray[np.float64]:
    """Recall by label; 0 where the label does not occur."""
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    recall: NDArray[np.float64] = hits / np.maximum(table.sum(axis=-1), 1)
    return recall


def macro_of(table: Counts) -> Any:
    """The mean F1 over the labels that occur in the truth, of one confusion or of each of many."""
    occurs = table.sum(axis=-1) > 0
    return (f1_of(table) * occurs).sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)


def _interval(value: Any, drawn: Any) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(value), float(low), float(high))


def _calibration(right: NDArray[np.bool_], p: NDArray[np.float64], seed: int) -> Interval:
    """How far the stated probabilities lie from the share of right answers, over ten bins.

    A sample is never calibrated to the last digit: the interval of a perfect model lies above 0.
    """
    bins = np.minimum((p * _BINS).astype(int), _BINS - 1)
    gap = p - right
    rng = np.random.default_rng(seed)
    samples = (rng.integers(0, len(p), size=len(p)) for _ in range(RESAMPLES))
    errors = [_off(bins[sample], gap[sample]) for sample in samples]
    return _interval(_off(bins, gap), errors)


def _off(bins: Ints, gap: NDArray[np.float64]) -> float:
    return float(np.abs(np.bincount(bins, weights=gap, minlength=_BINS)).sum() / len(bins))


def _by_language(
    langs: Sequence[str | None], truth: Ints, guess: Ints, k: int, seed: int
) -> dict[str, LanguageScore]:
    known = np.array([lang or "" for lang in langs])
    found = {}
    for lang in sorted(set(known.tolist()) - {""}):
        here = known == lang
        n = int(here.sum())
        if n >= LANGUAGE_AT_LEAST:
            table = _confusion(truth[here], guess[here], k)
            drawn = _resampled(truth[here], guess[here], k, seed)
            found[lang] = LanguageScore(
                n,
                _interval(macro_of(table), macro_of(drawn)),
                _interval(np.trace(table) / n, np.trace(drawn, axis1=1, axis2=2) / n),
            )
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return {name: round(part, 4) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def _table(scores: Scores) -> str:
    out = io.StringIO()
    console = Console(file=out, width=100, highlight=False, color_system=None)
    table = Table(title=f"{scores.head}: {scores.n:,} texts", title_justify="left")
    table.add_column("label")
    for name in ("precision", "95 %", "recall", "95 %", "F1", "95 %", "texts"):
        table.add_column(name, justify="right")
    for name, label in scores.labels.items():
        figures = (*_cells(label.precision), *_cells(label.recall), *_cells(label.f1))
        table.add_row(name, *figures, f"{label.support:,}")
    table.add_section()
    table.add_row("macro-F1", *[""] * 4, *_cells(scores.macro_f1), f"{scores.n:,}")
    table.add_row("accuracy", *[""] * 4, *_cells(scores.accuracy), "")
    for lang, spoken in scores.languages.items():
        table.add_row(f"macro-F1, {lang}", *[""] * 4, *_cells(spoken.macro_f1), f"{spoken.n:,}")
    console.print(table)
    right = "" if scores.sure_precision is None else f", {scores.sure_precision:.1%} of these right"
    console.print(
        f"calibration error {' (95 % '.join(_cells(scores.calibration_error))}); "
        f"sure {scores.sure:.1%}{right}"
    )
    return out.getvalue()


def _cells(figure: Interval) -> tuple[str, str]:
    return f"{figure.value:.3f}", f"{figure.low:.3f}–{figure.high:.3f}"
