"""Tables of 256 codes applied to bytes by register permutations: QuantLookup of blocked maps and plain tensors, and QuantConcat
of blocked maps, whose parts are brought to the grid of the result by a table each, or copied when they lie on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array, TensorType
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site, Tensor
from edgeopt.kernels.emit.emit_bytes import look_up, looks_up, store_parts, table_of
from edgeopt.kernels.emit.emitter import I8, Emitter
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.integer.quant_operands import LIMITS, limits_alone, per_tensor
from edgeopt.kernels.walk.byte_rows import Rows, require_vectors, rows_function, rows_of
from edgeopt.target import Target


def _call(target: Target, rows: Rows, table: Array, source: int) -> KernelCall:
    """Map input ``source`` through ``table``, 256 bytes by the bit pattern of a code."""
    require_vectors(target, rows)
    operands = (Input(source), Input(source), Packed(table), Output())
    if np.array_equal(table.view(np.uint8), np.arange(256)):
        return KernelCall(rows_function(target, rows, _copy), operands, (), rows.planes, label="quant_copy")
    if not looks_up(target):
        return KernelCall(_by_element(rows), operands, (), rows.planes)

    def step(e: Emitter, pointers: Sequence[Any], parts: int) -> None:
        x, _, entries, y = pointers
        part = e.load_as(ir.VectorType(I8, parts * e.lanes), x)
        codes = e.shuffle(part, part, [i % (parts * e.lanes) for i in range(4 * e.lanes)]) if parts < 4 else part
        store_parts(e, look_up(e, entries, codes), y, [i * e.lanes for i in range(parts)])

    return KernelCall(rows_function(target, rows, step, table_of), operands, (), rows.planes)


def _copy(e: Emitter, pointers: Sequence[Any], parts: int) -> None:
    x, _, _, y = pointers
    e.store(e.load_as(ir.VectorType(I8, parts * e.lanes), x), y)


def _by_element(rows: Rows) -> Callable[..., None]:
    """The kernel for targets without a look-up of 256 bytes in registers (32-bit Arm, SSE)."""
    height, length, last = rows.height, rows.length, rows.last
    (x0, xp, xr), (y0, yp, yr) = rows.strides[0], rows.strides[-1]

    def kernel(x: Any, z: Any, table: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            for i in range(height):
                source, made = offset(x, x0 + min(chunk * xp, last) + i * xr), offset(y, y0 + min(chunk * yp, last) + i * yr)
                for j in range(length):
                    made[j] = table[np.int64(source[j]) & 255]

    return kernel


def _by_bits(table: Array, dtype: str) -> Array:
    """A table that begins with the lowest code, in the order of bit patterns."""
    return np.roll(table, -128) if dtype == "int8" else table


def _select_lookup(site: Site) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    table = site.constant(1) if site.node.op == "QuantLookup" else _between(site)
    if table.size != 256 or table.dtype.itemsize != 1:
        raise Declined("its table does not hold 256 bytes")
    return (_call(site.target, rows_of(x, y), _by_bits(table.reshape(-1), x.type.dtype), 0),)


def _between(site: Site) -> Array:
    """What a Clip makes of all codes, from the lowest on."""
    x = site.given(0)
    if x.type.dtype not in LIMITS:
        raise Declined(f"element type {x.type.dtype}")
    low, high = LIMITS[x.type.dtype]
    bounds = [int(site.constant(i).reshape(())) if site.optional(i) is not None else v for i, v in ((1, low), (2, high))]
    table: Array = np.minimum(np.maximum(np.arange(low, high + 1), bounds[0]), bounds[1]).astype(x.type.dtype)
    return table


def _select_concat(site: Site) -> tuple[KernelCall, ...]:
    y, target = site.outputs[0], site.target
    if site.node.integer("axis", 1) not in (1, -3) or not y.layout.block:
        raise Declined("it does not join channels of blocked maps")
    calls, before, block = [], 0, y.layout.block
    for index in range(2, len(site.inputs), 3):
        part = site.given(index)
        if before % block or part.layout.block != block:
            raise Declined(f"channels {before} do not begin a block")
        table = rescaling(part.type.dtype, y.type.dtype, per_tensor(site, index + 1), per_tensor(site, 0))
        table = np.clip(table, *limits_alone(site.node, y.type.dtype)[0]).astype(table.dtype)
        for image in range(y.shape[0]):
            rows = _place(part, y, image, before // block)
            calls.append(_call(target, rows, _by_bits(table, part.type.dtype), index))
        before += part.shape[1]
    return tuple(calls)


def _place(part: Tensor, y: Tensor, image: int, block: int) -> Rows:
    """The rows of one image of ``part`` and of its channels in ``y``."""
    whole = replace(y, type=TensorType(y.type.dtype, part.shape))
    rows = rows_of(part, whole)
    (x0, xp, xr), (y0, yp, yr) = rows.strides
    moved = ((x0 + image * part.blocks * xp, xp, xr), (y0 + (image * y.blocks + block) * yp, yp, yr))
    return replace(rows, planes=part.blocks, strides=moved)


def rescaling(source: str, result: str, old: tuple[float, int], new: tuple[float, int]) -> Array:
    """The codes on the grid ``new`` (scale, zero point) of all codes on the grid ``old``, from the lowest on."""
    low, high = LIMITS[source]
    values = (np.arange(low, high + 1) - old[1]).astype(np.float32) * np.float32(old[0])
    codes = np.rint(values / np.float32(new[0])).astype(np.float64) + new[1]
    limited: Array = np.clip(codes, *LIMITS[result])
    return limited.astype(result)


KERNELS = (
    Kernel("quant_lookup", ("QuantLookup", "Clip"), _select_lookup, layout="blocked", last="also"),
    Kernel("quant_lookup_flat", ("QuantLookup", "Clip"), _select_lookup),
    Kernel("quant_concat", ("QuantConcat",), _select_concat, layout="blocked"),
)
