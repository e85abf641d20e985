"""A classifier on a value inside a network: pooled features and regularised logistic regression."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from edgeopt.ir import Array

STRENGTHS = (0.003, 0.03, 0.3)  # of scikit-learn's C, on standardised features; the best on held-out samples is taken
HELD_OUT = 0.25
ROUNDS, TOLERANCE = 100, 1e-3
MOST = 20000  # samples to fit on
TRIED = 4096  # of which on so many it is tried how
SIDES, MOST_FEATURES = (8, 6, 4, 2, 1), 1024  # of a grid; what a head may see


@dataclass(frozen=True, eq=False)
class Head:
    """Pools a map to ``grid`` (rows, columns; None: as it is), then weight [features, classes] and bias [classes].

    ``accuracy`` is that on samples held out of the fit, between 0 and 1.
    """

    grid: tuple[int, int] | None
    weight: Array
    bias: Array
    accuracy: float

    def logits(self, values: Array) -> Array:
        """[samples, classes] of ``values`` [samples, ...]."""
        return np.asarray(features(values, self.grid) @ self.weight + self.bias)


def grids(shape: tuple[int, ...]) -> list[tuple[int, int] | None]:
    """Poolings to try for a value of ``shape`` without the samples: from an eighth of each side to the whole of a map."""
    if len(shape) != 3:
        return [None]
    fitting = [g for g in SIDES if shape[1] % g == 0 and shape[2] % g == 0 and g * g * shape[0] <= MOST_FEATURES]
    sizes = [(g, g) for g in fitting or (1,)]
    whole = [(g, 1) for g in (4, 2) if shape[2] == 1 and shape[1] % g == 0]
    return [*dict.fromkeys([*sizes, *whole])]


def features(values: Array, grid: tuple[int, int] | None) -> Array:
    """[samples, features]: means over the cells of ``grid``, channels first."""
    if grid is None:
        return values.reshape(len(values), -1).astype(np.float64)
    count, channels, rows, columns = values.shape
    cells = values.reshape(count, channels, grid[0], rows // grid[0], grid[1], columns // grid[1])
    return np.asarray(cells.mean(axis=(3, 5), dtype=np.float64).reshape(count, -1))


def fit(values: Array, targets: Array, classes: int, seed: int = 0) -> Head:
    """The head with the best accuracy on held-out samples, over poolings and regularisation, refitted on all of them.

    ``targets`` [samples] are classes from 0 to ``classes`` - 1: labels, or the network's own decisions.
    """
    order = np.random.default_rng(seed).permutation(len(values))[:MOST]
    held = order[: max(1, int(HELD_OUT * len(order[:TRIED])))]
    kept = order[len(held) : TRIED]
    tried = []
    for grid in grids(values.shape[1:]):
        x = features(values, grid)
        for strength in STRENGTHS:
            weight, bias = _regression(x[kept], targets[kept], classes, strength)
            right = float(np.mean(np.argmax(x[held] @ weight + bias, axis=1) == targets[held]))
            tried.append((right, -x.shape[1], -strength, grid, strength))
    right, _, _, grid, strength = max(tried, key=lambda t: t[:3])
    return Head(grid, *_regression(features(values[order], grid), targets[order], classes, strength), right)


def _regression(x: Array, y: Array, classes: int, strength: float) -> tuple[Array, Array]:
    """Weight and bias for raw features; classes that are not among the targets get none, and a bias that never wins."""
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    weight, bias = np.zeros((x.shape[1], classes)), np.full(classes, -1e4)
    present = np.unique(y)
    if len(present) == 1:
        bias[present] = 0.0
        return weight, bias
    model = LogisticRegression(C=strength, max_iter=ROUNDS, tol=TOLERANCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        model.fit((x - mean) / scale, y)
    w, b = model.coef_, model.intercept_
    if len(present) == 2:  # one row that separates the two
        w, b = np.concatenate([-w / 2, w / 2]), np.concatenate([-b / 2, b / 2])
    weight[:, present] = w.T / scale[:, None]
    bias[present] = b - (w / scale) @ mean
    return weight, bias
