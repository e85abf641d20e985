"""How the tiles of an integer convolution are visited, and the one call that visits them.

An implicit matrix product with steps of four codes of x that lie side by side; which four they are is up to the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Input, Operand, Output, Packed, Prepared, Site, Tensor
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.integer.quant_dot import arranged, meets_limit, tile_parts
from edgeopt.kernels.integer.quant_operands import RESIDUAL, ending, seen_zero
from edgeopt.kernels.integer.quant_panels import reader, stored_panels
from edgeopt.kernels.integer.quant_tile import QuantTile, tile_function
from edgeopt.kernels.integer.quant_tiling import Tiling, choose
from edgeopt.kernels.integer.requantize import HEADER, parameters
from edgeopt.kernels.walk.micro import Loop
from edgeopt.kernels.walk.plane_window import PlaneWindow
from edgeopt.target import Target

CHUNKS = 32  # chunks of a call, about, when there is work for as many
CRUMB = 1_000_000  # multiply-adds below which a chunk is not worth a claim; chosen by hand
ROLES = ("x", "weights", "numbers", "residual", "y", "panel")  # of the operands of an integer product


@dataclass(frozen=True)
class Strides:
    """Bytes from a tensor's storage to where the walk starts, and between images, blocks of channels, rows and pixels."""

    start: int
    image: int
    block: int
    row: int
    pixel: int


