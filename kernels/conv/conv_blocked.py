"""Direct convolution in the blocked layout: 1x1, 3x3, strided, dilated, grouped (in whole blocks, which groups are merged to).

An implicit matrix product: a tile of output pixels of one row x output vectors is summed over input blocks, kernel rows and
columns, and the channels of a block. Weights are packed ``[group][tile of vectors][k][vector][lane]``, k in that order; the last
tile of vectors may be narrower.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Prepared, Site, Tensor
from edgeopt.kernels.conv.channel_numbers import CONVOLUTIONS, channel_numbers
from edgeopt.kernels.conv.conv_panels import pack_merged, steps_of
from edgeopt.kernels.conv.conv_tiling import groups_of, is_flat, tilings
from edgeopt.kernels.conv.merged_groups import merged
from edgeopt.kernels.emit.epilogue import Activation, activation_of
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.stated import stating
from edgeopt.kernels.walk.micro import Loop, Tile, open_numbers, open_tile_function
from edgeopt.kernels.walk.plane_window import PlaneWindow, conv_halo, conv_window
from edgeopt.kernels.walk.tiling import Tiling
from edgeopt.target import Target

CHUNKS = 32  # chunks of a call, about, when there is work for as many
CRUMB = 250_000  # multiply-adds below which a chunk is not worth a claim
MOST_PASSES = 64  # tiles over the same weights, up to which it matters that they come from memory
TRIED = 3  # tilings that are measured besides the rule's


@dataclass(frozen=True)
class Strides:
    """Elements from the first pixel of a tensor's storage to where the walk starts, and between the things it visits."""

    start: int
    image: int
    group: int
    row: int
    pixel: int


@dataclass(frozen=True)
class Source:
    """The input of a walk: its strides and the elements of one image."""

    strides: Strides
    elements: int


@dataclass(frozen=True)
class Walk:
    """How tiles of output pixels and groups of output vectors are visited.

    ``tiles`` (``across`` to a row of ``width`` pixels) are cut into ``blocks`` of ``run`` tiles; a chunk is one block of one
    group of vectors of one image. ``weights_outer``: all blocks of a group follow each other, so that its weights stay in the
    cache. ``shared`` groups of vectors read the same input channels.
    """

    tiles: int
    across: int
    pixels: int
    width: int
    run: int
    blocks: int
    groups: int
    shared: int
    weights_outer: bool
    weights: int
    biases: int
    x: Strides
    y: Strides
    r: Strides


@dataclass(frozen=True)
class Direct:
    """The form of a convolution (x, w, b, r, y): ``tile`` at every place of ``walk``, in the last group ``last`` if given."""

    tile: Tile
    walk: Walk
    last: Tile | None = None


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a Conv or FusedConv node. Raises Declined for layouts and groups it cannot walk."""
    return prepare(site).calls()


def prepare(site: Site, even: bool = False) -> Prepared:
    """The product of a Conv or FusedConv node; its panels are those of groups of vectors, ``even``: all of one size.

    Raises Declined as ``select``.
    """
    x, y, residual, block = site.given(0), site.outputs[0], site.optional(3), site.given(0).layout.block
    if not block or not y.layout.block or (residual is not None and not residual.layout.block):
        raise Declined("its operands do not lie blocked")
    group = groups_of(site)
    together = site.node.integer("group", 1), site.node.integer("group", 1) // group
    weight = merged(site.constant(1), *together)
    window = conv_window(site.node)
    flat = is_flat(window, x, y, residual)
    size = (1, y.shape[2] * y.shape[3]) if flat else (y.shape[2], y.shape[3])
    tiling = Tiling(*site.choice) if site.choice else tilings(site, even)[0]
    tile = make_tile(site.target, x, y, residual, window, tiling, weight.shape[1], activation_of(site.node))
    start = x.origin - window.pads[0] * x.row - window.pads[1]
    strides = strides_of(x, start, -(-weight.shape[1] // block), window.strides)
    steps = steps_of(weight.shape[1], block)
    depth = -(-weight.shape[1] // steps) * steps * window.kernel[0] * window.kernel[1]
    source = Source(strides, x.elements // x.shape[0])
    walk = make_walk(site.target, source, y, residual or y, tiling, size, group, depth)
    packed = Packed.moved(site.constant(1), pack_merged, together, block, steps, tiling.vectors * site.target.lanes)
    added = Input(3) if residual is not None else Output()
    return walked(site, tile, walk, (Input(0), packed, added))


def walked(site: Site, tile: Tile, walk: Walk, operands: tuple[Operand, ...]) -> Prepared:
    """The product whose ``walk`` visits the tiles of ``operands`` x, weights and residual."""
    x, weights, residual = operands
    bias = Packed(channel_numbers(site, walk.groups * walk.biases, walk.biases))
    walk = replace(walk, biases=bias.array.size // walk.groups)
    roles = {"x": x, "weights": weights, "bias": bias, "residual": residual, "y": Output()}
    chunks, per = site.given(0).shape[0] * walk.groups * walk.blocks, walk.blocks if walk.weights_outer else 1
    return Prepared(conv_function(site.target, tile, walk, narrower(tile, site)), roles, chunks, per)


def narrower(tile: Tile, site: Site) -> Tile | None:
    """The tile of the last group of vectors, where it has fewer of them than the others."""
    y = site.outputs[0]
    left = y.blocks * y.layout.block // site.target.lanes % len(tile.vectors)
    return replace(tile, vectors=tile.vectors[:left], residual_vectors=tile.residual_vectors[:left]) if left else None


def choices(site: Site, even: bool = False) -> list[tuple[int, ...]]:
    """Tilings that may be better than the rule's, as (pixels, vectors, across); ``even`` as in ``prepare``."""
    return [(t.pixels, t.vectors, t.across) for t in tilings(site, even)[1 : 1 + TRIED]]


