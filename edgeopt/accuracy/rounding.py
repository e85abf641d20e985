"""Adaptive rounding of a weight against the second moments of its inputs, without gradients.

The error of a layer's output is d H d^T for the change d of a weight row and H = E[x x^T]. Codes are found column by column with
the error of each column fed into those that follow (Frantar et al., GPTQ, 2023, equations 2 and 3), then improved by coordinate
descent on the same quadratic form. Rows are independent; a grouped convolution has one H per group.
"""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Array

DAMPING = 0.01
SHRINK = {1: np.linspace(1.0, 0.05, 40)}  # codes {-1, 0, 1} clip far inside the range
SHRINK_WIDE = np.linspace(1.0, 0.5, 26)
SWEEPS = 3
BINARY = 0


def damped(moments: Array, damping: float = DAMPING) -> Array:
    """``moments`` [groups, K, K] with a share of the mean diagonal added, so that it is positive definite."""
    size = moments.shape[-1]
    mean = np.trace(moments, axis1=1, axis2=2) / size
    return np.asarray(moments + (damping * mean + 1e-12)[:, None, None] * np.eye(size))


def nearest(values: Array, limit: int) -> Array:
    """Codes in [-limit, limit]; ``BINARY`` means {-1, 1}."""
    return np.asarray(np.where(values >= 0, 1.0, -1.0) if limit == BINARY else np.clip(np.rint(values), -limit, limit))


def best_bound(weight: Array, moments: Array, limit: int) -> Array:
    """The clipping bound of each row of ``weight`` [groups, rows, K] that loses least, weighted by the diagonal of H."""
    importance = np.einsum("gkk->gk", moments)[:, None, :]
    widest = np.abs(weight).max(axis=2)
    best, least = widest.copy(), np.full(widest.shape, np.inf)
    for share in SHRINK.get(max(limit, 1), SHRINK_WIDE):
        scale = np.where(widest > 0, widest * share / max(limit, 1), 1.0)[:, :, None]
        error = weight - nearest(weight / scale, limit) * scale
        loss: Array = (error**2 * importance).sum(axis=2)
        better = loss < least
        best[better], least[better] = (widest * share)[better], loss[better]
    return np.asarray(best)


def round_with_feedback(weight: Array, moments: Array, scale: Array, limit: int) -> Array:
    """Codes in [-limit, limit] of ``weight`` [groups, rows, K] on steps ``scale`` [groups, rows], in falling order of H."""
    codes = np.empty(weight.shape)
    for group, (w, h, s) in enumerate(zip(weight, moments, scale, strict=True)):
        order = np.argsort(-np.diag(h))
        inverse = np.linalg.inv(h[np.ix_(order, order)])
        factor = np.linalg.cholesky(inverse).T
        work, step = w[:, order].astype(np.float64), s[:, None]
        for k in range(work.shape[1]):
            code = nearest(work[:, k : k + 1] / step, limit)
            error = (work[:, k : k + 1] - code * step) / factor[k, k]
            work[:, k:] -= error * factor[k, k:]
            codes[group][:, order[k]] = code[:, 0]
    return codes


def descend(weight: Array, codes: Array, moments: Array, scale: Array, limit: int) -> Array:
    """``codes`` improved by ``SWEEPS`` rounds of coordinate descent on d H d^T."""
    codes = codes.copy()
    for w, c, h, s in zip(weight, codes, moments, scale, strict=True):
        step = s[:, None]
        slope = (w - c * step) @ h
        for _ in range(SWEEPS):
            for k in range(w.shape[1]):
                wanted = c[:, k] + slope[:, k] / (h[k, k] * s)
                new = nearest(wanted, limit)
                moved = (new - c[:, k]) * s
                if moved.any():
                    slope -= moved[:, None] * h[k]
                    c[:, k] = new
    return codes


def loss(weight: Array, codes: Array, moments: Array, scale: Array) -> float:
    """Sum over all rows of d H d^T."""
    d = weight - codes * scale[:, :, None]
    return float(np.einsum("grk,gkl,grl->", d, moments, d, optimize=True))
