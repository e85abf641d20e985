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
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Prepared, Site
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.epilogue import Activation, activation_of
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.gemm import gemm, product
from edgeopt.kernels.packed.code_products import Sums, code_products
from edgeopt.kernels.packed.weight_codes import moved_from, pack_panels, panel_bytes, spare_registers, storage_of
from edgeopt.kernels.packed.weight_panels import BIAS, RESIDUAL, WEIGHT, Panels, float_site, panel_call, scales_of
from edgeopt.target import Target

MOST_ROWS = 8  # chosen by hand
VECTORS = 8  # output vectors that are summed side by side
NONE = Activation()


@dataclass(frozen=True, eq=False)
class Coded:
    """A matrix of codes [depth, columns], stored as ``kind``; a scale and a bias for each column, None for ones and zeros."""

    codes: Array
    kind: str
    scale: Array | None
    bias: Array | None


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
    x, y, codes = site.given(0), site.outputs[0], site.constant(WEIGHT)
    if any(t.type.dtype != "float32" or t.layout.block for t in (x, y)) or x.shape[:-1] != y.shape[:-1]:
        raise Declined("its operands are not plain float32")
    count, columns = prod(y.shape[:-1]), codes.shape[1]
    if count > MOST_ROWS:
        raise Declined(f"{count} rows are enough to widen a panel of the matrix")
    bias = site.constant(BIAS) if site.optional(BIAS) is not None else None
    matrix = Coded(codes, storage_of(codes), scales_of(site, columns, columns), bias)
    added = Input(RESIDUAL) if site.optional(RESIDUAL) is not None else None
    return (few_rows(site.target, count, matrix, Output(), added, activation_of(site.node)),)


def few_rows(
    target: Target, count: int, matrix: Coded, y: Operand, added: Operand | None = None, activation: Activation = NONE
) -> KernelCall:
    """The call for ``count`` rows of input 0, which streams the codes; ``added`` is a residual."""
    (depth, columns), kind, lanes = matrix.codes.shape, matrix.kind, target.lanes
    total = -(-columns // lanes)
    room = (target.vector_registers - spare_registers(target, kind)) // (count + 1)
    vectors = max(1, min(VECTORS, room, total))
    shape, scaled = (kind, count, depth, columns), matrix.scale is not None
    whole = Tile(*shape, vectors, scaled, added is not None, activation)
    last = Tile(*shape, total - (total - 1) // vectors * vectors, scaled, whole.residual, activation, columns % lanes)
    packed, numbers = _packed(matrix.codes, kind, vectors * lanes, total * lanes), Packed(_numbers(matrix, vectors * lanes))
    panels = -(-total // vectors)
    operands = (Input(0), packed, numbers, y if added is None else added, y)
    return KernelCall(_function(target, whole, last, panels), operands, (), panels)


def _packed(codes: Array, kind: str, width: int, total: int) -> Packed:
    """The matrix as panels of ``width`` columns, the last only as wide as it has to be."""
    packed = np.concatenate([pack_panels(panel, kind) for panel in _panels(codes, width, total)])
    return Packed(packed, moved_from(codes, kind, _ordered, width, total))


def _panels(codes: Array, width: int, total: int) -> list[Array]:
    padded = np.zeros((codes.shape[0], total), codes.dtype)
    padded[:, : codes.shape[1]] = codes
    return [padded[:, first : first + width] for first in range(0, total, width)]


def _ordered(codes: Array, width: int, total: int) -> Array:
    """The codes of one panel after the other."""
    return np.concatenate([panel.reshape(-1) for panel in _panels(codes, width, total)])


def _numbers(matrix: Coded, width: int) -> Array:
    """Biases, then scales, of each panel of ``width`` columns."""
    columns = matrix.codes.shape[1]
    made = np.zeros((2, columns + -columns % width), np.float32)
    if matrix.bias is not None:
        made[0, :columns] = matrix.bias.reshape(-1)
    made[1, :columns] = 1.0 if matrix.scale is None else matrix.scale
    return made.reshape(2, -1, width).transpose(1, 0, 2).copy()


def tile_function(target: Target, tile: Tile, width: int) -> Any:
    """The tile as a function ``(x, w, b, r, y)``; the scales lie ``width`` after the biases."""

    def emit(e: Emitter, x: Value, w: Value, b: Value, r: Value, y: Value) -> None:
        sums = Sums(tile.kind, tile.rows, tile.vectors, tile.depth, tile.depth)
        _finish(e, tile, width, code_products(e, sums, x, w), b, r, y)

    return vector_function(target, 5, emit)


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
    columns = site.given(WEIGHT).shape[1]
    made = gemm.prepare(float_site(site, "FusedGemm"))
    return (many_rows(site, made, scales_of(site, columns, columns), site.constant(WEIGHT)),)


def many_rows(site: Site, made: Prepared, scale: Array | None, codes: Array | None = None) -> KernelCall:
    """The call of the float product ``made``, whose weights are codes with a scale for each column, over widened panels.

    ``codes`` is the constant whose elements they are, if they are those of one.
    """
    walk = made.form
    assert isinstance(walk, product.Walk)
    width, depth, columns = walk.vectors * site.target.lanes, walk.product.depth, walk.product.columns
    flat, whole = made.packed("weights").reshape(-1), (walk.panels - 1) * depth * width
    panels, last = flat[:whole].reshape(-1, depth, width), flat[whole:].reshape(depth, -1)
    padded = None if scale is None else np.concatenate([scale, np.zeros(walk.panels * width - columns, np.float32)])
    return panel_call(site, Panels(panels, padded, columns, made.per, last), made, codes)


KERNELS = (
    Kernel("hybrid_gemv", ("HybridGemm",), select),
    Kernel("hybrid_gemm", ("HybridGemm",), select_panels),
)
