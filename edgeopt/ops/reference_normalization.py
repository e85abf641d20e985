"""LRN and LpNormalization for the reference evaluator, whose own err.

onnx 1.23 sums squares in LRN only for as many channels as there are images, and leaves out the absolute value in
LpNormalization of order 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

from edgeopt.ir import Array


class LRN(OpRun):
    """Y = X / (bias + alpha / size * S) ** beta, S the sum of X**2 over channels c - floor((size - 1) / 2) ... c + size // 2."""

    def _run(self, x: Array, alpha: float, beta: float, bias: float, size: int, **_: Any) -> tuple[Array]:
        square = np.pad(x * x, [(0, 0), ((size - 1) // 2, size // 2), *[(0, 0)] * (x.ndim - 2)])
        total = sum(square[:, k : k + x.shape[1]] for k in range(size))
        return (np.asarray(x / (bias + alpha / size * total) ** beta, x.dtype),)


class LpNormalization(OpRun):
    """Y = X / (sum of |X| ** p along axis) ** (1 / p); 0 where the norm is 0."""

    def _run(self, x: Array, axis: int, p: int, **_: Any) -> tuple[Array]:
        norm = np.linalg.norm(x, ord=p, axis=axis, keepdims=True)
        return (np.divide(x, norm, out=np.zeros_like(x), where=norm != 0),)
