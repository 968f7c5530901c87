"""Training of a head: labelled texts in, one file of weights and honest figures out.

The figures come from cross-validation in which a group (an event, an operator, an app) is never in
both parts; what ships is then fitted on everything. Nothing is drawn without a fixed seed: the same
examples give the same bytes. scikit-learn is imported here only, and only when it is needed.
An example whose label is open counts as right when the answer is one of those it may have.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix

from pipeline.errors import Misuse
from pipeline.evaluate import Answers, Scores, macro_f1, score
from pipeline.examples import Example
from pipeline.fitting import Linear, fit
from pipeline.heads import (
    FORMAT,
    HEAD_NAME,
    NEVER,
    Card,
    Features,
    fingerprint,
    make_head,
    write_head,
)
from pipeline.steps.grams import matrix
from pipeline.steps.text import prepare_texts

#: Called with a stage's name, how much of it is done, and how much there is.
Progress: TypeAlias = Callable[[str, int, int], None]

# Below this a label is an anecdote, and a fold of the cross-validation may not see it at all.
LEAST_PER_LABEL = 5
# What `sure` promises, and from how many held-out cases on it may be promised.
SURE_PRECISION, SURE_CASES = 0.9, 20
# Buckets seen in a single text teach nothing about another one, once there are enough texts.
_RARE_BELOW, _MANY_TEXTS = 2, 2_000
_HASH_BATCH = 4_096
#: Large sets of noisy labels want the first, small ones and clear ones the second.
COSTS = (0.5, 2.0)


@dataclass(frozen=True)
class Settings:
    """How to train.

    ``cost`` is the inverse of the regularisation; without one, that of ``COSTS`` is taken which
    does best on held-out texts. ``balance`` between 0 and 1: how far rare labels are
    raised towards common ones. ``contrast``: how much more is expected of features that tell labels
    apart by themselves. ``max_rows`` bounds the file: the buckets whose weights matter least are
    dropped.
    """

    version: str = "0"
    features: Features = field(default_factory=Features)
    cost: float | None = None
    balance: float = 1.0
    contrast: float = 0.6
    folds: int = 5
    max_rows: int = 150_000
    seed: int = 0


@dataclass(frozen=True)
class Report:
    """What training made, and how good it was on what it did not see.

    ``texts`` are the different examples, ``answers`` what models said that had not seen them.
    """

    head: str
    path: Path
    examples: int
    groups: int
    split: str
    counts: dict[str, int]
    held_out: Scores
    texts: Sequence[Example]
    answers: Answers

    def to_text(self) -> str:
        """For people."""
        labels = ", ".join(f"{name} {n:,}" for name, n in self.counts.items())
        return (
            f"{self.head}: {self.examples:,} different texts in {self.groups:,} groups ({labels})\n"
            f"held out {self.split}:\n{self.held_out.to_text()}wrote {self.path}\n"
        )


def train(
    examples: Sequence[Example],
    head: str,
    out_dir: Path,
    *,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Report:
    """Trains ``head`` and writes ``out_dir/HEAD.safetensors``.

    A head that does not exist yet is a new head. Raises Misuse when the examples cannot teach it.
    """
    if not re.fullmatch(HEAD_NAME, head):
        raise Misuse(f"{head!r} cannot be a head's name: small letters, digits, - and _ only")
    settings = settings or Settings()
    tell = progress or _silent
    data = _Data(examples, settings, tell)
    settings, crossed = _chosen(data, settings, tell)
    held_out = score(head, crossed.examples, crossed.answers)
    tell("fit", 0, 1)
    rows, weights = _packed(data, _fitted(data, np.arange(data.n), settings), settings.max_rows)
    groups = len(set(data.groups))
    card = Card(
        format=FORMAT,
        head=head,
        version=settings.version,
        labels=tuple(data.labels),
        thresholds=tuple(crossed.thresholds),
        temperature=crossed.temperature,
        features=settings.features,
        fingerprint=fingerprint(settings.features),
        training={
            "examples": data.n,
            "groups": groups,
            "split": data.split,
            "counts": data.counts,
            "held_out": held_out.to_dict(),
        },
    )
    path = write_head(make_head(card, rows, weights), out_dir)
    tell("fit", 1, 1)
    return Report(
        head, path, data.n, groups, data.split, data.counts, held_out, data.examples,
        crossed.answers,
    )  # fmt: skip


def cross_validated(
    examples: Sequence[Example], *, settings: Settings | None = None
) -> tuple[list[Example], Answers]:
    """The different texts and what models say about them that did not see them or their group."""
    settings = settings or Settings()
    _, crossed = _chosen(_Data(examples, settings, _silent), settings, _silent)
    return crossed.examples, crossed.answers


def _silent(stage: str, done: int, total: int) -> None:
    """Progress for nobody."""


class _Data:
    """Examples without repetitions as numbers."""

    def __init__(self, examples: Sequence[Example], settings: Settings, tell: Progress) -> None:
        texts = prepare_texts([e.text for e in examples])
        keys = [
            canonical or plain
            for canonical, plain in zip(texts.canonical, texts.plain, strict=True)
        ]
        # The same text twice would stand on both sides of a split; the first one counts.
        first = list({key: i for i, key in reversed(list(enumerate(keys)))}.values())[::-1]
        self.examples = [examples[i] for i in first]
        self.n = len(first)
        self.counts = dict(sorted(Counter(e.label for e in self.examples).items()))
        self.labels = list(self.counts)
        _check(self.counts)
        self.first = np.array([self.labels.index(e.label) for e in self.examples])
        self.allowed = _allowed(self.examples, self.labels)
        self.groups = [examples[i].group or f"\x00{keys[i]}" for i in first]
        self.weight = np.array([e.weight for e in self.examples])
        self.seed, self.n_folds = settings.seed, settings.folds
        self.split = "by group" if self._grouped() else "at random: too few groups"
        plain = [texts.plain[i] for i in first]
        self.matrix, self.columns = _hashed(plain, settings.features, tell)

    def _grouped(self) -> bool:
        """Whether every label stands in two groups, so that none is unknown to a whole fold."""
        pairs = set(zip(self.groups, self.first.tolist(), strict=True))
        per_label = Counter(label for _, label in pairs)
        return len(set(self.groups)) >= self.n_folds and min(per_label.values()) > 1

    def folds(self, count: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Indices to learn from and to hold out, fold by fold."""
        from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

        kind = StratifiedGroupKFold if self.split == "by group" else StratifiedKFold
        cut = kind(count, shuffle=True, random_state=self.seed)
        groups = self.groups if self.split == "by group" else None
        yield from cut.split(np.zeros(self.n), self.first, groups)


