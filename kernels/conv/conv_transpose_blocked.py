"""Transposed convolution in the blocked layout: its phases are small convolutions that write pixels a stride apart.

A vector of channels is written whole, so writing interleaved costs nothing. Phases with as many taps and outputs share a tile and
a call; where each starts in x and y stands in a table. A phase without taps is the bias.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from edgeopt.ir import Array, Node
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site
from edgeopt.kernels.conv.conv_blocked import Source, Strides, Walk, make_tile, make_walk
from edgeopt.kernels.conv.conv_panels import pack, steps_of
from edgeopt.kernels.conv.merged_groups import groups_together, merged
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.walk.micro import Tile, tile_function
from edgeopt.kernels.walk.phases import Form, Pair, by_form, phase_halo, phase_starts, phase_weights, plane_phases
from edgeopt.kernels.walk.plane_window import Halo, PlaneWindow
from edgeopt.kernels.walk.tiling import Tiling, choose
from edgeopt.target import Target

WEIGHT = 1  # input


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, y, weight = site.given(0), site.outputs[0], site.constant(1)
    block, group = x.layout.block, site.node.integer("group", 1)
    if not block or not y.layout.block:
        raise Declined("its operands do not lie blocked")
    together = groups_together(group, weight.shape[0] // group, weight.shape[1], block)
    return tuple(_call(site, together, form, pairs) for form, pairs in by_form(plane_phases(site.node, WEIGHT)).items())


def _call(site: Site, together: int, form: Form, pairs: list[Pair]) -> KernelCall:
    x, y, weight, target = site.given(0), site.outputs[0], site.constant(1), site.target
    block, given = x.layout.block, site.node.integer("group", 1)
    group = given // together
    tiling = choose(target, form.size[1], y.blocks * block // target.lanes // group, block // target.lanes)
    walk, tile = _walk(site, group, form, tiling), _tile(site, group, form, tiling)
    steps, count = steps_of(weight.shape[0] // group, block), tiling.vectors * target.lanes
    some = tuple(pairs) if all(form.taps) else ()
    packed = Packed.moved(weight, _pack, given, together, some, block, steps, count)
    bias = np.zeros(y.blocks * block, np.float32)
    bias[: y.shape[1]] = site.constant(2) if site.optional(2) is not None else 0
    chunks = len(pairs) * x.shape[0] * walk.groups * walk.blocks
    operands = (Input(0), packed, Packed(bias), Packed(phase_starts(x, y, pairs)), Output())
    return KernelCall(_function(target, tile, walk, x.shape[0]), operands, (), chunks)


def _pack(weight: Array, group: int, together: int, pairs: tuple[Pair, ...], block: int, steps: int, count: int) -> Array:
    """The weights of some phases one after the other; of none a zero."""
    taken = [merged(phase_weights(weight, group, pair), group, together) for pair in pairs]
    return np.stack([pack(w, block, steps, count) for w in taken] or [np.zeros(1, weight.dtype)])


def _walk(site: Site, group: int, form: Form, tiling: Tiling) -> Walk:
    """The walk over the outputs of a phase, which lie strides apart; it starts where the table says."""
    x, y = site.given(0), site.outputs[0]
    block, inputs, strides = x.layout.block, site.constant(1).shape[0] // group, site.node.integers("strides", (1, 1))
    plane, steps = x.plane * block, steps_of(inputs, block)
    source = Source(Strides(0, x.blocks * plane, -(-inputs // block) * plane, x.row * block, block), x.blocks * plane)
    depth = max(1, -(-inputs // steps) * steps * prod(form.taps))
    walk = make_walk(site.target, source, y, y, tiling, form.size, group, depth)
    return replace(walk, y=replace(walk.y, start=0, row=walk.y.row * strides[0], pixel=walk.y.pixel * strides[1]))


def _tile(site: Site, group: int, form: Form, tiling: Tiling) -> Tile:
    x, y = site.given(0), site.outputs[0]
    distance = site.node.integers("strides", (1, 1))[1] * x.layout.block
    window = PlaneWindow((max(1, form.taps[0]), max(1, form.taps[1])), (1, 1), form.steps, (0, 0, 0, 0), (0, 0, 0, 0))
    inputs = site.constant(1).shape[0] // group
    tile = make_tile(site.target, x, y, None, window, tiling, inputs, activation_of(site.node))
    tile = replace(tile, places=tuple(i * distance for i in range(tiling.pixels)))
    return tile if all(form.taps) else replace(tile, loops=(), steps=())


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
    return phase_halo(node, WEIGHT)


KERNEL = Kernel("conv_transpose_blocked", ("ConvTranspose",), _select, layout="blocked", hot=True, halo=_halo)
