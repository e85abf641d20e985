"""QuantGemm on plain tensors: tiles of rows x output vectors, weights packed ``[panel][k / 4][vector][lane][4]``.

The last panel and the last tile of rows are moved back to end with the result, the last four of k to end with the row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Prepared, Site
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.integer.quant_dot import (
    arranged,
    meets_limit,
    panel_copy,
    pixels_fitting,
    tile_parts,
    widen_panel,
    widened,
    widens_panels,
)
from edgeopt.kernels.integer.quant_nibbles import in_nibbles, packed
from edgeopt.kernels.integer.quant_operands import RESIDUAL, centred, ending, flipped, require_result, seen_zero, tile_site
from edgeopt.kernels.integer.quant_tile import QuantTile, tile_function
from edgeopt.kernels.integer.quant_tiling import Tiling, choose
from edgeopt.kernels.integer.quant_walk import ROLES
from edgeopt.kernels.integer.requantize import parameters
from edgeopt.kernels.walk.micro import Loop
from edgeopt.target import Target

STEPS = 4  # words of k in a loop body
VECTORS = 8  # output vectors that are summed side by side when there are few rows
FEW = 2
CHUNKS = 32


@dataclass(frozen=True)
class Product:
    """[rows, depth] x [depth, columns], in panels of ``vectors`` vectors and tiles of ``pixels`` rows."""

    rows: int
    depth: int
    columns: int
    pixels: int
    vectors: int
    run: int

    @property
    def tiles(self) -> int:
        """Tiles of rows."""
        return -(-self.rows // self.pixels)

    def starts(self, lanes: int) -> list[int]:
        """The first column of each panel."""
        width = self.vectors * lanes
        return [min(first, self.columns - width) for first in range(0, self.columns, width)]


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantGemm. Raises Declined for small matrices."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a QuantGemm. Raises Declined for small matrices."""
    site = tile_site(site, 1)
    x, y, target, weight = site.given(0), site.outputs[0], site.target, centred(site, 1)
    require_result(y)
    depth, columns = weight.shape
    if depth < 4 or columns < target.lanes or x.layout.block or y.layout.block:
        raise Declined(f"a matrix of {depth} x {columns} is too small")
    product = _product(target, prod(y.shape[:-1]), depth, columns)
    how, numbers = ending(site, weight, 1, seen_zero(site))
    residual = site.optional(RESIDUAL)
    places = tuple(i * columns for i in range(product.pixels))
    vectors = tuple(v * target.lanes for v in range(product.vectors))
    words, left = depth // 4, depth % 4
    body = words // STEPS
    tail = (*range(body * STEPS * 4, words * 4, 4), *((depth - 4,) if left else ()))
    paired = in_nibbles(weight, STEPS * product.vectors)
    size = 4 * -(-depth // 4) * product.vectors * target.lanes
    copied = widens_panels(target, product.run, size, paired)
    tile = QuantTile(
        pixels=tuple(i * depth for i in range(product.pixels)),
        places=places,
        vectors=vectors,
        loops=(Loop(body, 4 * STEPS),) if body else (),
        steps=tuple(range(0, 4 * STEPS, 4)) if body else (),
        end=how,
        residual=places,
        residual_vectors=vectors,
        flipped=flipped(site),
        tail=tail,
        limit=meets_limit(target, weight),
        wide=copied and tile_parts(target) > 1,
        paired=paired and not copied,
    )
    starts, width = product.starts(target.lanes), product.vectors * target.lanes
    order = _order(weight)
    panels = np.stack([arranged(target, order[:, first : first + width]) for first in starts])
    panels = packed(target, panels, tile_parts(target)) if paired else panels
    words_of = parameters(numbers, starts, width)
    added = Input(RESIDUAL) if residual is not None else Output()
    chunks = len(starts) * -(-product.tiles // product.run)
    function = _function(target, tile, product, (size, panels[0].size), words_of.shape[1], copied)
    copies, source = widened(target, x)
    scratch = panel_copy(target, copied, size)
    operands = dict(zip(ROLES, (source, Packed(panels), Packed(words_of), added, Output(), scratch), strict=True))
    return Prepared(function, operands, chunks, chunks // len(starts), tuple(copies))


def _product(target: Target, rows: int, depth: int, columns: int) -> Product:
    whole = columns // target.lanes
    if rows <= FEW:
        fitting = [v for v in range(1, min(VECTORS, whole) + 1) if pixels_fitting(target, v) >= rows]
        tiling = Tiling(rows, max(fitting, default=1), 1)
    else:
        tiling = choose(target, rows, whole, 1, -(-depth // 4))
    panels, tiles = -(-columns // (tiling.vectors * target.lanes)), -(-rows // tiling.pixels)
    return Product(rows, depth, columns, tiling.pixels, tiling.vectors, max(1, tiles * panels // CHUNKS))


def _order(weight: Array) -> Array:
    """[K, N] as ``[k / 4][N][4]``; a last group that reads k again has weight zero for what is already counted."""
    depth, columns = weight.shape
    whole = weight[: depth // 4 * 4].reshape(-1, 4, columns)
    if depth % 4:
        last = np.zeros((1, 4, columns), np.int8)
        last[0, 4 - depth % 4 :] = weight[depth // 4 * 4 :]
        whole = np.concatenate([whole, last])
    return whole.transpose(0, 2, 1)


def _function(
    target: Target, tile: QuantTile, product: Product, sizes: tuple[int, int], words: int, copied: bool
) -> Callable[..., None]:
    run, tiles, length, pixels = tile_function(target, tile), product.tiles, product.run, product.pixels
    rows, depth, columns, width = product.rows, product.depth, product.columns, product.vectors * target.lanes
    parts, final = -(-tiles // length), columns - width
    size, weights = sizes
    widen = widen_panel(target, size, weights < size)

    def multiply(x: Any, w: Any, b: Any, r: Any, y: Any, copy: Any, begin: int, end: int) -> None:
        known = -1
        for chunk in range(begin, end):
            panel, first = chunk // parts, chunk % parts * length
            column = panel * width if panel * width < final else final
            wc, bc = offset(w, panel * weights), offset(b, panel * words)
            if copied:
                if panel != known:  # chunks of one panel follow each other
                    widen(wc, copy)
                    known = panel
                wc = copy
            for t in range(first, first + length if first + length < tiles else tiles):
                row = t * pixels if t < tiles - 1 else rows - pixels
                place = row * columns + column
                run(offset(x, row * depth), wc, bc, offset(r, place), offset(y, place))

    return multiply


KERNEL = Kernel("quant_gemm", ("QuantGemm",), select)
