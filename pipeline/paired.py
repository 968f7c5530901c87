"""Two models on the same texts: whether one is better, or was lucky.

A paired bootstrap: groups of texts (an event, an operator; a text without a group by itself) are
drawn again and again, and both models are scored on each draw. What stays above 0 in nearly all
draws is no luck. Drawing groups rather than texts keeps one event from deciding by its size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.evaluate import LANGUAGE_AT_LEAST, Answers, f1_of, macro_of
from pipeline.examples import Example

RESAMPLES = 2_000
# Draws are made in parts of this many, so that memory does not follow the number of groups.
_AT_ONCE = 100
# A difference is told with an interval of 95 %. Of many labels and languages one is always unlucky:
# that something is lost must hold for all comparisons together (Bonferroni).
_LEVEL = 0.05


@dataclass(frozen=True)
class Difference:
    """What a figure was and became, both F1 between 0 and 1, and the 95 % interval of the change.

    ``won``: the change is above 0 in 19 of 20 draws. ``lost``: it is below 0 beyond chance, all
    comparisons of the report counted in.
    """

    name: str
    before: float
    after: float
    low: float
    high: float
    won: bool
    lost: bool

    def __str__(self) -> str:
        """For people."""
        change = self.after - self.before
        interval = f"{change:+.3f}, 95 % {self.low:+.3f} to {self.high:+.3f}"
        return f"{self.before:.3f} to {self.after:.3f} ({interval})"


def differences(
    examples: Sequence[Example], before: Answers, after: Answers, *, seed: int = 0
) -> list[Difference]:
    """The whole (macro-F1) first, then label by label (F1), then language by language (macro-F1).

    Only labels that occur as the truth count. An answer to an example whose label is open is right
    when it is one of those it may have. The same seed gives the same answer.
    """
    names = sorted({e.label for e in examples} | set(before.names) | set(after.names))
    at = {name: i for i, name in enumerate(names)}
    cells = [_cells(examples, answers, at) for answers in (before, after)]
    units = _units(examples)
    occurs = np.isin(np.arange(len(names)), [at[e.label] for e in examples])
    labels = [name for name, there in zip(names, occurs, strict=True) if there]
    langs = np.array([e.lang or "" for e in examples])
    spoken = [
        lang for lang in sorted(set(langs.tolist()) - {""})
        if (langs == lang).sum() >= LANGUAGE_AT_LEAST
    ]  # fmt: skip
    old, new = (_drawn(part, units, len(names), seed) for part in cells)
    found = [_told("macro-F1", macro_of(old), macro_of(new), 1)]
    many = len(labels) + len(spoken)
    f1_old, f1_new = f1_of(old), f1_of(new)
    found += [_told(name, f1_old[:, at[name]], f1_new[:, at[name]], many) for name in labels]
    for lang in spoken:
        here = langs == lang
        old, new = (_drawn(part[here], units[here], len(names), seed) for part in cells)
        found.append(_told(f"language {lang}", macro_of(old), macro_of(new), many))
    return found


def _cells(examples: Sequence[Example], answers: Answers, at: dict[str, int]) -> NDArray[np.int64]:
    """For each example the number of its cell in the confusion, truth by row."""
    truth = [
        name if name in e.others else e.label
        for e, name in zip(examples, answers.names, strict=True)
    ]
    pairs = zip(truth, answers.names, strict=True)
    return np.array([at[t] * len(at) + at[g] for t, g in pairs], np.int64)


def _units(examples: Sequence[Example]) -> NDArray[np.int64]:
    """For each example the number of what it is drawn with."""
    keys = [e.group or (i, e.text) for i, e in enumerate(examples)]
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([number[key] for key in keys], np.int64)


def _drawn(
    cells: NDArray[np.int64], units: NDArray[np.int64], k: int, seed: int
) -> NDArray[np.float64]:
    """Confusions, (1 + draws) × k × k: that of all texts first."""
    _, unit = np.unique(units, return_inverse=True)
    n = int(unit.max()) + 1
    ones = np.ones(len(cells))
    counts = csr_matrix((ones, (unit, cells)), shape=(n, k * k))
    rng = np.random.default_rng(seed)
    parts = [np.asarray(counts.sum(axis=0)).reshape(1, -1)]
    for _ in range(0, RESAMPLES, _AT_ONCE):
        times = rng.multinomial(n, np.full(n, 1 / n), size=_AT_ONCE)
        parts.append(np.asarray(times @ counts))
    return np.concatenate(parts).reshape(-1, k, k)


def _told(
    name: str, before: NDArray[np.float64], after: NDArray[np.float64], many: int
) -> Difference:
    """``many``: how many comparisons are made with the same caution."""
    change = (after - before)[1:]
    low, high = np.quantile(change, [_LEVEL / 2, 1 - _LEVEL / 2])
    won = bool(np.quantile(change, _LEVEL) > 0)
    lost = bool(np.quantile(change, 1 - _LEVEL / many) < 0)
    return Difference(name, float(before[0]), float(after[0]), float(low), float(high), won, lost)
