"""Few values for many weights: centroids, and which one each weight takes, against second moments of the inputs.

Centroids start evenly over the range (linear), evenly over the weights (density) or at some of them (random) (Han, Mao, Dally,
Deep Compression, 2016, section 3.2) and follow weighted k-means. Codes are found column by column with the error of each column
fed into those behind it, then improved by coordinate descent on d H d^T; centroids are solved by least squares between the
sweeps. Zeros stay zero: they have no code and take part in feeding errors on alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeopt.compiled import compiled
from edgeopt.evaluate.support import refit
from edgeopt.ir import Array

ROUNDS = 50  # of k-means, most of which are not needed
SWEEPS = 3
NONE = -1  # the code of a zero
Snap = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Codebook:
    """``codes`` in the shape of the weight, ``NONE`` where it is zero, into ``centroids``, which rise."""

    codes: Array
    centroids: Array

    @property
    def array(self) -> Array:
        """The weight, in float64."""
        return np.append(self.centroids, 0.0)[self.codes]


def k_means(values: Array, importance: Array, count: int, start: str = "linear") -> Array:
    """At most ``count`` rising centroids of ``values`` [n], at least one, weighted by ``importance`` [n]."""
    order = np.argsort(values, kind="stable")
    values, weight = values[order], importance[order] + 1e-30
    mass, moment = (np.concatenate([[0.0], np.cumsum(a)]) for a in (weight, weight * values))
    centroids = _start(values, count, start)
    for _ in range(ROUNDS):
        edges = np.concatenate([[0], np.searchsorted(values, _middles(centroids)), [len(values)]])
        masses = np.diff(mass[edges])
        full = masses > 0
        moved = np.diff(moment[edges])[full] / masses[full]
        if len(moved) == len(centroids) and np.allclose(moved, centroids, rtol=1e-6, atol=0):
            break
        centroids = moved
    return np.asarray(centroids)


def _middles(centroids: Array) -> Array:
    return np.asarray((centroids[1:] + centroids[:-1]) / 2)


def _start(values: Array, count: int, start: str) -> Array:
    """Where centroids start, in ``values`` that rise."""
    if start == "density":
        at = values[((np.arange(count) + 0.5) * len(values) / count).astype(np.int64)]
    elif start == "random":
        at = np.random.default_rng(0).choice(values, min(count, len(values)), replace=False)
    else:
        at = np.linspace(values[0], values[-1], count)
    return np.unique(at)


def shared(
    target: Array,
    h: Array | None,
    kept: Array,
    count: int,
    start: str = "linear",
    importance: Array | float = 1.0,
    snap: Snap | None = None,
) -> Codebook:
    """At most ``count`` values for the rows [groups, R, K] that are to be near ``target``, 0 where ``kept`` is False.

    ``h`` [groups, K, K] are moments of the inputs; without any, weights take the nearest value. ``importance`` weighs rows, and
    ``snap`` puts centroids on a grid.
    """
    if not kept.any():
        return Codebook(np.full(target.shape, NONE), np.zeros(0))
    if h is not None:
        target = np.stack([refit(t, m, k) for t, m, k in zip(target, h, kept, strict=True)])
    weight = importance * (np.ones(target.shape) if h is None else np.einsum("gkk->gk", h)[:, None] + np.zeros(target.shape))
    centroids = k_means(target[kept], weight[kept], count, start)
    centroids = centroids if snap is None else np.unique(snap(centroids))
    if h is None:
        return Codebook(np.where(kept, np.searchsorted(_middles(centroids), target), NONE), centroids)
    codes = np.stack([_fed_back(t, m, k, centroids) for t, m, k in zip(target, h, kept, strict=True)])
    return _improved(target @ h, np.ascontiguousarray(h), Codebook(codes, centroids), fixed=snap is not None)


def _fed_back(target: Array, h: Array, kept: Array, centroids: Array) -> Array:
    order = np.argsort(-np.diagonal(h), kind="stable")
    factor = np.ascontiguousarray(np.linalg.cholesky(np.linalg.inv(h[np.ix_(order, order)])).T)
    found = np.full(target.shape, NONE)
    _feed_back(np.ascontiguousarray(target[:, order]), factor, np.ascontiguousarray(kept[:, order]), centroids, found)
    codes = np.empty_like(found)
    codes[:, order] = found
    return codes


def _improved(pull: Array, h: Array, made: Codebook, fixed: bool) -> Codebook:
    """Sweeps of coordinate descent, with centroids solved anew behind each unless they are ``fixed``; ``pull`` is target @ h."""
    for _ in range(SWEEPS):
        codes = made.codes.copy()
        for slopes, group, moments in zip(pull - made.array @ h, codes, h, strict=True):
            _descend(slopes, group, moments, made.centroids)
        made = Codebook(codes, made.centroids) if fixed else _solved(pull, h, codes, made.centroids)
    return made


def _solved(pull: Array, h: Array, codes: Array, centroids: Array) -> Codebook:
    """The centroids that serve ``codes`` best; those that nothing takes are left out."""
    used = np.unique(codes[codes >= 0])
    renamed = np.append(np.searchsorted(used, np.arange(len(centroids))), NONE)[codes]
    matrix, side = np.zeros((len(used), len(used))), np.zeros(len(used))
    for group in range(len(h)):
        _normal(pull[group], h[group], renamed[group], matrix, side)
    ridge = 1e-9 * np.trace(matrix) / len(used) + 1e-30
    values = np.linalg.solve(matrix + ridge * np.eye(len(used)), side + ridge * centroids[used])
    order = np.argsort(values, kind="stable")
    return Codebook(np.append(np.argsort(order, kind="stable"), NONE)[renamed], values[order])


@compiled
def _nearest(value, centroids):  # type: ignore[no-untyped-def]
    low, high = 0, centroids.size - 1
    while low < high:
        middle = (low + high) // 2
        if value > 0.5 * (centroids[middle] + centroids[middle + 1]):
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _feed_back(work, factor, kept, centroids, codes):  # type: ignore[no-untyped-def]
    for r in range(work.shape[0]):
        line = work[r]
        for k in range(line.size):
            made = 0.0
            if kept[r, k]:
                codes[r, k] = _nearest(line[k], centroids)
                made = centroids[codes[r, k]]
            error = (line[k] - made) / factor[k, k]
            for i in range(k + 1, line.size):
                line[i] -= error * factor[k, i]


@compiled
def _descend(slopes, codes, h, centroids):  # type: ignore[no-untyped-def]
    for r in range(codes.shape[0]):
        slope = slopes[r]
        for k in range(slope.size):
            old = codes[r, k]
            if old >= 0:
                new = _nearest(centroids[old] + slope[k] / h[k, k], centroids)
                if new != old:
                    codes[r, k] = new
                    moved = centroids[new] - centroids[old]
                    for i in range(slope.size):
                        slope[i] -= moved * h[k, i]


@compiled
def _normal(pull, h, codes, matrix, side):  # type: ignore[no-untyped-def]
    sums = np.zeros((matrix.shape[0], h.shape[0]))
    for r in range(codes.shape[0]):
        sums[:] = 0.0
        for k in range(h.shape[0]):
            code = codes[r, k]
            if code >= 0:
                side[code] += pull[r, k]
                for i in range(h.shape[0]):
                    sums[code, i] += h[k, i]
        for i in range(h.shape[0]):
            code = codes[r, i]
            if code >= 0:
                for c in range(matrix.shape[0]):
                    matrix[c, code] += sums[c, i]
