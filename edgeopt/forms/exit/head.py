"""A classifier on a value inside a network: regularised logistic regression on features of it, or on a layer in front of that."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.forms.exit.deeper import Kind, kinds, layers, worth
from edgeopt.forms.exit.layers import Layers
from edgeopt.ir import Array
from edgeopt.ops.exit_features import Features, Grid

STRENGTHS = (0.003, 0.03, 0.3)  # of scikit-learn's C, on standardised features; the best on held-out samples is taken
HELD_OUT = 0.25
ROUNDS, TOLERANCE = 100, 1e-3
MOST = 20000  # samples to fit on
TRIED = 4096  # of which on so many it is tried how
SIDES, MOST_FEATURES = (8, 6, 4, 2, 1), 1024  # of a grid; what a head may see


@dataclass(frozen=True, eq=False)
class Head:
    """Sees ``features`` of a value, then weight [features, classes] and bias [classes].

    ``accuracy`` is that on samples held out of the fit, between 0 and 1, ``held`` [samples, classes] the logits of those before
    it was refitted on them too; ``work`` its multiply-accumulates. A head of a ``kind`` with a layer in front was ``learnt``.
    """

    features: Features
    weight: Array
    bias: Array
    accuracy: float
    held: Array
    work: int
    kind: Kind | None = None
    learnt: Layers | None = None

    @property
    def parameters(self) -> int:
        """How many weights it has."""
        return int(self.weight.size + (0 if self.learnt is None else self.learnt.first[0].size))

    def logits(self, seen: Mapping[Features, Array]) -> Array:
        """[samples, classes] of what is seen of samples, [samples, features] of each kind."""
        if self.kind is not None and self.learnt is not None:
            return self.learnt.logits(self.kind.patches(seen[self.kind.seen]))
        return np.asarray(seen[self.features] @ self.weight + self.bias)


def grids(shape: Sequence[int]) -> list[Features]:
    """Poolings to try for a value of ``shape``, a leading 1 and the sample: from an eighth of each side to the whole of a map."""
    if len(shape) != 4:
        return [Grid(None)]
    channels, rows, columns = shape[1:]
    fitting = [g for g in SIDES if rows % g == 0 and columns % g == 0 and g * g * channels <= MOST_FEATURES]
    sizes = [(g, g) for g in fitting or (1,)]
    whole = [(g, 1) for g in (4, 2) if columns == 1 and rows % g == 0]
    return [Grid(cells) for cells in dict.fromkeys([*sizes, *whole])]


def fit(seen: Mapping[Features, Array], targets: Array, classes: int, shape: Sequence[int], seed: int = 0) -> Head:
    """The head with the best accuracy on held-out samples, over what is ``seen`` of a value of ``shape`` and regularisation,

    refitted on all of them. ``targets`` [samples] are classes from 0 to ``classes`` - 1: labels, or the network's own decisions.
    """
    order = _order(len(targets), seed)
    held = held_out(len(targets), seed)
    kept = order[len(held) : TRIED]
    tried = []
    for number, (kind, x) in enumerate(seen.items()):
        for strength in STRENGTHS:
            weight, bias = _regression(x[kept], targets[kept], classes, strength)
            logits = x[held] @ weight + bias
            right = float(np.mean(np.argmax(logits, axis=1) == targets[held]))
            tried.append((right, -x.shape[1], -strength, -number, kind, logits))
    right, _, strength, _, kind, logits = max(tried, key=lambda t: t[:4])
    weight, bias = _regression(seen[kind][order], targets[order], classes, -strength)
    return Head(kind, weight, bias, right, logits, weight.size + kind.work(shape))


def fit_deeper(
    plain: Head, seen: Mapping[Features, Array], targets: Array, classes: int, shape: Sequence[int], seed: int = 0
) -> list[Head]:
    """Heads with a layer in front, beside the ``plain`` one, of what ``fit`` takes; none where a plane is all that is needed."""
    order, held = _order(len(targets), seed), held_out(len(targets), seed)
    rest, made = order[len(held) :], list[Head]()
    for kind in kinds(plain.features, seen, shape) if worth(targets[rest], classes) else ():
        x = seen[kind.seen]
        logits = layers(kind, x[rest], targets[rest], classes, seed).logits(kind.patches(x[held]))
        found = layers(kind, x[order], targets[order], classes, seed)
        features, right = kind.made(found), float(np.mean(logits.argmax(axis=1) == targets[held]))
        work = found.last[0].size + features.work(shape)
        made.append(Head(features, *found.last, right, logits, work, kind, found))
    return made


def held_out(count: int, seed: int = 0) -> Array:
    """Which of ``count`` samples ``fit`` tries heads on."""
    order = _order(count, seed)
    return order[: max(1, int(HELD_OUT * len(order[:TRIED])))]


def _order(count: int, seed: int) -> Array:
    return np.random.default_rng(seed).permutation(count)[:MOST]


def _regression(x: Array, y: Array, classes: int, strength: float) -> tuple[Array, Array]:
    """Weight and bias for raw features; classes that are not among the targets get none, and a bias that never wins."""
    from sklearn.exceptions import ConvergenceWarning  # late: it takes a second to load
    from sklearn.linear_model import LogisticRegression

    mean, scale = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64) + 1e-9
    weight, bias = np.zeros((x.shape[1], classes)), np.full(classes, -1e4)
    present = np.unique(y)
    if len(present) == 1:
        bias[present] = 0.0
        return weight, bias
    model = LogisticRegression(C=strength, max_iter=ROUNDS, tol=TOLERANCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        model.fit(((x - mean) / scale).astype(np.float32), y)
    w, b = model.coef_, model.intercept_
    if len(present) == 2:  # one row that separates the two
        w, b = np.concatenate([-w / 2, w / 2]), np.concatenate([-b / 2, b / 2])
    weight[:, present] = w.T / scale[:, None]
    bias[present] = b - (w / scale) @ mean
    return weight, bias
