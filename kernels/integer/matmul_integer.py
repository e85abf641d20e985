"""QLinearMatMul and MatMulInteger, one output row at a time, in 32-bit integers.

S = (A - a_zero)(B - b_zero), with zero points per tensor, per row of A or per column of B; QLinearMatMul gives
saturate(round(S a_scale b_scale / y_scale) + y_zero).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site, Temporary, Tensor
from edgeopt.kernels.emit.elements import require, static
from edgeopt.kernels.emit.intrinsics import rint
from edgeopt.kernels.integer.conv_integer import zero_point
from edgeopt.kernels.integer.quantize import limits
from edgeopt.kernels.walk.strided import broadcast, locate, outer, quotient, remainder


@cache
def _kernel(result: str) -> Callable[..., None]:
    low, high = (np.float32(v) for v in ((0, 0) if result == "int32" else limits(result)))
    scaled = result != "int32"

    def kernel(
        a: Any, b: Any, az: Any, bz: Any, sa: Any, sb: Any, sy: Any, yz: Any, y: Any, row: Any, begin: Any, end: Any,
        pa: Any, pb: Any, qa: Any, qb: Any, m: Any, n: Any, depth: Any,
        d1: Any, d2: Any, d3: Any, a0: Any, a1: Any, a2: Any, a3: Any, b0: Any, b1: Any, b2: Any, b3: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            i, batch = remainder(chunk, m), quotient(chunk, m)
            left = locate(batch, d1, d2, d3, a0, a1, a2, a3) + i * depth
            right = locate(batch, d1, d2, d3, b0, b1, b2, b3)
            a_zero = np.int32(az[i * pa])
            for j in range(n):
                row[j] = np.int32(0)
            for k in range(depth):
                factor = np.int32(a[left + k]) - a_zero
                for j in range(n):
                    row[j] += np.int32(factor * (np.int32(b[right + k * n + j]) - np.int32(bz[j * pb])))
            for j in range(n):
                if scaled:
                    value = rint(np.float32(row[j]) * (sa[i * qa] * sb[j * qb] / sy[0])) + np.float32(yz[0])
                    y[chunk * n + j] = np.int32(max(min(value, high), low))
                else:
                    y[chunk * n + j] = row[j]

    return kernel


def _step(tensor: Tensor, extent: int) -> int:
    """The stride of a scale or zero point along ``extent``. Raises Declined when it is neither per tensor nor per row."""
    if tensor.elements not in (1, extent):
        raise Declined(f"scale or zero point of shape {tensor.shape}")
    return int(tensor.elements > 1)


def _call(site: Site, other: int, operands: tuple[Operand, ...], per: tuple[int, ...]) -> tuple[KernelCall, ...]:
    """``other`` is the index of B; ``per`` are the strides of the zero points and scales of A and B."""
    a, b, dtype = site.given(0).shape, site.given(other).shape, site.outputs[0].type.dtype
    left, right = (1,) * max(2 - len(a), 0) + a, b + (1,) * max(2 - len(b), 0)
    (m, k), n = left[-2:], right[-1]
    stack = tuple(np.broadcast_shapes(left[:-2], right[:-2]))
    steps = [broadcast(shape, (*stack, *shape[-2:]))[: len(stack)] for shape in (left, right)]
    extents, merged = outer(stack, *steps)
    constants = (*per, m, n, k, *extents[1:], *merged[0], *merged[1])
    row = Temporary("row", n, True, "int32")
    return (KernelCall(_kernel(dtype), (*operands, Output(0), row), constants, prod(stack) * m),)


def _select_quantized(site: Site) -> tuple[KernelCall, ...]:
    static(*site.inputs, site.outputs[0])
    require(site.given(1), "float32")
    m = site.given(0).shape[-2] if len(site.given(0).shape) > 1 else 1
    n = site.given(3).shape[-1]
    per = (_step(site.given(2), m), _step(site.given(5), n), _step(site.given(1), m), _step(site.given(4), n))
    return _call(site, 3, tuple(Input(i) for i in (0, 3, 2, 5, 1, 4, 6, 7)), per)


def _select_integer(site: Site) -> tuple[KernelCall, ...]:
    static(*site.inputs, site.outputs[0])
    (a_zero, pa), (b_zero, pb) = zero_point(site, 2, 0), zero_point(site, 3, 1)
    one = Packed(np.ones(1, np.float32))
    return _call(site, 1, (Input(0), Input(1), a_zero, b_zero, one, one, one, a_zero), (pa, pb, 0, 0))


KERNELS = (
    Kernel("matmul_quantized", ("QLinearMatMul",), _select_quantized),
    Kernel("matmul_integer", ("MatMulInteger",), _select_integer),
)
