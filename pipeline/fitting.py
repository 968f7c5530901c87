"""Softmax regression on sparse rows, whose labels may be open.

An example allows one label or several ("a complaint or a report, the source does not tell them
apart"). What is made likely is that one of the allowed labels is right; the model itself finds out
which. With one allowed label each it is multinomial logistic regression.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

Doubles = NDArray[np.float64]

# Enough for figures that move in their third place; every further step costs as much as the last.
_STEPS = 80
_REMEMBERED = 8
_LEAST = 1e-9
# How often a feature is taken to stand in every label besides what was seen.
_SMOOTHED = 0.1


@dataclass(frozen=True)
class Linear:
    """A fitted model: ``coef`` is columns of the rows × labels, ``intercept`` a number a label."""

    coef: NDArray[np.float32]
    intercept: NDArray[np.float32]

    def logits(self, x: csr_matrix) -> Doubles:
        """The scores of rows, rows × labels."""
        scores: Doubles = (x @ self.coef + self.intercept).astype(np.float64)
        return scores


def fit(
    x: csr_matrix,
    allowed: NDArray[np.bool_],
    weight: Doubles,
    *,
    cost: float,
    balance: float,
    contrast: float = 0.0,
) -> Linear:
    """Fits rows ``x`` (n × features) to ``allowed`` (n × labels).

    ``cost`` is the inverse of the regularisation, ``balance`` between 0 and 1 says how far rare
    labels are raised towards common ones, ``contrast`` how much more is expected of features that
    stand in one label's texts rather than in others' (0: nothing). The same arguments give the same
    model.
    """
    weights = _balanced(allowed, weight, balance)
    size = _contrasts(x, allowed, weights, contrast)
    scaled = csr_matrix(x.multiply(size[None, :]), dtype=np.float32) if contrast else x
    found = _solved(scaled, allowed.astype(np.float32), weights.astype(np.float32), cost)
    return Linear(found.coef * size[:, None], found.intercept)


def _contrasts(
    x: csr_matrix, allowed: NDArray[np.bool_], weights: Doubles, power: float
) -> NDArray[np.float32]:
    """The scale of each feature: the strongest log-ratio of its frequency in a label and elsewhere.

    The idea of Wang and Manning ("Baselines and bigrams", ACL 2012), softened by ``power``; the
    mean square over all that stands in the texts stays 1, so that ``cost`` means the same.
    """
    if not power:
        return np.ones(x.shape[1], np.float32)
    share = allowed / allowed.sum(axis=1, keepdims=True) * weights[:, None]
    inside = np.asarray(abs(x).T @ share)
    outside = inside.sum(axis=1, keepdims=True) - inside
    inside, outside = inside + _SMOOTHED, outside + _SMOOTHED
    ratio = np.log(inside / inside.sum(axis=0)) - np.log(outside / outside.sum(axis=0))
    size = np.abs(ratio).max(axis=1) ** power
    energy = np.asarray(x.multiply(x).sum(axis=0)).ravel()
    size /= np.sqrt((size**2 * energy).sum() / max(energy.sum(), _LEAST)) + _LEAST
    scales: NDArray[np.float32] = size.astype(np.float32)
    return scales


def _solved(
    x: csr_matrix, open_to: NDArray[np.float32], weights: NDArray[np.float32], cost: float
) -> Linear:
    features, labels = x.shape[1], open_to.shape[1]
    turned = csr_matrix(x.T)

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        at = flat.reshape(features + 1, labels).astype(np.float32)
        p = _softmax(x @ at[:-1] + at[-1])
        among = p * open_to
        total = np.maximum(among.sum(axis=1), _LEAST)
        slope = (p - among / total[:, None]) * weights[:, None]
        gradient = np.empty_like(at)
        gradient[:-1] = turned @ slope + at[:-1] / cost
        gradient[-1] = slope.sum(axis=0)
        size = float((at[:-1].astype(np.float64) ** 2).sum())
        value = float(-(weights * np.log(total)).sum()) + size / (2 * cost)
        return value, gradient.ravel().astype(np.float64)

    options = {"maxiter": _STEPS, "maxcor": _REMEMBERED, "ftol": 1e-7, "gtol": 1e-4}
    start = np.zeros((features + 1) * labels)
    solve: Any = minimize  # its stubs know no function that returns its gradient, too
    found: Any = solve(loss, start, jac=True, method="L-BFGS-B", options=options)
    table = found.x.reshape(features + 1, labels).astype(np.float32)
    return Linear(table[:-1], table[-1])


def _balanced(allowed: NDArray[np.bool_], weight: Doubles, balance: float) -> Doubles:
    """Weights whose mean is 1; an open example counts for each of its labels in part."""
    share = allowed / allowed.sum(axis=1, keepdims=True)
    by_label = np.maximum((share * weight[:, None]).sum(axis=0), _LEAST)
    raised = (by_label.sum() / by_label) ** balance
    weights: Doubles = weight * (share @ raised)
    weights /= weights.mean()
    return weights


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores
