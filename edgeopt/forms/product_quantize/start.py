"""Codebooks to start with: k-means++ in the metric of what the components of a sub-space do to a response.

The second codebook of an additive pair is that of what the first leaves.
"""

from __future__ import annotations

import numpy as np

from edgeopt.forms.product_quantize.rates import Rate
from edgeopt.forms.product_quantize.spaces import Spaces
from edgeopt.ir import Array

TURNS = 12  # of Lloyd's iteration


def start(target: Array, moments: Array | None, power: Array, spaces: Spaces, rate: Rate, seed: int) -> Array:
    """Codebooks [S, A, K, C'] for rows ``target`` [M, K'] whose squared errors count ``power`` [M]; no moments: all alike."""
    rng, made = np.random.default_rng(seed), np.zeros((spaces.count, rate.books, rate.words, rate.size))
    weights = np.repeat(power, spaces.taps)
    for s in range(spaces.count):
        left = target[:, spaces.part(s)].reshape(-1, rate.size).astype(np.float64)
        factor = _factor(moments, spaces, s)
        for a in range(rate.books):
            centres, at = kmeans(left @ factor, weights, rate.words, rng)
            made[s, a] = np.linalg.solve(factor.T, centres.T).T
            left = left - made[s, a][at]
    return made


def _factor(moments: Array | None, spaces: Spaces, space: int) -> Array:
    """L with L L^T the moments of a sub-space's components, the mean over kernel positions."""
    if moments is None:
        return np.eye(spaces.size)
    part = moments[spaces.part(space), spaces.part(space)].astype(np.float64)
    mean = sum(part[spaces.block(t), spaces.block(t)] for t in range(spaces.taps)) / spaces.taps
    return np.asarray(np.linalg.cholesky(mean + 1e-6 * np.trace(mean) / spaces.size * np.eye(spaces.size) + 1e-30))


def kmeans(points: Array, weights: Array, words: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Centres [words, n] and the nearest of them for each point; fewer distinct points leave centres at the same place."""
    centres = _spread(points, weights, words, rng)
    for _ in range(TURNS):
        at = nearest(points, centres)
        total = np.bincount(at, weights, words)
        sums = np.stack([np.bincount(at, weights * column, words) for column in points.T], axis=1)
        centres = np.where(total[:, None] > 0, sums / np.maximum(total, 1e-30)[:, None], centres)
    return centres, nearest(points, centres)


def _spread(points: Array, weights: Array, words: int, rng: np.random.Generator) -> Array:
    """k-means++: each further centre is a point drawn by its squared distance from those there are."""
    centres = [points[rng.choice(len(points), p=_shares(weights))]]
    distance = np.full(len(points), np.inf)
    for _ in range(words - 1):
        distance = np.minimum(distance, np.square(points - centres[-1]).sum(axis=1))
        centres.append(points[rng.choice(len(points), p=_shares(weights * distance))])
    return np.stack(centres)


def _shares(weights: Array) -> Array:
    total = weights.sum()
    return np.asarray(weights / total if total > 0 else np.full(len(weights), 1 / len(weights)))


def nearest(points: Array, centres: Array) -> Array:
    """The index of the centre nearest to each point."""
    return np.asarray((np.square(centres).sum(axis=1) - 2 * points @ centres.T).argmin(axis=1))
