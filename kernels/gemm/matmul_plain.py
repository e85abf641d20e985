"""Matrix products by their definition, one output row at a time: MatMul, Gemm and FusedGemm of any element type.

Y = activation(alpha A B + beta C + R); A and B may be stacks of matrices that broadcast, or stored transposed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from edgeopt.kernels.call import Input, Kernel, KernelCall, Operand, Output, Site, Temporary
from edgeopt.kernels.conv.conv_direct import activation
from edgeopt.kernels.emit.elements import loader, scalar, static, storer
from edgeopt.kernels.pointwise.unary import formula
from edgeopt.kernels.walk.strided import broadcast, locate, outer, quotient, remainder

Steps = tuple[int, int]


@cache
def _kernel(dtype: str, name: str, bias: bool, residual: bool) -> Callable[..., None]:
    load, store, kind, apply = loader(dtype), storer(dtype), scalar(dtype), formula(name, dtype)

    def kernel(
        a: Any, b: Any, c: Any, r: Any, y: Any, row: Any, begin: Any, end: Any, alpha: Any, beta: Any, low: Any, high: Any,
        m: Any, n: Any, depth: Any, am: Any, ak: Any, bk: Any, bn: Any, cm: Any, cn: Any,
        d1: Any, d2: Any, d3: Any, a0: Any, a1: Any, a2: Any, a3: Any, b0: Any, b1: Any, b2: Any, b3: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            i, batch = remainder(chunk, m), quotient(chunk, m)
            left = locate(batch, d1, d2, d3, a0, a1, a2, a3) + i * am
            right = locate(batch, d1, d2, d3, b0, b1, b2, b3)
            for j in range(n):
                row[j] = kind(0)
            if bn == 1 or depth == 1:
                for k in range(depth):
                    factor = load(a, left + k * ak)
                    for j in range(n):
                        row[j] += factor * load(b, right + k * bk + j * bn)
            else:
                for j in range(n):
                    total = kind(0)
                    for k in range(depth):
                        total += load(a, left + k * ak) * load(b, right + k * bk + j * bn)
                    row[j] = total
            for j in range(n):
                value = kind(row[j] * kind(alpha))
                if bias:
                    value += load(c, i * cm + j * cn) * kind(beta)
                if residual:
                    value += load(r, chunk * n + j)
                store(y, chunk * n + j, apply(value, kind(low), kind(high)))

    return kernel


def _call(site: Site, sizes: tuple[int, int, int], steps: tuple[Steps, Steps, Steps], batch: tuple[int, ...]) -> KernelCall:
    """``sizes`` are M, N, K; ``steps`` the strides of A over (m, k), B over (k, n), C over (m, n); ``batch`` from ``_batch``."""
    node, dtype = site.node, site.outputs[0].type.dtype
    name, low, high = activation(node) if node.op == "FusedGemm" else ("Identity", 0.0, 0.0)
    scales = (node.real("alpha", 1.0), node.real("beta", 1.0)) if node.op == "Gemm" else (1.0, 1.0)
    bias, residual = site.optional(2) is not None, node.op == "FusedGemm" and site.optional(3) is not None
    key = (dtype, name, bias, residual)
    row = Temporary("row", sizes[1], per_thread=True, dtype=np.dtype(scalar(dtype)).name)
    optional = (Input(2 if bias else 0), Input(3 if residual else 0))
    operands: tuple[Operand, ...] = (Input(0), Input(1), *optional, Output(0), row)
    constants = (*scales, low, high, *sizes, *steps[0], *steps[1], *steps[2], *batch[1:])
    return KernelCall(_kernel(*key), operands, constants, batch[0] * sizes[0])


def _batch(left: tuple[int, ...], right: tuple[int, ...], stack: tuple[int, ...]) -> tuple[int, ...]:
    """Number of matrices, then extents 1 to 3 and four strides of the stacks of A and B. Raises Declined."""
    a, b = (broadcast(shape, (*stack, *shape[-2:]))[: len(stack)] for shape in (left, right))
    extents, steps = outer(stack, a, b)
    return (prod(stack), *extents[1:], *steps[0], *steps[1])


def _select_matmul(site: Site) -> tuple[KernelCall, ...]:
    a, b, y = site.given(0), site.given(1), site.outputs[0]
    static(a, b, y)
    left = (1,) * max(2 - len(a.shape), 0) + a.shape
    right = b.shape + (1,) * max(2 - len(b.shape), 0)
    m, k, n = left[-2], left[-1], right[-1]
    stack = tuple(np.broadcast_shapes(left[:-2], right[:-2]))
    return (_call(site, (m, n, k), ((k, 1), (n, 1), (0, 1)), _batch(left, right, stack)),)


def _select_gemm(site: Site) -> tuple[KernelCall, ...]:
    a, b, c, y = site.given(0), site.given(1), site.optional(2), site.outputs[0]
    static(a, b, c, y)
    (m, n), flipped = y.shape, site.node.integer("transA", 0)
    k = a.shape[0] if flipped else a.shape[1]
    left = (1, m) if flipped else (k, 1)
    right = (1, k) if site.node.integer("transB", 0) else (n, 1)
    third = broadcast(c.shape, (m, n)) if c else (0, 0)
    return (_call(site, (m, n, k), (left, right, (third[0], third[1])), (1, 1, 1, 1, *(0,) * 8)),)


KERNELS = (
    Kernel("matmul_plain", ("MatMul", "FusedGemm"), _select_matmul, by_definition=True),
    Kernel("gemm_plain", ("Gemm",), _select_gemm, by_definition=True),
)
