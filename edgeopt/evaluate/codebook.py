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
GAIN = 1e-3  # of the loss, for which a centroid moves
LEAST = 1e-6  # of the mean energy, that a row without any response has at least
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
    """At most ``count`` rising centroids of ``values`` [n], at least one, weighted by ``importance`` [n].

    Where a start leaves many values to few centroids, centroids move there from where they are missed least (Fritzke, The LBG-U
    Method, 1997).
    """
    order = np.argsort(values, kind="stable")
    values, weight = values[order], importance[order] + 1e-30
    sums = np.stack([np.concatenate([[0.0], np.cumsum(weight * values**power)]) for power in range(3)])
    centroids, loss = _settled(values, sums, _start(values, count, start))
    for _ in range(2 * count):
        tried, less = _settled(values, sums, _moved(values, sums, centroids, count))
        if less >= loss * (1 - GAIN):
            break
        centroids, loss = tried, less
    return centroids


def _settled(values: Array, sums: Array, centroids: Array) -> tuple[Array, float]:
    """Centroids after rounds of k-means, and what they lose."""
    for _ in range(ROUNDS):
        mass, moment, _ = _parts(values, sums, centroids)
        moved = (moment / np.maximum(mass, 1e-300))[mass > 0]
        if len(moved) == len(centroids) and np.allclose(moved, centroids, rtol=1e-6, atol=0):
            break
        centroids = moved
    mass, moment, square = _parts(values, sums, centroids)
    return np.asarray(centroids), float((square - 2 * moment * centroids + mass * centroids**2).sum())


def _parts(values: Array, sums: Array, centroids: Array) -> Array:
    """Sums [3, centroids] of the weights of the values nearest to each centroid, times the values to the powers 0, 1, 2."""
    edges = np.concatenate([[0], np.searchsorted(values, _middles(centroids)), [len(values)]])
    return np.diff(sums[:, edges], axis=1)


def _moved(values: Array, sums: Array, centroids: Array, count: int) -> Array:
    """The centroid that loses most in two, for which the two that cost least together become one where ``count`` is reached."""
    mass, moment, square = _parts(values, sums, centroids)
    spread = np.maximum(square - moment**2 / np.maximum(mass, 1e-300), 0.0)
    worst = int(spread.argmax())
    step = np.sqrt(spread[worst] / max(mass[worst], 1e-300)) / 2
    kept = np.delete(centroids, worst)
    if len(centroids) >= count and len(kept) > 1:
        others = np.delete(mass, worst) + 1e-300
        cost = np.diff(kept) ** 2 * others[1:] * others[:-1] / (others[1:] + others[:-1])
        pair = int(cost.argmin())
        middle = (kept[pair : pair + 2] * others[pair : pair + 2]).sum() / others[pair : pair + 2].sum()
        kept = np.append(np.delete(kept, [pair, pair + 1]), middle)
    elif len(centroids) >= count:
        return centroids
    return np.unique([*kept, centroids[worst] - step, centroids[worst] + step])


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
    snap: Snap | None = None,
) -> Codebook:
    """At most ``count`` values for the rows [groups, R, K] that are to be near ``target``, 0 where ``kept`` is False.

    ``h`` [groups, K, K] are moments of the inputs; without any, weights take the nearest value. ``snap`` puts centroids on a
    grid whose step each row has for itself; then the error of a row counts relative to its response.
    """
    if not kept.any():
        return Codebook(np.full(target.shape, NONE), np.zeros(0))
    if h is not None:
        target = np.stack([refit(t, m, k) for t, m, k in zip(target, h, kept, strict=True)])
    scale = _relative(target, h) if snap is not None else np.ones(target.shape[:2])
    weight = scale[:, :, None] * (np.ones(target.shape) if h is None else np.einsum("gkk->gk", h)[:, None])
    centroids = k_means(target[kept], weight[kept], count, start)
    centroids = centroids if snap is None else np.unique(snap(centroids))
    if h is None:
        return Codebook(np.where(kept, np.searchsorted(_middles(centroids), target), NONE), centroids)
    codes = np.stack([_fed_back(t, m, k, centroids) for t, m, k in zip(target, h, kept, strict=True)])
    return _improved(target @ h, np.ascontiguousarray(h), Codebook(codes, centroids), None if snap is not None else scale)


def _relative(target: Array, h: Array | None) -> Array:
    """What the error of a row [groups, R] is to be multiplied by: one over the energy of its response."""
    energy = ((target @ h) * target if h is not None else target**2).sum(axis=2)
    return np.asarray(1.0 / (energy + LEAST * energy.mean() + 1e-30))


def _fed_back(target: Array, h: Array, kept: Array, centroids: Array) -> Array:
    order = np.argsort(-np.diagonal(h), kind="stable")
    factor = np.ascontiguousarray(np.linalg.cholesky(np.linalg.inv(h[np.ix_(order, order)])).T)
    found = np.full(target.shape, NONE)
    _feed_back(np.ascontiguousarray(target[:, order]), factor, np.ascontiguousarray(kept[:, order]), centroids, found)
    codes = np.empty_like(found)
    codes[:, order] = found
    return codes


def _improved(pull: Array, h: Array, made: Codebook, scale: Array | None) -> Codebook:
    """Sweeps of coordinate descent; ``pull`` is target @ h. Centroids are solved anew with rows weighed by ``scale``, if any."""
    for _ in range(SWEEPS):
        codes = made.codes.copy()
        for slopes, group, moments in zip(pull - made.array @ h, codes, h, strict=True):
            _descend(slopes, group, moments, made.centroids)
        made = Codebook(codes, made.centroids) if scale is None else _solved(pull, h, codes, made.centroids, scale)
    return made


def _solved(pull: Array, h: Array, codes: Array, centroids: Array, scale: Array) -> Codebook:
    """The centroids that serve ``codes`` best; those that nothing takes are left out."""
    used = np.unique(codes[codes >= 0])
    renamed = np.append(np.searchsorted(used, np.arange(len(centroids))), NONE)[codes]
    matrix, side = np.zeros((len(used), len(used))), np.zeros(len(used))
    for group in range(len(h)):
        _normal(pull[group], h[group], renamed[group], scale[group], matrix, side)
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
def _normal(pull, h, codes, scale, matrix, side):  # type: ignore[no-untyped-def]
    sums = np.zeros((matrix.shape[0], h.shape[0]))
    for r in range(codes.shape[0]):
        sums[:] = 0.0
        for k in range(h.shape[0]):
            code = codes[r, k]
            if code >= 0:
                side[code] += scale[r] * pull[r, k]
                for i in range(h.shape[0]):
                    sums[code, i] += scale[r] * h[k, i]
        for i in range(h.shape[0]):
            code = codes[r, i]
            if code >= 0:
                for c in range(matrix.shape[0]):
                    matrix[c, code] += sums[c, i]
