"""Transposed convolution in the blocked layout: its phases are small convolutions that write pixels a stride apart.

A vector of channels is written whole, so writing interleaved costs nothing. Phases with as many taps and outputs share a tile and
a call; where each starts in x and y stands in a table. A phase without taps is the bias.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

import numpy as np

from edgeopt.ir import Array, Node
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site, Tensor
from edgeopt.kernels.conv.conv_blocked import Source, Strides, Walk, make_tile, make_walk, pack, steps_of
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.walk.micro import Tile, tile_function
from edgeopt.kernels.walk.phases import Phase, axis_phases, transposed_pads
from edgeopt.kernels.walk.plane_window import Halo, PlaneWindow
from edgeopt.kernels.walk.tiling import Tiling, choose
from edgeopt.target import Target

Pair = tuple[Phase, Phase]


@dataclass(frozen=True)
class _Form:
    """What the phases of one call have in common: taps and outputs (each vertical, horizontal) and the distance of taps."""

    taps: tuple[int, int]
    size: tuple[int, int]
    steps: tuple[int, int]


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, y, weight = site.given(0), site.outputs[0], site.constant(1)
    block, group = x.layout.block, site.node.integer("group", 1)
    if not block or not y.layout.block:
        raise Declined("its operands do not lie blocked")
    if group > 1 and (weight.shape[0] // group % block or weight.shape[1] % block):
        raise Declined(f"{weight.shape[1]} channels in a group are no whole blocks of {block}")
    forms: dict[_Form, list[Pair]] = {}
    for pair in _phases(site.node):
        forms.setdefault(_form(pair), []).append(pair)
    return tuple(_call(site, form, pairs) for form, pairs in forms.items())


def _phases(node: Node) -> list[Pair]:
    """The phases of both axes. Raises Declined when the window is not two-dimensional or a shape is not static."""
    types = [v.type if v is not None else None for v in (node.input(0), node.input(1), node.output)]
    shapes = [t.dims[2:] for t in types if t is not None and t.static]
    if len(shapes) < 3 or any(len(s) != 2 for s in shapes):
        raise Declined("its window is not two-dimensional, or a shape is not static")
    source, kernel, result = shapes
    strides, dilations = node.integers("strides", (1, 1)), node.integers("dilations", (1, 1))
    pads = transposed_pads(node, source, result, kernel)
    rows, columns = (axis_phases(*axis) for axis in zip(result, kernel, strides, dilations, pads, strict=True))
    return list(product(rows, columns))


def _form(pair: Pair) -> _Form:
    rows, columns = pair
    taps = (len(rows.taps), len(columns.taps))
    return _Form(taps if all(taps) else (0, 0), (rows.count, columns.count), (rows.step, columns.step))


def _call(site: Site, form: _Form, pairs: list[Pair]) -> KernelCall:
    x, y, weight, target = site.given(0), site.outputs[0], site.constant(1), site.target
    block, group = x.layout.block, site.node.integer("group", 1)
    tiling = choose(target, form.size[1], y.blocks * block // target.lanes // group, block // target.lanes)
    walk, tile = _walk(site, form, tiling), _tile(site, form, tiling)
    steps, count = steps_of(weight.shape[0] // group, block), tiling.vectors * target.lanes
    some = pairs if all(form.taps) else []
    packed = [pack(_weights(weight, group, pair), block, steps, count) for pair in some] or [np.zeros(1, np.float32)]
    bias = np.zeros(y.blocks * block, np.float32)
    bias[: y.shape[1]] = site.constant(2) if site.optional(2) is not None else 0
    chunks = len(pairs) * x.shape[0] * walk.groups * walk.blocks
    operands = (Input(0), Packed(np.stack(packed)), Packed(bias), Packed(_starts(x, y, pairs)), Output())
    return KernelCall(_function(target, tile, walk, x.shape[0]), operands, (), chunks)


def _walk(site: Site, form: _Form, tiling: Tiling) -> Walk:
    """The walk over the outputs of a phase, which lie strides apart; it starts where the table says."""
    x, y, group = site.given(0), site.outputs[0], site.node.integer("group", 1)
    block, inputs, strides = x.layout.block, site.constant(1).shape[0] // group, site.node.integers("strides", (1, 1))
    plane, steps = x.plane * block, steps_of(inputs, block)
    source = Source(Strides(0, x.blocks * plane, -(-inputs // block) * plane, x.row * block, block), x.blocks * plane)
    depth = max(1, -(-inputs // steps) * steps * prod(form.taps))
    walk = make_walk(site.target, source, y, y, tiling, form.size, group, depth)
    return replace(walk, y=replace(walk.y, start=0, row=walk.y.row * strides[0], pixel=walk.y.pixel * strides[1]))


def _tile(site: Site, form: _Form, tiling: Tiling) -> Tile:
    x, y, group = site.given(0), site.outputs[0], site.node.integer("group", 1)
    distance = site.node.integers("strides", (1, 1))[1] * x.layout.block
    window = PlaneWindow((max(1, form.taps[0]), max(1, form.taps[1])), (1, 1), form.steps, (0, 0, 0, 0), (0, 0, 0, 0))
    inputs = site.constant(1).shape[0] // group
    tile = make_tile(site.target, x, y, None, window, tiling, inputs, activation_of(site.node))
    tile = replace(tile, places=tuple(i * distance for i in range(tiling.pixels)))
    return tile if all(form.taps) else replace(tile, loops=(), steps=())


def _weights(weight: Array, group: int, pair: Pair) -> Array:
    """The taps of a phase as the weights [M, C / group, h, w] of a convolution, from weights [C, M / group, h, w]."""
    taken = weight[:, :, pair[0].taps][:, :, :, pair[1].taps]
    split = taken.reshape(group, -1, *taken.shape[1:]).swapaxes(1, 2)
    return split.reshape(-1, *split.shape[2:])


def _starts(x: Tensor, y: Tensor, pairs: list[Pair]) -> Array:
    """For each phase the elements from the storage of x and of y to where its walk starts."""
    sources = [x.origin + rows.start * x.row + columns.start for rows, columns in pairs]
    made = [y.origin + rows.first * y.row + columns.first for rows, columns in pairs]
    return np.array([sources, made], np.int64).T * x.layout.block


def _function(target: Target, tile: Tile, walk: Walk, images: int) -> Callable[..., None]:
    """The kernel ``(x, w, b, starts, y, begin, end)``; a chunk is a block of tiles of a group of vectors of a phase."""
    run = tile_function(target, tile)
    tiles, across, pixels, last = walk.tiles, walk.across, walk.pixels, walk.width - walk.pixels
    length, blocks, groups, shared = walk.run, walk.blocks, walk.groups, walk.shared
    weights, biases, xs, ys = walk.weights, walk.biases, walk.x, walk.y
    xn, xg, xr, xp, yn, yg, yr, yp = xs.image, xs.group, xs.row, xs.pixel, ys.image, ys.group, ys.row, ys.pixel
    share = images * groups * blocks

    def convolve(x: Any, w: Any, b: Any, starts: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            phase, rest = chunk // share, chunk % share
            image, group, first = rest // (blocks * groups), rest // blocks % groups, rest % blocks * length
            xc = offset(x, starts[2 * phase] + image * xn + group // shared * xg)
            yc = offset(y, starts[2 * phase + 1] + image * yn + group * yg)
            wc, bc = offset(w, (phase * groups + group) * weights), offset(b, group * biases)
            for t in range(first, first + length if first + length < tiles else tiles):
                row, column = t // across, t % across * pixels
                if column > last:
                    column = last
                made = offset(yc, row * yr + column * yp)
                run(offset(xc, row * xr + column * xp), wc, bc, made, made)

    return convolve


def _halo(node: Node) -> Halo:
    """The zero border that the phases read around the input; none where the kernel declines."""
    try:
        pairs = [pair for pair in _phases(node) if all(phase.taps for phase in pair)]
    except Declined:
        return 0, 0, 0, 0
    source = node.input(0)
    if source is None or source.type is None:
        return 0, 0, 0, 0
    height, width = source.type.dims[2:]
    before = [max([0, *(-pair[axis].start for pair in pairs)]) for axis in (0, 1)]
    behind = [max([0, *(pair[axis].last - size + 1 for pair in pairs)]) for axis, size in ((0, height), (1, width))]
    return before[0], before[1], behind[0], behind[1]


KERNEL = Kernel("conv_transpose_blocked", ("ConvTranspose",), _select, layout="blocked", hot=True, halo=_halo)
