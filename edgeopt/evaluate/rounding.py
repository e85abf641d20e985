"""Adaptive rounding of a weight against the second moments of its inputs, without gradients.

The error of a layer's output is d H d^T for the change d of a weight row and H = E[x x^T]. Codes are found column by column with
the error of each column fed into those that follow (Frantar et al., GPTQ, 2023, equations 2 and 3), then improved by coordinate
descent on the same quadratic form. Rows are independent; a grouped convolution has one H per group.
"""

from __future__ import annotations

import numpy as np

from edgeopt.compiled import compiled
from edgeopt.ir import Array

DAMPING = 0.01
SHRINK = {1: np.linspace(1.0, 0.05, 40)}  # codes {-1, 0, 1} clip far inside the range
SHRINK_WIDE = np.linspace(1.0, 0.5, 26)
SWEEPS = 3
BINARY = 0
BLOCK = 64  # columns


def damped(moments: Array, damping: float = DAMPING) -> Array:
    """``moments`` [groups, K, K] with a share of the mean diagonal added, so that it is positive definite."""
    size = moments.shape[-1]
    mean = np.trace(moments, axis1=1, axis2=2) / size
    return np.asarray(moments + (damping * mean + 1e-12)[:, None, None] * np.eye(size))


def nearest(values: Array, limit: int) -> Array:
    """Codes in [-limit, limit]; ``BINARY`` means {-1, 1}."""
    return np.asarray(np.where(values >= 0, 1.0, -1.0) if limit == BINARY else np.clip(np.rint(values), -limit, limit))


def best_bound(weight: Array, importance: Array, limit: int) -> Array:
    """The clipping bound of each row of ``weight`` [groups, rows, K] that loses least, by the diagonal of H [groups, K]."""
    weight, shares = np.ascontiguousarray(weight, np.float64), SHRINK.get(max(limit, 1), SHRINK_WIDE)
    best = np.abs(weight).max(axis=2)
    for group, rows in enumerate(weight):
        _narrow(rows, np.ascontiguousarray(importance[group], np.float64), best[group], shares, limit)
    return np.asarray(best)


def round_with_feedback(weight: Array, moments: Array, scale: Array, limit: int, kept: Array | None = None) -> Array:
    """Codes in [-limit, limit] of ``weight`` [groups, rows, K] on steps ``scale`` [groups, rows], in falling order of H.

    Where ``kept`` is False the code is 0.
    """
    kept = np.ones(weight.shape, bool) if kept is None else kept
    order = np.argsort(-np.einsum("gkk->gk", moments), axis=1, kind="stable")
    ranked = np.take_along_axis(np.take_along_axis(moments, order[:, :, None], 1), order[:, None, :], 2)
    factors = np.ascontiguousarray(np.linalg.cholesky(np.linalg.inv(ranked)).transpose(0, 2, 1))
    work = np.take_along_axis(weight.astype(np.float64), order[:, None, :], 2)
    codes, result = np.take_along_axis(kept, order[:, None, :], 2).astype(np.float64), np.empty(weight.shape)
    for group, factor in enumerate(factors):
        _by_blocks(work[group], factor, scale[group].astype(np.float64), limit, codes[group])
    np.put_along_axis(result, np.broadcast_to(order[:, None, :], weight.shape), codes, 2)
    return result


def _by_blocks(work: Array, factor: Array, scale: Array, limit: int, codes: Array) -> None:
    """The error of each column goes into those behind it: inside its block at once, into the others block by block.

    ``codes`` that are 0 stay so.
    """
    size = work.shape[1]
    errors = np.empty((len(work), BLOCK))
    for start in range(0, size, BLOCK):
        end = min(start + BLOCK, size)
        _feed_back(work, factor, scale, limit, codes, errors, start, end)
        if end < size:
            work[:, end:] -= errors[:, : end - start] @ factor[start:end, end:]


@compiled
def _nearest(value, limit):  # type: ignore[no-untyped-def]
    if limit == BINARY:
        return 1.0 if value >= 0 else -1.0
    return min(max(np.rint(value), -float(limit)), float(limit))


@compiled
def _narrow(rows, importance, bounds, shares, limit):  # type: ignore[no-untyped-def]
    for r in range(rows.shape[0]):
        widest, least = bounds[r], np.inf
        for share in shares:
            scale, loss = (widest * share / max(limit, 1) if widest > 0 else 1.0), 0.0
            for k in range(rows.shape[1]):
                error = rows[r, k] - _nearest(rows[r, k] / scale, limit) * scale
                loss += error * error * importance[k]
            if loss < least:
                bounds[r], least = widest * share, loss


@compiled
def _feed_back(work, factor, scale, limit, codes, errors, start, end):  # type: ignore[no-untyped-def]
    for r in range(work.shape[0]):
        line = work[r]
        for k in range(start, end):
            if codes[r, k] != 0.0:
                codes[r, k] = _nearest(line[k] / scale[r], limit)
            error = (line[k] - codes[r, k] * scale[r]) / factor[k, k]
            errors[r, k - start] = error
            for i in range(k + 1, end):
                line[i] -= error * factor[k, i]


def descend(weight: Array, codes: Array, moments: Array, scale: Array, limit: int, kept: Array | None = None) -> Array:
    """``codes`` improved by ``SWEEPS`` rounds of coordinate descent on d H d^T, those alone that are ``kept`` (None: all)."""
    codes = np.ascontiguousarray(codes, np.float64).copy()
    kept = np.ones(codes.shape, bool) if kept is None else np.ascontiguousarray(kept)
    for w, c, h, s, k in zip(weight, codes, moments, scale, kept, strict=True):
        _descend((w - c * s[:, None]) @ h, c, np.ascontiguousarray(h), s.astype(np.float64), limit, k)
    return codes


@compiled
def _descend(slopes, codes, h, scale, limit, kept):  # type: ignore[no-untyped-def]
    for r in range(codes.shape[0]):
        slope, code, step = slopes[r], codes[r], scale[r]
        for _ in range(SWEEPS):
            for k in range(code.size):
                new = _nearest(code[k] + slope[k] / (h[k, k] * step), limit) if kept[r, k] else 0.0
                moved = (new - code[k]) * step
                if moved != 0.0:
                    code[k] = new
                    for i in range(slope.size):
                        slope[i] -= moved * h[k, i]


def loss(weight: Array, codes: Array, moments: Array, scale: Array) -> float:
    """Sum over all rows of d H d^T."""
    d = weight - codes * scale[:, :, None]
    return float(np.einsum("grk,gkl,grl->", d, moments, d, optimize=True))