def _allowed(examples: Sequence[Example], labels: Sequence[str]) -> NDArray[np.bool_]:
    """Examples × labels: which may be right. A label that is never the first one is unknown."""
    at = {label: i for i, label in enumerate(labels)}
    allowed = np.zeros((len(examples), len(labels)), dtype=bool)
    for row, example in enumerate(examples):
        for label in (example.label, *example.others):
            if label in at:
                allowed[row, at[label]] = True
    return allowed


def _check(counts: dict[str, int]) -> None:
    if not counts:
        raise Misuse("there are no examples to learn from")
    if len(counts) == 1:
        raise Misuse(f"all examples have the label {next(iter(counts))!r}: nothing to tell apart")
    for label, n in counts.items():
        if n < LEAST_PER_LABEL:
            least = f"at least {LEAST_PER_LABEL} are needed"
            raise Misuse(f"the label {label!r} has {n} different texts, {least}")


def _hashed(
    plain: Sequence[str], spec: Features, tell: Progress
) -> tuple[csr_matrix, NDArray[np.int64]]:
    """The texts' features, without buckets that cannot teach, and which buckets are left."""
    from scipy.sparse import vstack

    parts = []
    for start in range(0, len(plain), _HASH_BATCH):
        tell("features", start, len(plain))
        batch = plain[start : start + _HASH_BATCH]
        parts.append(matrix(batch, bits=spec.bits, chars=spec.chars))
    tell("features", len(plain), len(plain))
    full = csr_matrix(vstack(parts))
    seen = np.bincount(full.indices, minlength=full.shape[1])
    kept = np.flatnonzero(seen >= (_RARE_BELOW if len(plain) >= _MANY_TEXTS else 1))
    return csr_matrix(full[:, kept]), kept


def _fitted(data: _Data, learn: NDArray[np.int64], settings: Settings) -> Linear:
    """The model of some of the texts."""
    assert settings.cost is not None  # noqa: S101  # chosen before
    return fit(
        csr_matrix(data.matrix[learn]),
        data.allowed[learn],
        data.weight[learn],
        cost=settings.cost,
        balance=settings.balance,
        contrast=settings.contrast,
    )


