"""Weights of two bits, three values or two, for layers that compute in bytes: where their training begins.

They are codes of int8 that take few values: kernels are those of int8, and the file of weights, which is coded by entropy, holds
two bits or less of each.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeopt.ir import Array
from edgeopt.ops.grid import Quantizer
from edgeopt.ops.grids import QuantizedWeight

BASE = "w8a8"
NARROW = {"w2a8": (-2, 1), "ternary": (-1, 1), "binary": (-1, 1)}  # form -> codes, on the grid that BASE has
SHARES = np.linspace(0.1, 1.0, 37)  # of the step whose highest code is the largest weight of a channel; tried


def narrowed(made: QuantizedWeight, weight: Array, form: str) -> QuantizedWeight:
    """The float ``weight`` on the grid of few codes that errs least, in place of what was ``made`` of it in bytes."""
    low, high = NARROW[form]
    grid = replace(made.grid, low=low, high=high)
    if form == "binary":
        grid = replace(grid, scale=_per_channel(np.abs(weight), made.grid, "mean"))
        return replace(made, codes=np.where(weight < 0, -1, 1).astype(np.int32), grid=grid)
    largest = _per_channel(np.abs(weight), made.grid, "max") / high
    tried = [replace(grid, scale=(share * largest).astype(np.float32)) for share in SHARES]
    errors = np.stack([_per_channel(np.square(g.simulate(weight) - weight), g, "mean") for g in tried])
    scales = np.stack([g.scale for g in tried])
    best = np.take_along_axis(scales, errors.argmin(axis=0)[None], axis=0)[0]
    grid = replace(grid, scale=best)
    return replace(made, codes=grid.quantize(weight), grid=grid)


def _per_channel(array: Array, grid: Quantizer, how: str) -> Array:
    """The mean or largest value of each channel that has a step of its own, above zero."""
    others = tuple(i for i in range(array.ndim) if i != grid.axis)
    found = array.mean(axis=others) if how == "mean" else array.max(axis=others)
    return np.asarray(np.maximum(found, np.finfo(np.float32).tiny), np.float32)
