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
NARROW = {"w2a8": (-3, 3), "ternary": (-1, 1), "binary": (-1, 1)}  # form -> codes, on the grid that BASE has
ODD = ("w2a8", "binary")  # of whose codes only the odd ones are taken: as many above zero as below
WIDEST = max(high for _, high in NARROW.values())  # code of these
SHARES = np.linspace(0.1, 1.0, 37)  # of the step whose highest code is the largest weight of a channel; tried


def narrowed(made: QuantizedWeight, weight: Array, form: str) -> QuantizedWeight:
    """The float ``weight`` on the grid of few codes that errs least, in place of what was ``made`` of it in bytes."""
    low, high = NARROW[form]
    grid = replace(made.grid, low=low, high=high)
    if form == "binary":
        grid = replace(grid, scale=_per_channel(np.abs(weight), made.grid, "mean"))
        return replace(made, codes=odd_codes(grid, weight), grid=grid)
    taken = odd_codes if form in ODD else Quantizer.quantize
    largest = _per_channel(np.abs(weight), made.grid, "max") / high
    tried = [replace(grid, scale=(share * largest).astype(np.float32)) for share in SHARES]
    errors = np.stack([_per_channel(np.square(g.dequantize(taken(g, weight)) - weight), g, "mean") for g in tried])
    scales = np.stack([g.scale for g in tried])
    best = np.take_along_axis(scales, errors.argmin(axis=0)[None], axis=0)[0]
    grid = replace(grid, scale=best)
    return replace(made, codes=taken(grid, weight), grid=grid)


def odd_codes(grid: Quantizer, weight: Array) -> Array:
    """The nearest odd codes."""
    scale = grid.scale.reshape([-1 if i == grid.axis else 1 for i in range(weight.ndim)])
    return np.asarray(np.clip(2 * np.floor(weight / scale / 2) + 1, grid.low, grid.high), np.int32)


def is_odd(made: QuantizedWeight) -> bool:
    """Whether no code is even, as in a form of ``ODD``."""
    return bool(np.all(made.codes % 2))


def _per_channel(array: Array, grid: Quantizer, how: str) -> Array:
    """The mean or largest value of each channel that has a step of its own, above zero."""
    others = tuple(i for i in range(array.ndim) if i != grid.axis)
    found = array.mean(axis=others) if how == "mean" else array.max(axis=others)
    return np.asarray(np.maximum(found, np.finfo(np.float32).tiny), np.float32)
