"""Convolution of volumes: slices lie as blocked maps one after the other; the depth of the window is one more loop of a tile.

x is brought into that form with empty slices before and after it, y is brought back. The products are those of ``conv_blocked``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from edgeopt.ir import Array, TensorType
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Layout, Operand, Output, Packed, Site, Temporary, Tensor
from edgeopt.kernels.conv.conv_blocked import Source, conv_function, make_tile, make_walk, strides_of
from edgeopt.kernels.conv.conv_panels import pack_merged, steps_of
from edgeopt.kernels.conv.conv_tiling import is_flat
from edgeopt.kernels.conv.merged_groups import groups_together
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.move.relayout import fill_halo, slices
from edgeopt.kernels.walk.micro import Loop, Tile
from edgeopt.kernels.walk.plane_window import PlaneWindow
from edgeopt.kernels.walk.tiling import choose
from edgeopt.kernels.walk.window import Window, window


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, y, residual = site.given(0), site.outputs[0], site.optional(3)
    if len(x.shape) != 5 or x.type.dtype != "float32":
        raise Declined("it is no volume of float32")
    w = window(site.node, x.shape[2:], y.shape[2:], site.constant(1).shape[2:])
    if min(*w.begin, *w.end) < 0:
        raise Declined("negative pads")
    block = max(8, site.target.lanes)
    source, made, plane = _maps(site, w, block)
    depth, front = x.shape[2], w.begin[0]
    places = Temporary("slices", source.elements), Temporary("added", made.elements), Temporary("made", made.elements)
    product = _product(site, w, source, made, plane, places)
    calls = _border(site, source, range(front, front + depth), places[0])
    for image in range(x.shape[0]):
        calls.append(_moved(site, source, range(front, front + depth), x, image, (Input(0), places[0])))
        if residual is not None:
            calls.append(_moved(site, made, range(y.shape[2]), y, image, (Input(3), places[1])))
        calls += [product, _moved(site, made, range(y.shape[2]), y, image, (places[2], Output()))]
    return tuple(calls)


def _maps(site: Site, w: Window, block: int) -> tuple[Tensor, Tensor, PlaneWindow]:
    """The slices of x with their borders, those of y, and the window in their plane."""
    x, y = site.given(0), site.outputs[0]
    spans = [(r - 1) * s + (k - 1) * d + 1 for r, s, k, d in zip(w.result, w.strides, w.kernel, w.dilations, strict=True)]
    over = [max(0, span - size - first) for span, size, first in zip(spans, w.source, w.begin, strict=True)]
    halo = (w.begin[1], w.begin[2], over[1], over[2])
    total = w.begin[0] + x.shape[2] + over[0]
    source = Tensor(TensorType("float32", (total, x.shape[1], *x.shape[3:])), Layout(block, halo))
    made = Tensor(TensorType("float32", (y.shape[2], y.shape[1], *y.shape[3:])), Layout(block))
    return source, made, PlaneWindow(w.kernel[1:], w.strides[1:], w.dilations[1:], halo, halo)


def _border(site: Site, maps: Tensor, filled: range, place: Operand) -> list[KernelCall]:
    """Calls that clear the slices outside of ``filled`` and the halo of the others."""
    size, calls = maps.elements // maps.shape[0], []
    front, back = filled.start, maps.shape[0] - filled.stop
    if front + back:
        calls.append(KernelCall(_clear, (place,), (front, len(filled), size), front + back))
    if any(maps.layout.halo):
        calls.append(replace(fill_halo(maps, site.target), operands=(place,)))
    return calls


def _clear(z: Any, begin: Any, end: Any, front: Any, skipped: Any, size: Any) -> None:
    for chunk in range(begin, end):
        first = (chunk if chunk < front else chunk + skipped) * size
        for i in range(size):
            z[first + i] = np.float32(0.0)


def _moved(site: Site, maps: Tensor, taken: range, volume: Tensor, image: int, operands: tuple[Operand, Operand]) -> KernelCall:
    """The call that moves the slices of one image of a plain volume to their maps, or back where the maps come first."""
    base, blocking = image * prod(volume.shape[1:]), isinstance(operands[0], Input)
    call = slices(site.target, maps, taken, volume.shape[2], base, blocking)
    return replace(call, operands=operands)


def _product(site: Site, w: Window, x: Tensor, y: Tensor, plane: PlaneWindow, places: Sequence[Temporary]) -> KernelCall:
    """The call on the slices of x, of what is added and of y; tiles overlap, so that these are different places."""
    target, block, group = site.target, x.layout.block, site.node.integer("group", 1)
    weight = site.constant(1)
    together = groups_together(group, weight.shape[1], weight.shape[0] // group, block)
    flat, vectors, inputs = is_flat(plane, x, y, None), y.blocks * block // target.lanes, together * weight.shape[1]
    size = (1, y.shape[2] * y.shape[3]) if flat else (y.shape[2], y.shape[3])
    tiling = choose(target, size[1], vectors // (group // together), block // target.lanes)
    residual = y if site.optional(3) is not None else None
    tile = make_tile(target, x, y, residual, plane, tiling, inputs, activation_of(site.node))
    image, steps = x.elements // x.shape[0], steps_of(inputs, block)
    strides = strides_of(x, x.origin - plane.pads[0] * x.row - plane.pads[1], -(-inputs // block), plane.strides)
    source = Source(replace(strides, image=image * w.strides[0]), image * w.kernel[0])
    walk = make_walk(target, source, y, y, tiling, size, group // together, -(-inputs // steps) * steps * prod(w.kernel))
    bias = np.zeros(vectors * target.lanes, np.float32)
    bias[: weight.shape[0]] = site.constant(2) if site.optional(2) is not None else 0
    packed = Packed.moved(site.constant(1), _pack, (group, together), block, steps, tiling.vectors * target.lanes)
    function = conv_function(target, _deep(tile, w, image), walk)
    chunks = y.shape[0] * walk.groups * walk.blocks
    added = places[1] if residual is not None else places[2]
    return KernelCall(function, (places[0], packed, Packed(bias), added, places[2]), (), chunks)


def _pack(weight: Array, together: tuple[int, int], block: int, steps: int, count: int) -> Array:
    """``pack_merged`` of weights whose depth is taken for more height."""
    return pack_merged(weight.reshape(*weight.shape[:2], -1, weight.shape[4]), together, block, steps, count)


def _deep(tile: Tile, w: Window, image: int) -> Tile:
    """The tile with a loop over the depth of the window after that over blocks of channels."""
    if w.kernel[0] == 1:
        return tile
    return replace(tile, wide=2, loops=(tile.loops[0], Loop(w.kernel[0], w.dilations[0] * image), *tile.loops[1:]))


KERNEL = Kernel("conv_volume", ("Conv", "FusedConv"), _select)
