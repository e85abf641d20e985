"""The code of a transform at one step: ranges, what symbols stand for, and tables, from calibration samples."""

from __future__ import annotations

import math

import numpy as np

from edgeopt.coding.contexts import MOST_SYMBOLS, fitted
from edgeopt.ir import Array
from edgeopt.partition.codes.code import Code, Transform, symbols_of

MOST_GROUPS = 8
BITS = {"int8": 8, "int4": 4}


def fit(transform: Transform, name: str, components: Array, step: float) -> Code | None:
    """The code for tensors like ``components`` [samples, components, rows, columns], which ``transform`` made.

    Components that are always rounded to 0 are left out where the transform has directions. None where a range has more than
    256 steps.
    """
    lowest, highest = (np.rint(f(components, axis=(0, 2, 3)) / step).astype(np.int64) for f in (np.min, np.max))
    lowest, highest = np.minimum(lowest, 0), np.maximum(highest, 0)
    if transform.forward is not None and transform.backward is not None:
        kept = np.flatnonzero(highest > lowest)
        kept = kept if len(kept) else np.array([0])
        forward, backward = transform.forward[kept], np.ascontiguousarray(transform.backward[:, kept])
        transform = Transform(transform.name, transform.layout, transform.mean, forward, backward)
        components, lowest, highest = components[:, kept], lowest[kept], highest[kept]
    groups = _groups(highest - lowest)
    low = np.array([lowest[groups == g].min() for g in range(groups.max() + 1)])
    counts = np.array([highest[groups == g].max() for g in range(groups.max() + 1)]) - low + 1
    if counts.max() > MOST_SYMBOLS:
        return None
    symbols = symbols_of(components, step, low[groups], counts[groups])
    tables = fitted(list(symbols), groups, -low, counts)
    return Code(transform, name, step, low, _values(components, symbols, groups, low, counts, step), tables)


def _groups(ranges: Array) -> Array:
    """Components of like ranges, in powers of two, numbered from 0."""
    found = np.minimum(np.ceil(np.log2(ranges + 1)).astype(np.int64), MOST_GROUPS - 1)
    return np.asarray(np.unique(found, return_inverse=True)[1].reshape(-1).astype(np.int64))


def _values(components: Array, symbols: Array, groups: Array, low: Array, counts: Array, step: float) -> Array:
    """The mean of what each symbol of a group stood for; the middle of its step where it never occurred."""
    made = np.zeros((len(low), int(counts.max())), np.float32)
    for group in range(len(low)):
        mine = groups == group
        seen, values = symbols[:, mine].reshape(-1), components[:, mine].reshape(-1)
        times = np.bincount(seen, minlength=made.shape[1])
        sums = np.bincount(seen, values, minlength=made.shape[1])
        middle = (np.arange(made.shape[1]) + low[group]) * step
        made[group] = np.where(times > 0, sums / np.maximum(times, 1), middle)
    return made


def grid_step(components: Array, bits: int) -> float:
    """The step with which the range of ``components``, 0 in it, has 2**bits values."""
    low, high = min(0.0, float(components.min())), max(0.0, float(components.max()))
    return max((high - low) / ((1 << bits) - 1), 1e-12)


def spread(components: Array) -> float:
    """The root mean square of the components, the unit of coarse steps."""
    return math.sqrt(np.mean(np.square(components.astype(np.float64)))) or 1.0
