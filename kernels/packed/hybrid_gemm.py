"""HybridGemm: products of float rows with a matrix kept in few bits.

    Y[i, j] = activation(scale[j] * sum over k of A[i, k] * code[k, j] + bias[j] + R[i, j])

Few rows are limited by reading the matrix from memory once: codes are streamed and widened in registers, and the scale is applied
at the end of a sum. For many rows each thread widens a panel of the matrix and runs the float kernel over it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.epilogue import Activation, activation_of
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.gemm import gemm, product
from edgeopt.kernels.packed.weight_codes import STEPS, group_bytes, pack_panels, panel_bytes, rows, spare_registers, storage_of
from edgeopt.kernels.packed.weight_panels import BIAS, RESIDUAL, WEIGHT, Panels, float_site, panel_call, scales_of
from edgeopt.target import Target

MOST_ROWS = 8  # chosen by hand
VECTORS = 8  # output vectors that are summed side by side


@dataclass(frozen=True)
class Tile:
    """All ``rows`` x ``vectors`` output vectors of a matrix stored as ``kind``; ``valid`` lanes of the last exist (0: all)."""

    kind: str
    rows: int
    depth: int
    columns: int
    vectors: int
    scaled: bool
    residual: bool
    activation: Activation
    valid: int = 0


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a HybridGemm of at most ``MOST_ROWS`` rows. Raises Declined for more, and for what is not plain float32."""
    x, y, codes, target = site.given(0), site.outputs[0], site.constant(WEIGHT), site.target
    if any(t.type.dtype != "float32" or t.layout.block for t in (x, y)) or x.shape[:-1] != y.shape[:-1]:
        raise Declined("its operands are not plain float32")
    count, (depth, columns) = prod(y.shape[:-1]), codes.shape
    if count > MOST_ROWS:
        raise Declined(f"{count} rows are enough to widen a panel of the matrix")
    kind, lanes, total = storage_of(codes), target.lanes, -(-columns // target.lanes)
    room = (target.vector_registers - spare_registers(target, kind)) // (count + 1)
    vectors = max(1, min(VECTORS, room, total))
    scaled, residual = site.optional(2) is not None, site.optional(RESIDUAL) is not None
    shape = (kind, count, depth, columns)
    whole = Tile(*shape, vectors, scaled, residual, activation_of(site.node))
    last = Tile(*shape, total - (total - 1) // vectors * vectors, scaled, residual, whole.activation, columns % lanes)
    numbers = _numbers(site, total * lanes, vectors * lanes)
    added: Operand = Input(RESIDUAL) if residual else Output()
    operands = (Input(0), Packed(_pack(codes, kind, vectors * lanes, total * lanes)), Packed(numbers), added, Output())
    panels = -(-total // vectors)
    return (KernelCall(_function(target, whole, last, panels), operands, (), panels),)


def _pack(codes: Array, kind: str, width: int, total: int) -> Array:
    """The matrix as panels of ``width`` columns, the last only as wide as it has to be."""
    padded = np.zeros((codes.shape[0], total), codes.dtype)
    padded[:, : codes.shape[1]] = codes
    return np.concatenate([pack_panels(padded[:, first : first + width], kind) for first in range(0, total, width)])


def _numbers(site: Site, total: int, width: int) -> Array:
    """Biases, then scales, of each panel of ``width`` columns."""
    columns = site.given(WEIGHT).shape[1]
    made = np.zeros((2, total + -total % width), np.float32)
    if site.optional(BIAS) is not None:
        made[0, :columns] = site.constant(BIAS).reshape(-1)
    scales = scales_of(site, columns, made.shape[1])
    made[1] = 1.0 if scales is None else scales
    return made.reshape(2, -1, width).transpose(1, 0, 2).copy()


def tile_function(target: Target, tile: Tile, width: int) -> Any:
    """The tile as a function ``(x, w, b, r, y)``; the scales lie ``width`` after the biases."""

    def emit(e: Emitter, x: Value, w: Value, b: Value, r: Value, y: Value) -> None:
        def group(index: Value, totals: list[Value], steps: int) -> list[Value]:
            here = e.at(x, e.builder.mul(index, integer(STEPS)))
            codes = e.at(w, e.builder.mul(index, integer(group_bytes(tile.kind, tile.vectors, e.lanes))))
            return _sums(e, tile, here, codes, totals, steps)

        groups, totals = tile.depth // STEPS, [e.constant(0.0)] * (tile.rows * tile.vectors)
        if groups:
            totals = e.loop(groups, totals, lambda index, *values: group(index, list(values), STEPS))
        totals = group(integer(groups), totals, tile.depth % STEPS)
        _finish(e, tile, width, totals, b, r, y)

    return vector_function(target, 5, emit)


def _sums(e: Emitter, tile: Tile, x: Value, w: Value, totals: list[Value], steps: int) -> list[Value]:
    """The totals and ``steps`` more products of each row."""
    read = rows(e, tile.kind, w, tile.vectors) if steps else None
    made = list(totals)
    for k in range(steps):
        inputs = [_input(e, x, i * tile.depth, k, steps) for i in range(tile.rows)]
        for v in range(tile.vectors):
            assert read is not None
            weight = read(k, v)
            for i, value in enumerate(inputs):
                made[i * tile.vectors + v] = e.fma(value, weight, made[i * tile.vectors + v])
    return made


def _input(e: Emitter, x: Value, place: int, k: int, steps: int) -> Value:
    """Step k of a row in every lane: a broadcast, or a lane of several steps where multiplications take one."""
    first = k - k % e.lanes
    if not e.target.multiplies_by_lane or first + e.lanes > steps:
        return e.broadcast(x, place + k)
    several = e.load(x, place + first)
    return e.shuffle(several, several, [k - first] * e.lanes)


def _finish(e: Emitter, tile: Tile, width: int, totals: list[Value], b: Value, r: Value, y: Value) -> None:
    for v in range(tile.vectors):
        lanes = tile.valid if tile.valid and v == tile.vectors - 1 else e.lanes
        bias, scale = e.load(b, v * e.lanes), e.load(b, width + v * e.lanes)
        for i in range(tile.rows):
            total, place = totals[i * tile.vectors + v], i * tile.columns + v * e.lanes
            value = e.fma(total, scale, bias) if tile.scaled else e.add(total, bias)
            if tile.residual:
                value = e.add(value, e.load_first(e.at(r, place), lanes))
            e.store_first(tile.activation.apply(e, value), e.at(y, place), lanes)


def _function(target: Target, whole: Tile, last: Tile, panels: int) -> Callable[..., None]:
    width = whole.vectors * target.lanes
    inner, final = tile_function(target, whole, width), tile_function(target, last, width)
    stored = panel_bytes(whole.kind, whole.depth, width)

    def multiply(x: Any, w: Any, b: Any, r: Any, y: Any, begin: int, end: int) -> None:
        for panel in range(begin, end):
            wc, bc, column = offset(w, panel * stored), offset(b, panel * 2 * width), panel * width
            if panel < panels - 1:
                inner(x, wc, bc, offset(r, column), offset(y, column))
            else:
                final(x, wc, bc, offset(r, column), offset(y, column))

    return multiply


def select_panels(site: Site) -> tuple[KernelCall, ...]:
    """The call for a HybridGemm of many rows. Raises Declined as the float kernel does."""
    made = gemm.prepare(float_site(site, "FusedGemm"))
    walk = made.form
    assert isinstance(walk, product.Walk)
    width, depth, columns = walk.vectors * site.target.lanes, walk.product.depth, walk.product.columns
    flat, whole = made.packed("weights").reshape(-1), (walk.panels - 1) * depth * width
    codes, last = flat[:whole].reshape(-1, depth, width), flat[whole:].reshape(depth, -1)
    panels = Panels(codes, scales_of(site, columns, walk.panels * width), columns, made.per, last)
    return (panel_call(site, panels, made),)


KERNELS = (
    Kernel("hybrid_gemv", ("HybridGemm",), select),
    Kernel("hybrid_gemm", ("HybridGemm",), select_panels),
)
