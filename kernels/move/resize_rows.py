"""The pass of a separable Resize along the last axis, in vectors.

The taps of a vector of outputs read few neighbouring inputs: those are loaded once and put in place by constant shuffles, so
that no element is gathered. The whole row is one piece of straight code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.emit.emitter import F32, Emitter, Value
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.move.resize_taps import Taps
from edgeopt.target import Target

LARGEST = 512  # taps of vectors in a row, above which its code is too long


def in_vectors(target: Target, table: Taps) -> bool:
    """Whether the taps of every vector of outputs lie in one vector of inputs, and the row's code is short."""
    outputs, count = table.index.shape
    starts = range(0, outputs, target.lanes)
    near = all(np.ptp(table.index[i : i + target.lanes]) < target.lanes for i in starts)
    return near and not table.bias.any() and len(starts) * count <= LARGEST


def row_function(target: Target, source: int, table: Taps) -> Callable[..., None]:
    """A kernel (x, y): chunks are rows of ``source`` inputs, which become rows of ``len(table.index)`` outputs."""
    index, weight = (tuple(map(tuple, a.tolist())) for a in (table.index, table.weight.astype(np.float32)))
    lanes, outputs = target.lanes, len(index)

    def emit(e: Emitter, x: Value, y: Value) -> None:
        for first in range(0, outputs, lanes):
            taps = np.array(index[first : first + lanes]), np.array(weight[first : first + lanes], np.float32)
            e.store_first(_vector(e, source, x, *taps), e.at(y, first), len(taps[0]))

    row = vector_function(target, 2, emit)

    def resize(x: Any, y: Any, begin: Any, end: Any) -> None:
        for chunk in range(begin, end):
            row(offset(x, chunk * source), offset(y, chunk * outputs))

    return resize


def _vector(e: Emitter, source: int, x: Value, index: Array, weight: Array) -> Value:
    base = max(0, min(int(index.min()), source - e.lanes))
    window, total = e.load_first(e.at(x, base), source - base), e.constant(0.0)
    for k in range(index.shape[1]):
        missing = [0] * (e.lanes - len(index))
        value = e.shuffle(window, window, [*(int(i) - base for i in index[:, k]), *missing])
        factor = ir.Constant(ir.VectorType(F32, e.lanes), [*map(float, weight[:, k]), *map(float, missing)])
        total = e.fma(value, factor, total)
    return total