def make_tile(
    target: Target, x: Tensor, y: Tensor, r: Tensor | None, window: PlaneWindow, tiling: Tiling, channels: int, act: Activation
) -> Tile:
    """The register tile of a convolution over ``channels`` input channels."""
    block = x.layout.block
    steps = steps_of(channels, block)
    per_block, left = block // steps, -(-(channels % block) // steps)
    loops = (
        Loop(-(-channels // block), x.plane * block),
        Loop(window.kernel[0], x.row * window.dilations[0] * block),
        Loop(window.kernel[1], window.dilations[1] * block),
        Loop(per_block, steps, left if left < per_block else 0),
    )
    return Tile(
        pixels=tuple(i * window.strides[1] * block for i in range(tiling.pixels)),
        places=tuple(i * block for i in range(tiling.pixels)),
        vectors=vector_offsets(target, y, tiling.vectors),
        loops=tuple(loop for i, loop in enumerate(loops) if i == 0 or loop.count > 1),
        steps=tuple(range(steps)),
        residual=tuple(i * block for i in range(tiling.pixels)) if r is not None else (),
        residual_vectors=vector_offsets(target, r, tiling.vectors) if r is not None else (),
        activation=act,
        wide=2 if window.kernel[0] > 1 else 1,
        planes=(y.plane * block, 0 if r is None else r.plane * block),
    )


def vector_offsets(target: Target, y: Tensor, count: int) -> tuple[int, ...]:
    """The offsets of ``count`` consecutive output vectors of one pixel of a blocked tensor."""
    per_block = y.layout.block // target.lanes
    return tuple(v // per_block * y.plane * y.layout.block + v % per_block * target.lanes for v in range(count))


def make_walk(
    target: Target, source: Source, y: Tensor, r: Tensor, tiling: Tiling, size: tuple[int, int], group: int, depth: int
) -> Walk:
    """The walk over an output of ``size`` (height, width), summed over ``depth`` products, of ``group`` convolution groups."""
    count = tiling.vectors * target.lanes
    groups, tiles = -(-y.blocks * y.layout.block // count), size[0] * tiling.across
    run = _run(target, tiles, tiling, depth * target.lanes, source.elements, groups * y.shape[0])
    blocks = -(-tiles // run)
    return Walk(
        tiles=tiles,
        across=tiling.across,
        pixels=tiling.pixels,
        width=size[1],
        run=run,
        blocks=blocks,
        groups=groups,
        shared=groups // group,
        weights_outer=source.elements * groups <= depth * groups * count * blocks,
        weights=depth * count,
        biases=count,
        x=source.strides,
        y=strides_of(y, y.origin, count // y.layout.block, (1, 1)),
        r=strides_of(r, r.origin, count // r.layout.block, (1, 1)),
    )


def strides_of(t: Tensor, start: int, blocks: int, steps: tuple[int, int]) -> Strides:
    """The strides of a blocked tensor, from position ``start`` on, in groups of ``blocks`` and ``steps`` of a window."""
    block = t.layout.block
    image, group = t.blocks * t.plane * block, blocks * t.plane * block
    return Strides(start * block, image, group, steps[0] * t.row * block, steps[1] * block)


def _run(target: Target, tiles: int, tiling: Tiling, work: int, elements: int, others: int) -> int:
    """Tiles in a chunk: their input fits half the second cache, and there is enough parallel work but no crumbs."""
    fitting = max(1, target.l2 // 2 * tiles // (4 * elements))
    crumb = max(1, CRUMB // (work * tiling.pixels * tiling.vectors))
    shares = max(1, -(-tiles * others // CHUNKS))
    run = min(tiles, fitting, max(crumb, shares))
    return min(tiles, -(-run // tiling.across) * tiling.across) if tiles > tiling.across else run


def share_ahead(target: Target, walk: Walk) -> int | None:
    """Which share of the next weights each tile fetches, so that they are there when the last tile is done with its own.

    None where weights stay in the second cache, or where so many tiles use them that it does not matter when they come.
    """
    tiles = walk.tiles if walk.weights_outer else walk.run
    if not target.l3 or 4 * walk.weights * walk.groups < target.l2 // 4 or tiles > MOST_PASSES:
        return None
    return tiles.bit_length() - 1


def conv_function(target: Target, tile: Tile, walk: Walk, last: Tile | None = None) -> Callable[..., None]:
    """The kernel ``(x, w, b, r, y, begin, end)`` of a walk, by ``tile`` and ``last`` (see ``Direct``).

    r is not read when the tiles add no residual.
    """
    ahead = share_ahead(target, walk)
    run = _tile_of_group(target, tile, last, walk.groups - 1, ahead)
    depth, share = tile.loops[0].count, walk.weights >> (ahead or 0)
    tiles, across, pixels, final = walk.tiles, walk.across, walk.pixels, walk.width - walk.pixels
    length, blocks, groups, shared, outer = walk.run, walk.blocks, walk.groups, walk.shared, walk.weights_outer
    weights, biases, xs, ys, rs = walk.weights, walk.biases, walk.x, walk.y, walk.r
    x0, xn, xg, xr, xp = xs.start, xs.image, xs.group, xs.row, xs.pixel
    y0, yn, yg, yr, yp = ys.start, ys.image, ys.group, ys.row, ys.pixel
    r0, rn, rg, rr, rp = rs.start, rs.image, rs.group, rs.row, rs.pixel

    def convolve(x: Any, w: Any, b: Any, r: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            image, rest = chunk // (blocks * groups), chunk % (blocks * groups)
            group = rest // blocks if outer else rest % groups
            first = rest % blocks if outer else rest // groups
            xc = offset(x, x0 + image * xn + group // shared * xg)
            yc = offset(y, y0 + image * yn + group * yg)
            rc = offset(r, r0 + image * rn + group * rg)
            wc, bc = offset(w, group * weights), offset(b, group * biases)
            stop, passes = first * length + length, first * length if outer else 0
            row, place = first * length // across, first * length % across
            for _ in range(first * length, stop if stop < tiles else tiles):
                column = place * pixels if place * pixels < final else final
                xt, yt, rt = row * xr + column * xp, row * yr + column * yp, row * rr + column * rp
                following = offset(wc, weights + passes * share)
                run(group, offset(xc, xt), wc, bc, offset(rc, rt), offset(yc, yt), following, depth)
                place, passes = place + 1, passes + 1
                if place == across:
                    row, place = row + 1, 0

    return stating(convolve, Direct(tile, walk, last))


def _tile_of_group(target: Target, tile: Tile, last: Tile | None, final: int, ahead: int | None) -> Callable[..., None]:
    """``(group, x, w, b, r, y, ahead, count)``: ``tile``, or in the group ``final`` the ``last`` one, if there is one."""
    run, (step, row, plane, other) = open_tile_function(target, replace(tile, ahead=ahead)), open_numbers(tile)
    if last is None:

        @inline
        def every(group: int, x: Any, w: Any, b: Any, r: Any, y: Any, following: Any, depth: int) -> None:
            run(x, w, b, r, y, following, depth, step, row, plane, other)

        return every
    rest = open_tile_function(target, replace(last, ahead=ahead))

    @inline
    def either(group: int, x: Any, w: Any, b: Any, r: Any, y: Any, following: Any, depth: int) -> None:
        if group < final:
            run(x, w, b, r, y, following, depth, step, row, plane, other)
        else:
            rest(x, w, b, r, y, following, depth, step, row, plane, other)

    return either


KERNEL = Kernel("conv_blocked", CONVOLUTIONS, select, layout="blocked", hot=True, halo=conv_halo, choices=choices)
