"""QuantizeLinear and DequantizeLinear (per tensor, per axis, in blocks).

Y = saturate(round(X / scale) + zero point), rounding half to even; X = (Y - zero point) scale. Sub-byte integers lie one to a
byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import ml_dtypes
import numpy as np

from edgeopt.ir import numpy_dtype
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site, Tensor
from edgeopt.kernels.emit.elements import loader, scalar, static, storer
from edgeopt.kernels.emit.intrinsics import rint
from edgeopt.kernels.walk.strided import grid, quotient, remainder, row_major

QUANTIZED = ("int8", "uint8", "int16", "uint16", "int4", "uint4", "int2", "uint2")


def limits(dtype: str) -> tuple[int, int]:
    """The smallest and largest value of a quantised element type. Raises Declined for others."""
    if dtype not in QUANTIZED:
        raise Declined(f"quantised element type {dtype}")
    info = ml_dtypes.iinfo(numpy_dtype(dtype))  # type: ignore[no-untyped-call]
    return int(info.min), int(info.max)


@dataclass(frozen=True)
class Groups:
    """How scales lie along a tensor seen as [outer * extent, inner]: row r reads scale outer(r) * so + (extent(r) // block) * sa,
    and its elements are ``si`` scales apart."""

    rows: int
    inner: int
    extent: int
    block: int
    so: int
    sa: int
    si: int

    @property
    def constants(self) -> tuple[int, ...]:
        """What the kernels take."""
        return (self.inner, self.extent, self.block, self.so, self.sa, self.si)


def groups(site: Site, x: Tensor, scale: Tensor) -> Groups:
    """The Groups of a (de)quantisation. Raises Declined when the shape of ``scale`` fits neither form."""
    if scale.elements == 1:
        chunks = grid(x.shape, row_major(x.shape)).chunks
        return Groups(chunks, x.elements // max(chunks, 1), 1, 1, 0, 0, 0)
    axis = site.node.integer("axis", 1) % len(x.shape)
    outer, extent, inner = prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])
    if len(scale.shape) == 1 and scale.shape[0] == extent:
        return Groups(outer * extent, inner, extent, 1, 0, 1, 0)
    block = site.node.integer("block_size", 0)
    if not block or len(scale.shape) != len(x.shape):
        raise Declined(f"scale of shape {scale.shape}")
    return Groups(outer * extent, inner, extent, block, scale.shape[axis] * inner, inner, 1)


@cache
def _quantize(source: str, scales: str, result: str) -> Callable[..., None]:
    load, load_scale, load_zero, kind = loader(source), loader(scales), loader(result), scalar(scales)
    low, high = (kind(v) for v in limits(result))

    def kernel(
        x: Any, scale: Any, zero: Any, y: Any, begin: Any, end: Any, n: Any, extent: Any, block: Any, so: Any, sa: Any, si: Any
    ) -> None:
        for row in range(begin, end):
            first = quotient(row, extent) * so + quotient(remainder(row, extent), block) * sa
            for i in range(n):
                at = first + i * si
                value = rint(kind(load(x, row * n + i)) / load_scale(scale, at)) + kind(load_zero(zero, at))
                y[row * n + i] = np.int32(max(min(value, high), low))

    return kernel


@cache
def _dequantize(source: str, scales: str, result: str) -> Callable[..., None]:
    load, load_scale, kind, store = loader(source), loader(scales), scalar(scales), storer(result)

    def kernel(
        x: Any, scale: Any, zero: Any, y: Any, begin: Any, end: Any, n: Any, extent: Any, block: Any, so: Any, sa: Any, si: Any
    ) -> None:
        for row in range(begin, end):
            first = quotient(row, extent) * so + quotient(remainder(row, extent), block) * sa
            for i in range(n):
                at = first + i * si
                centred = np.int32(load(x, row * n + i)) - np.int32(load(zero, at))
                store(y, row * n + i, kind(centred) * load_scale(scale, at))

    return kernel


def _zero_point(site: Site, dtype: str) -> Operand:
    if site.optional(2) is not None:
        return Input(2)
    return Packed(np.zeros(site.given(1).elements, numpy_dtype(dtype)))


def _select_quantize(site: Site) -> tuple[KernelCall, ...]:
    x, scale, y = site.given(0), site.given(1), site.outputs[0]
    static(x, scale, y)
    layout, key = groups(site, x, scale), (x.type.dtype, scale.type.dtype, y.type.dtype)
    operands: tuple[Operand, ...] = (Input(0), Input(1), _zero_point(site, y.type.dtype), Output(0))
    return (KernelCall(_quantize(*key), operands, layout.constants, layout.rows),)


def _select_dequantize(site: Site) -> tuple[KernelCall, ...]:
    x, scale, y = site.given(0), site.given(1), site.outputs[0]
    static(x, scale, y)
    if x.type.dtype not in (*QUANTIZED, "int32"):
        raise Declined(f"quantised element type {x.type.dtype}")
    layout, key = groups(site, x, scale), (x.type.dtype, scale.type.dtype, y.type.dtype)
    operands: tuple[Operand, ...] = (Input(0), Input(1), _zero_point(site, x.type.dtype), Output(0))
    return (KernelCall(_dequantize(*key), operands, layout.constants, layout.rows),)


KERNELS = (
    Kernel("quantize", ("QuantizeLinear",), _select_quantize),
    Kernel("dequantize", ("DequantizeLinear",), _select_dequantize),
)
