"""QuantGemm on plain tensors: tiles of rows x output vectors, weights packed ``[panel][k / 4][vector][lane][4]``.

The last panel and the last tile of rows are moved back to end with the result, the last four of k to end with the row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Prepared, Site
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.integer.quant_dot import arranged, as_multiplied, meets_limit, pixels_fitting
from edgeopt.kernels.integer.quant_operands import RESIDUAL, centred, ending, require_result, seen_zero, tile_flips, tile_site
from edgeopt.kernels.integer.quant_panels import reader, stored_panels
from edgeopt.kernels.integer.quant_tile import QuantTile, tile_function
from edgeopt.kernels.integer.quant_tiling import Tiling, choose
from edgeopt.kernels.integer.quant_walk import ROLES
from edgeopt.kernels.integer.requantize import Requantize, parameters
from edgeopt.kernels.walk.micro import Loop
from edgeopt.target import Target

STEPS = 4  # words of k in a loop body
VECTORS = 8  # output vectors that are summed side by side when there are few rows
FEW = 2  # rows up to which as many vectors as fit are summed side by side; chosen by hand
CHUNKS = 32  # chunks of a call, about


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
    product = product_of(target, prod(y.shape[:-1]), depth, columns)
    how, numbers = ending(site, weight, 1, seen_zero(site))
    starts, width = product.starts(target.lanes), product.vectors * target.lanes
    in_panels = partial(_in_panels, target=target, starts=starts, width=width)
    arrays = in_panels(weight)
    panels = stored_panels(target, weight, arrays, STEPS * product.vectors, product.run)
    tile = replace(tile_of(target, product, how), flipped=tile_flips(site), limit=meets_limit(target, weight))
    tile = replace(tile, wide=panels.wide(target), paired=panels.paired)
    words = parameters(numbers, starts, width)
    added = Input(RESIDUAL) if site.optional(RESIDUAL) is not None else Output()
    per = -(-product.tiles // product.run)
    copies, source = as_multiplied(target, x)
    operands = (source, panels.operand(site, in_panels), Packed(words), added, Output(), panels.memory(target))
    roles = dict(zip(ROLES, operands, strict=True))
    read = reader(target, panels.size, panels.bytes, panels.copied)
    function = product_function(product, width, depth, tile_function(target, tile), read, panels.bytes, words.shape[1])
    return Prepared(function, roles, len(starts) * per, per, tuple(copies))


def tile_of(target: Target, product: Product, how: Requantize) -> QuantTile:
    """The tile of ``product``, whose rows lie ``depth`` codes apart."""
    places = tuple(i * product.columns for i in range(product.pixels))
    vectors = tuple(v * target.lanes for v in range(product.vectors))
    words, left = product.depth // 4, product.depth % 4
    body = words // STEPS
    return QuantTile(
        pixels=tuple(i * product.depth for i in range(product.pixels)),
        places=places,
        vectors=vectors,
        loops=(Loop(body, 4 * STEPS),) if body else (),
        steps=tuple(range(0, 4 * STEPS, 4)) if body else (),
        end=how,
        residual=places,
        residual_vectors=vectors,
        tail=(*range(body * STEPS * 4, words * 4, 4), *((product.depth - 4,) if left else ())),
    )


def product_of(target: Target, rows: int, depth: int, columns: int) -> Product:
    """The panels and tiles of a product of these sizes."""
    whole, total = columns // target.lanes, -(-columns // target.lanes)
    if rows <= FEW:
        fitting = [v for v in range(1, min(VECTORS, whole) + 1) if pixels_fitting(target, v) >= rows]
        tiling = Tiling(rows, min(whole, evenly(total, max(fitting, default=1))), 1)
    else:
        tiling = choose(target, rows, whole, 1, -(-depth // 4))
    panels, tiles = -(-columns // (tiling.vectors * target.lanes)), -(-rows // tiling.pixels)
    return Product(rows, depth, columns, tiling.pixels, tiling.vectors, max(1, tiles * panels // CHUNKS))


def evenly(total: int, most: int) -> int:
    """Vectors of a panel, at most ``most``, so that panels for ``total`` vectors overlap as little as they can."""
    return -(-total // -(-total // most))


def _in_panels(weight: Array, target: Target, starts: Sequence[int], width: int) -> Array:
    """[K, N] in panels of ``width`` columns from each of ``starts`` on."""
    order = _order(weight)
    return np.stack([arranged(target, order[:, first : first + width]) for first in starts])


def _order(weight: Array) -> Array:
    """[K, N] as ``[k / 4][N][4]``; a last group that reads k again has weight zero for what is already counted."""
    depth, columns = weight.shape
    whole = weight[: depth // 4 * 4].reshape(-1, 4, columns)
    if depth % 4:
        last = np.zeros((1, 4, columns), weight.dtype)
        last[0, 4 - depth % 4 :] = weight[depth // 4 * 4 :]
        whole = np.concatenate([whole, last])
    return whole.transpose(0, 2, 1)


def product_function(
    product: Product, width: int, pitch: int, run: Any, read: Any, weights: int, words: int
) -> Callable[..., None]:
    """The kernel ``(x, w, b, r, y, copy, begin, end)`` over tiles that ``run(x, w, b, r, y)`` computes.

    Panels have ``width`` columns, ``weights`` elements of w, from which ``read(w, copy, panel, known)`` makes what tiles read,
    and ``words`` of b; rows of x lie ``pitch`` elements apart.
    """
    tiles, length, pixels = product.tiles, product.run, product.pixels
    rows, columns = product.rows, product.columns
    parts, final = -(-tiles // length), columns - width

    def multiply(x: Any, w: Any, b: Any, r: Any, y: Any, copy: Any, begin: int, end: int) -> None:
        known = -1
        for chunk in range(begin, end):
            panel, first = chunk // parts, chunk % parts * length
            column = panel * width if panel * width < final else final
            wc, bc = read(offset(w, panel * weights), copy, panel, known), offset(b, panel * words)
            known = panel
            for t in range(first, first + length if first + length < tiles else tiles):
                row = t * pixels if t < tiles - 1 else rows - pixels
                place = row * columns + column
                run(offset(x, row * pitch), wc, bc, offset(r, place), offset(y, place))

    return multiply


KERNEL = Kernel("quant_gemm", ("QuantGemm",), select)
