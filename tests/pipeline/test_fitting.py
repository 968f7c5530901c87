"""Softmax regression with open labels."""

import numpy as np
from scipy.sparse import csr_matrix

from pipeline.fitting import fit

#: Four kinds of rows, each with a column of its own.
ROWS = csr_matrix(np.tile(np.eye(4, dtype=np.float32), (10, 1)))
ONES = np.ones(40)


def allowed(*labels: tuple[int, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Rows × 3 labels: what each of the four kinds may be."""
    four = np.zeros((4, 3), dtype=bool)
    for row, these in enumerate(labels):
        four[row, list(these)] = True
    return np.tile(four, (10, 1))


def test_plain_labels_are_learnt() -> None:
    """With one label each, every kind gets its own."""
    model = fit(ROWS, allowed((0,), (1,), (2,), (0,)), ONES, cost=10.0, balance=0.0)
    assert model.logits(ROWS[:4]).argmax(axis=1).tolist() == [0, 1, 2, 0]
    assert model.coef.shape == (4, 3)


def test_an_open_label_rules_out_the_others() -> None:
    """ "0 or 1" is not 2, and the plain rows that look alike say which."""
    both = csr_matrix(np.tile(np.eye(4, dtype=np.float32)[[0, 1, 2, 0]], (10, 1)))
    model = fit(both, allowed((0,), (1,), (2,), (0, 1)), ONES, cost=10.0, balance=0.0)
    assert model.logits(both[:4]).argmax(axis=1).tolist() == [0, 1, 2, 0]
    unseen = fit(ROWS, allowed((0,), (1,), (2,), (0, 1)), ONES, cost=10.0, balance=0.0)
    assert unseen.logits(ROWS[:4])[3].argmin() == 2


def test_weight_and_balance_shift_the_intercept() -> None:
    """A label of little weight is rarely expected, unless rare labels are raised."""
    weight = np.tile([1.0, 1.0, 0.1, 1.0], 10)
    kinds = allowed((0,), (1,), (2,), (0,))
    plain = fit(ROWS, kinds, weight, cost=0.1, balance=0.0)
    raised = fit(ROWS, kinds, weight, cost=0.1, balance=1.0)
    assert plain.intercept.argmin() == 2
    assert np.ptp(raised.intercept) < np.ptp(plain.intercept) / 2


def test_the_same_twice() -> None:
    """Nothing is drawn by lot."""
    one, two = (fit(ROWS, allowed((0,), (1,), (2,), (0,)), ONES, cost=1.0, balance=1.0)
                for _ in range(2))  # fmt: skip
    assert one.coef.tobytes() == two.coef.tobytes()


def test_contrast_trusts_what_tells_labels_apart() -> None:
    """A column that stands in one label's rows only gains on one that stands everywhere."""
    rows = np.tile(np.array([[1, 0, 1], [0, 1, 1]], np.float32), (20, 1))
    kinds = np.tile(np.eye(2, dtype=bool), (20, 1))
    plain, contrasted = (
        fit(csr_matrix(rows), kinds, ONES, cost=0.1, balance=0.0, contrast=power)
        for power in (0.0, 0.5)
    )
    assert np.ptp(contrasted.coef[0]) > np.ptp(plain.coef[0])
    assert abs(contrasted.coef[2]).max() <= abs(plain.coef[2]).max() + 1e-6
    assert contrasted.logits(csr_matrix(rows[:2])).argmax(axis=1).tolist() == [0, 1]
