"""Which weights of a layer may go, and what the others become: rows that are 0 outside a support, against second moments.

The error of a layer's output is (v - t) H (v - t)^T for a row v in place of t, and H = E[x x^T]. Rows are independent. Of a
support S the best row is v_S = H_SS^-1 (H t)_S, and taking the units B out of it costs v_B ((H_SS^-1)_BB)^-1 v_B^T (optimal brain
surgeon; for many rows at once: Frantar, Alistarh, Optimal Brain Compression, 2022, equations 3 and 5). Units are taken out in
rounds, of all rows together those that cost least; in front of each round the rows are solved again. Where that is too much
work, costs are those of the whole support, and what is taken out is fed into the columns behind it (Frantar, Alistarh, SparseGPT,
2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.compiled import compiled
from edgeopt.evaluate.parallel import side_by_side
from edgeopt.ir import Array

CHUNK = 16  # supports that a thread solves at a time
WORK = 5e11  # multiply-adds that a layer may take; about a minute
ROUND_WORK = 0.6  # of the inverses of all rounds of a band, in cubes of its columns


@dataclass(frozen=True)
class Units:
    """What is taken out at once: blocks of ``rows`` x ``columns`` weights; ``window`` > 0: as many in each window of a row."""

    rows: int = 1
    columns: int = 1
    window: int = 0


def refit(target: Array, h: Array, kept: Array) -> Array:
    """The rows [R, K] nearest to ``target`` among those that are 0 where ``kept`` is False; nearly so where that is much work."""
    if kept.all():
        return target
    supports, which = np.unique(np.packbits(kept, axis=1), axis=0, return_inverse=True)
    groups = _members(which.reshape(-1), len(supports))
    if sum(float(kept[rows[0]].sum()) ** 3 / 3 for rows in groups) > WORK:
        return _compensated(target, h, kept)
    from scipy.linalg import lapack  # imported where it is used: see ``edgeopt.evaluate.bending``

    pull, made = target @ h, np.zeros(target.shape)

    def solve(chunk: list[Array]) -> None:
        for rows in chunk:
            at = np.flatnonzero(kept[rows[0]])
            if at.size:
                made[np.ix_(rows, at)] = lapack.dposv(h[np.ix_(at, at)], pull[np.ix_(rows, at)].T)[1].T

    for _ in side_by_side(solve, (groups[i : i + CHUNK] for i in range(0, len(groups), CHUNK))):
        pass
    return made


def _members(which: Array, count: int) -> list[Array]:
    """The rows of each of ``count`` classes."""
    return np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which, minlength=count))[:-1])


def _compensated(target: Array, h: Array, kept: Array) -> Array:
    order = np.argsort(-np.diagonal(h), kind="stable")
    factor = np.ascontiguousarray(np.linalg.cholesky(np.linalg.inv(h[np.ix_(order, order)])).T)
    work = np.ascontiguousarray(target[:, order])
    _feed_back(work, factor, np.ascontiguousarray(kept[:, order]))
    made = np.empty_like(work)
    made[:, order] = work
    return made


@compiled
def _feed_back(work, factor, kept):  # type: ignore[no-untyped-def]
    for r in range(work.shape[0]):
        line = work[r]
        for k in range(line.size):
            if not kept[r, k]:
                error = line[k] / factor[k, k]
                line[k] = 0.0
                for i in range(k + 1, line.size):
                    line[i] -= error * factor[k, i]


def survivals(target: Array, h: Array, units: Units, shares: Sequence[float]) -> Array:
    """How many rounds each weight of ``target`` [R, K] survives; round i leaves the share ``shares[i]``, falling.

    uint8 [R, K]: a weight is kept in round i where the result is greater than i. Windows keep that share of each window. ``h``
    is [K, K], or [K] for inputs that have nothing to do with each other: then weights cost v^2 h.
    """
    rows, size = target.shape
    if h.ndim == 2 and ROUND_WORK * rows / units.rows * float(size) ** 3 > WORK:
        h = 1.0 / np.diagonal(np.linalg.inv(h))
    target, h = _padded(target, h, units)
    bands = target.reshape(-1, units.rows, target.shape[1])
    alive = np.ones((len(bands), target.shape[1] // units.columns), bool)
    survived = np.zeros(alive.shape, np.uint8)
    for share in shares:
        alive &= _dearest(_costs(bands, h, alive, units.columns), share, units.window)
        survived += alive
    return np.repeat(np.repeat(survived, units.rows, 0), units.columns, 1)[:rows, :size]


def _padded(target: Array, h: Array, units: Units) -> tuple[Array, Array]:
    """Rows and columns of zeros up to whole units; they cost nothing and go first."""
    more, wide = -len(target) % units.rows, -len(h) % max(units.columns, units.window)
    target = np.pad(target, ((0, more), (0, wide)))
    if h.ndim == 1:
        return target, np.pad(h, (0, wide))
    padded = np.eye(len(h) + wide) * (np.trace(h) / len(h))
    padded[: len(h), : len(h)] = h
    return target, padded


def _costs(bands: Array, h: Array, alive: Array, columns: int) -> Array:
    """What each unit of each band costs when it is taken out alone; infinity where it is gone."""
    if h.ndim == 1:
        costs = (bands**2 * h).sum(axis=1).reshape(len(bands), -1, columns).sum(axis=2)
        return np.where(alive, costs, np.inf)
    costs, narrow = np.full(alive.shape, np.inf), h.astype(np.float32)

    def fill(index: int) -> None:
        costs[index, alive[index]] = _band_costs(bands[index].astype(np.float32), narrow, np.flatnonzero(alive[index]), columns)

    for _ in side_by_side(fill, range(len(bands))):
        pass
    return costs


def _band_costs(band: Array, h: Array, alive: Array, columns: int) -> Array:
    at = (alive[:, None] * columns + np.arange(columns)).reshape(-1)
    if not at.size:
        return np.zeros(0)
    inverse = _inverse(h[np.ix_(at, at)])
    row = band @ h[:, at] @ inverse if at.size < len(h) else band
    if columns == 1:
        return np.asarray((row**2).sum(axis=0) / np.diagonal(inverse))
    blocks = inverse.reshape(len(alive), columns, len(alive), columns)[np.arange(len(alive)), :, np.arange(len(alive))]
    parts = row.reshape(len(band), len(alive), columns)
    return np.asarray(np.einsum("rbi,bij,rbj->b", parts, np.linalg.inv(blocks), parts, optimize=True))


def _inverse(matrix: Array) -> Array:
    """The inverse of a positive definite matrix in float32."""
    from scipy.linalg import lapack

    inverse = lapack.spotri(lapack.spotrf(matrix, lower=1)[0], lower=1)[0]
    return np.asarray(np.tril(inverse) + np.tril(inverse, -1).T)


def _dearest(costs: Array, share: float, window: int) -> Array:
    """True for the dearest ``share`` of all units, or of each window; what is gone stays gone."""
    flat = np.where(np.isinf(costs), -1.0, costs).reshape(-1, window or costs.size)
    order, kept = np.argsort(-flat, axis=1, kind="stable"), np.zeros(flat.shape, bool)
    np.put_along_axis(kept, order[:, : round(share * flat.shape[1])], True, axis=1)
    return kept.reshape(costs.shape)