@dataclass(frozen=True)
class Walk:
    """How tiles are visited: chunk = ``run`` tiles of one group of ``vectors`` output vectors of one image.

    ``tiles`` are ``across`` to a row of ``width`` pixels, ``pixels`` each. ``inner`` of the groups share the input blocks
    (``depth`` of them) of one group of the convolution, which has ``outputs`` vectors. ``unit`` vectors make a block.
    ``weights_outer``: all tiles of a group follow each other, so that its weights stay in the cache. ``weights`` of a group take
    ``stored`` bytes; ``copied``: they are widened into scratch memory first.
    """

    tiles: int
    across: int
    pixels: int
    width: int
    run: int
    groups: int
    inner: int
    vectors: int
    outputs: int
    unit: int
    depth: int
    weights_outer: bool
    weights: int
    parameters: int
    x: Strides
    y: Strides
    r: Strides
    stored: int = 0
    copied: bool = False

    @property
    def blocks(self) -> int:
        """Chunks of one group."""
        return -(-self.tiles // self.run)


@dataclass(frozen=True, eq=False)
class Reading:
    """How the sums of an output pixel read x: ``loops`` (outermost first) and ``steps`` from the first code of its window on.

    ``x`` is the tensor as it lies, ``words`` the weights ``[output][k / 4][4]`` in the order of the walk, and ``size`` the rows
    and pixels that are walked. ``arrange`` makes such words of the node's weights, where it only moves them.
    """

    x: Tensor
    window: PlaneWindow
    words: Array
    loops: tuple[Loop, ...]
    steps: tuple[int, ...]
    size: tuple[int, int]
    arrange: Callable[[Array], Array] | None = None


def walk_product(site: Site, reading: Reading, weight: Array, source: Operand, group: int, flips: bool) -> Prepared:
    """The product that computes the QuantConv of ``site`` into its blocked output, in ``group`` groups of whole blocks.

    ``source`` holds ``reading.x``; ``flips``: its codes have to change sign.
    """
    x, y, residual, target = reading.x, site.outputs[0], site.optional(RESIDUAL), site.target
    words = reading.words
    how, numbers = ending(site, weight, 0, seen_zero(site))
    unit, vectors = y.layout.block // target.lanes, y.blocks * y.layout.block // target.lanes
    tiling = choose(target, reading.size[1], vectors // group, unit, words.shape[1])
    tile = QuantTile(
        pixels=tuple(i * reading.window.strides[1] * x.layout.block for i in range(tiling.pixels)),
        places=tuple(i * y.layout.block for i in range(tiling.pixels)),
        vectors=vector_places(target, y, tiling.vectors),
        loops=tuple(loop for i, loop in enumerate(reading.loops) if loop.count > 1 or (i == 0 and loop.last)),
        steps=reading.steps,
        end=how,
        residual=tuple(i * residual.layout.block for i in range(tiling.pixels)) if residual is not None else (),
        residual_vectors=vector_places(target, residual, tiling.vectors) if residual is not None else (),
        flipped=flips,
        limit=meets_limit(target, weight),
    )
    walk = walk_of(target, (x, y, residual or y), reading.window, tiling, reading.size, group, words.shape[1])
    firsts = [first_vector(walk, g) * target.lanes for g in range(walk.groups)]
    count = walk.vectors * target.lanes
    in_panels = partial(_in_panels, target=target, firsts=firsts, count=count)
    arrays = in_panels(words)
    panels = stored_panels(target, weight, arrays, len(tile.steps) * tiling.vectors * tile_parts(target), walk.run)
    tile = replace(tile, wide=panels.wide(target), paired=panels.paired)
    walk = replace(walk, stored=panels.bytes, copied=panels.copied)
    added = Input(RESIDUAL) if residual is not None else Output()
    numbered = Packed(parameters(numbers, firsts, count))
    arrange = reading.arrange
    moved = None if arrange is None else lambda codes: in_panels(arrange(codes))
    operands = (source, panels.operand(site, moved), numbered, added, Output(), panels.memory(target))
    chunks, per = x.shape[0] * walk.groups * walk.blocks, walk.blocks if walk.weights_outer else 1
    roles = dict(zip(ROLES, operands, strict=True))
    read = reader(target, walk.weights, walk.stored, walk.copied)
    return Prepared(walk_function(walk, tile_function(target, tile), read), roles, chunks, per)


def _in_panels(words: Array, target: Target, firsts: Sequence[int], count: int) -> Array:
    """Words ``[output][k / 4][4]`` in panels of ``count`` outputs from each of ``firsts`` on."""
    return np.stack([arranged(target, panel_of(words, first, count)) for first in firsts])


def vector_places(target: Target, y: Tensor, count: int) -> tuple[int, ...]:
    """The offsets of ``count`` vectors of channels in a blocked tensor."""
    unit = y.layout.block // target.lanes
    return tuple(v // unit * y.plane * y.layout.block + v % unit * target.lanes for v in range(count))


def walk_of(
    target: Target,
    tensors: tuple[Tensor, Tensor, Tensor],
    window: PlaneWindow,
    tiling: Tiling,
    size: tuple[int, int],
    group: int,
    words: int,
) -> Walk:
    """How the tiles of x, y and the residual are visited: ``size`` rows and pixels, ``words`` steps of four codes in each."""
    x, y, r = tensors
    unit = y.layout.block // target.lanes
    outputs = y.blocks * unit // group
    inner, tiles = -(-outputs // tiling.vectors), size[0] * tiling.across
    panel = words * tiling.vectors * target.vector_bytes
    run = _run(target, tiles, tiling, words, x, inner * group * x.shape[0])
    return Walk(
        tiles=tiles,
        across=tiling.across,
        pixels=tiling.pixels,
        width=size[1],
        run=run,
        groups=inner * group,
        inner=inner,
        vectors=tiling.vectors,
        outputs=outputs,
        unit=unit,
        depth=x.blocks // group,
        weights_outer=x.elements * inner <= panel * inner * -(-tiles // run),
        weights=panel,
        parameters=HEADER + 2 * tiling.vectors * target.lanes,
        x=_strides(x, x.origin - window.pads[0] * x.row - window.pads[1], window.strides),
        y=_strides(y, y.origin, (1, 1)),
        r=_strides(r, r.origin, (1, 1)),
    )


def is_flat(window: PlaneWindow, x: Tensor, y: Tensor, residual: Tensor | None) -> bool:
    """A 1x1 window of stride one over maps without halos walks the plane as one row."""
    tensors = [x, y] + ([residual] if residual is not None else [])
    return window.kernel == (1, 1) and window.strides == (1, 1) and all(t.plane == y.shape[2] * y.shape[3] for t in tensors)


def _strides(t: Tensor, start: int, steps: tuple[int, int]) -> Strides:
    block = t.layout.block
    return Strides(start * block, t.blocks * t.plane * block, t.plane * block, steps[0] * t.row * block, steps[1] * block)


def _run(target: Target, tiles: int, tiling: Tiling, words: int, x: Tensor, others: int) -> int:
    """Tiles in a chunk: their input fits half the second cache, and there is enough parallel work but no crumbs."""
    fitting = max(1, target.l2 // 2 * tiles // (x.elements // x.shape[0] + 1))
    crumb = max(1, CRUMB // (4 * words * tiling.pixels * tiling.vectors * target.lanes))
    shares = max(1, -(-tiles * others // CHUNKS))
    run = min(tiles, fitting, max(crumb, shares))
    return min(tiles, -(-run // tiling.across) * tiling.across) if tiles > tiling.across else run


def first_vector(walk: Walk, group: int) -> int:
    """The first output vector of a group."""
    return group // walk.inner * walk.outputs + min(group % walk.inner * walk.vectors, walk.outputs - walk.vectors)


def walk_function(walk: Walk, run: Any, read: Any) -> Callable[..., None]:
    """The kernel ``(x, w, b, r, y, copy, begin, end)`` of a walk over tiles that ``run(x, w, b, r, y)`` computes.

    r is not read when the tile adds no residual, and copy only where ``read(w, copy, group, known)`` widens panels of weights.
    """
    tiles, across, pixels, last = walk.tiles, walk.across, walk.pixels, walk.width - walk.pixels
    length, blocks, groups, inner, outer = walk.run, walk.blocks, walk.groups, walk.inner, walk.weights_outer
    vectors, outputs, unit, depth, highest = walk.vectors, walk.outputs, walk.unit, walk.depth, walk.outputs - walk.vectors
    weights, words, xs, ys, rs = walk.stored, walk.parameters, walk.x, walk.y, walk.r
    x0, xn, xb, xr, xp = xs.start, xs.image, xs.block, xs.row, xs.pixel
    y0, yn, yb, yr, yp = ys.start, ys.image, ys.block, ys.row, ys.pixel
    r0, rn, rb, rr, rp = rs.start, rs.image, rs.block, rs.row, rs.pixel

    def convolve(x: Any, w: Any, b: Any, r: Any, y: Any, copy: Any, begin: int, end: int) -> None:
        known = -1
        for chunk in range(begin, end):
            image, rest = chunk // (blocks * groups), chunk % (blocks * groups)
            group = rest // blocks if outer else rest % groups
            first = rest % blocks if outer else rest // groups
            vector = group % inner * vectors
            block = (group // inner * outputs + (vector if vector < highest else highest)) // unit
            xc = offset(x, x0 + image * xn + group // inner * depth * xb)
            yc = offset(y, y0 + image * yn + block * yb)
            rc = offset(r, r0 + image * rn + block * rb)
            wc, bc = read(offset(w, group * weights), copy, group, known), offset(b, group * words)
            known = group
            stop = first * length + length
            for t in range(first * length, stop if stop < tiles else tiles):
                row, column = t // across, t % across * pixels
                if column > last:
                    column = last
                xt, yt, rt = row * xr + column * xp, row * yr + column * yp, row * rr + column * rp
                run(offset(xc, xt), wc, bc, offset(rc, rt), offset(yc, yt))

    return convolve


def panel_of(words: Array, first: int, count: int) -> Array:
    """The words of ``count`` outputs from ``first`` as ``[k / 4][output][4]``; outputs that do not exist are zero."""
    part = words[first : first + count]
    padded = np.zeros((count, *words.shape[1:]), words.dtype)
    padded[: part.shape[0]] = part
    return padded.transpose(1, 0, 2)