def _packed(
    data: _Data, model: Linear, max_rows: int
) -> tuple[NDArray[np.uint32], NDArray[np.float16]]:
    """The buckets that matter most and their weights, the intercepts last."""
    table = np.concatenate([model.coef, model.intercept[None, :]])
    # Only differences count. Of two labels, the second one's scores are enough: the first has 0.
    two = table.shape[1] == 2
    table = table[:, 1:] - table[:, :1] if two else table - table.mean(axis=1, keepdims=True)
    # A bucket matters as far as it tells labels apart, in the texts in which it stands.
    seen = np.sqrt(np.asarray(data.matrix.multiply(data.matrix).sum(axis=0)).ravel())
    strength = np.abs(table[:-1]).max(axis=1) * seen
    most = np.argsort(-strength, kind="stable")[:max_rows]
    kept = np.sort(most[strength[most] > 0])
    rows = np.append(kept, len(table) - 1)
    return data.columns[kept].astype(np.uint32), table[rows].astype(np.float16)


@dataclass(frozen=True)
class _Crossed:
    """What cross-validation tells: the answers on held-out texts, and how to calibrate them.

    ``examples`` are told by one label: an open one by the likeliest of those it may have.
    """

    examples: list[Example]
    answers: Answers
    temperature: float
    thresholds: list[float]


def _chosen(data: _Data, settings: Settings, tell: Progress) -> tuple[Settings, _Crossed]:
    """The settings with a cost, and what cross-validation with them tells.

    The better one on two halves: what that adds to the held-out figures is less than chance does.
    """
    if settings.cost is None:
        tried = [replace(settings, cost=cost, folds=2) for cost in COSTS]
        halves = [_macro_of(_cross_validated(data, each, _silent)) for each in tried]
        settings = replace(settings, cost=COSTS[int(np.argmax(halves))])
    return settings, _cross_validated(data, settings, tell)


def _macro_of(crossed: "_Crossed") -> float:
    return macro_f1([e.label for e in crossed.examples], crossed.answers.names)


def _cross_validated(data: _Data, settings: Settings, tell: Progress) -> _Crossed:
    logits = np.zeros((data.n, len(data.labels)))
    for done, (learn, held) in enumerate(data.folds(settings.folds)):
        tell("cross-validation", done, settings.folds)
        logits[held] = _fitted(data, learn, settings).logits(csr_matrix(data.matrix[held]))
    tell("cross-validation", settings.folds, settings.folds)
    truth = np.where(data.allowed, logits, -np.inf).argmax(axis=1)
    # An open example is right more often than any probability of one label can say.
    closed = data.allowed.sum(axis=1) == 1
    told = closed if closed.any() else ~closed
    temperature = _temperature(logits[told], truth[told])
    p = _softmax(logits / temperature)
    best, top = p.argmax(axis=1), np.round(p.max(axis=1), 3)
    thresholds = _thresholds(best, top, truth, len(data.labels))
    sure = top >= np.asarray(thresholds)[best]
    names = [data.labels[b] for b in best]
    examples = [
        replace(example, label=data.labels[t])
        for example, t in zip(data.examples, truth.tolist(), strict=True)
    ]
    return _Crossed(examples, Answers(names, top.tolist(), sure.tolist()), temperature, thresholds)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p: NDArray[np.float64] = e / e.sum(axis=1, keepdims=True)
    return p


def _temperature(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The divisor of the scores that makes the held-out truth most likely."""

    def loss(log_t: float) -> float:
        p = _softmax(logits / np.exp(log_t))[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(p, 1e-12)).mean())

    found: Any = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(found.x))


def _thresholds(
    best: NDArray[np.int64], top: NDArray[np.float64], truth: NDArray[np.int64], k: int
) -> list[float]:
    """By label the lowest probability from which on nine of ten held-out answers were right."""
    found = []
    for label in range(k):
        here = best == label
        p, right = top[here], truth[here] == label
        order = np.argsort(-p, kind="stable")
        p, share = p[order], np.cumsum(right[order]) / np.arange(1, len(p) + 1)
        # Equal probabilities stand or fall together: only the last of a run is a threshold.
        last = np.append(p[1:] != p[:-1], True) if len(p) else np.zeros(0, dtype=bool)
        enough = np.arange(1, len(p) + 1) >= SURE_CASES
        good = np.flatnonzero(last & enough & (share >= SURE_PRECISION))
        found.append(float(p[good[-1]]) if len(good) else NEVER)
    return found
