"""Convolution of few channels a group in the blocked layout: depthwise, and groups that divide a vector, as wide as their input.

Any window, stride and dilation, one output channel for each input channel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Prepared, Site, Tensor
from edgeopt.kernels.conv.channel_numbers import CONVOLUTIONS, channel_numbers
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.stated import stating
from edgeopt.kernels.walk.plane_window import PlaneWindow, conv_halo, conv_window
from edgeopt.kernels.walk.window_tile import TOGETHER, WindowTile, pixels_in_tile, window_tile_function
from edgeopt.target import Target

ROWS = 4  # rows of output in a chunk at least


@dataclass(frozen=True)
class Planes:
    """The walk over planes of output: chunk = ``run`` rows of one vector of channels. Offsets and strides count elements."""

    height: int
    width: int
    pixels: int
    run: int
    vectors: int
    block: int
    stride: int
    pad: int
    step: int
    x_plane: int
    x_origin: int
    y_plane: int
    y_origin: int
    y_row: int


@dataclass(frozen=True)
class Depthwise:
    """The form of a convolution (x, w, b, r, y): ``tile`` at every place of ``planes``; elements of r as of y in ``planes``."""

    tile: WindowTile
    planes: Planes
    r_plane: int
    r_origin: int
    r_row: int


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a Conv or FusedConv node whose groups hold few channels. Raises Declined for others."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a depthwise or narrowly grouped convolution; a panel of weights is that of one vector. Raises Declined."""
    x, y, weight = site.given(0), site.outputs[0], site.constant(1)
    residual = site.optional(3)
    if not x.layout.block or not y.layout.block or (residual is not None and not residual.layout.block):
        raise Declined("its operands do not lie blocked")
    if weight.ndim != 4 or not weight.shape[0] == x.shape[1] == site.node.integer("group", 1) * weight.shape[1]:
        raise Declined("it is not depthwise, and its groups do not have as many outputs as inputs")
    if site.target.lanes % weight.shape[1] or (weight.shape[1] >= x.layout.block and weight.shape[1] > 1):
        raise Declined(f"groups of {weight.shape[1]} channels do not divide a vector")
    window = conv_window(site.node)
    planes = make_planes(site.target, x, y, window, window.kernel[1] * min(weight.shape[1], TOGETHER))
    tile = _tile(site, window, planes, weight.shape[1])
    numbers = channel_numbers(site, planes.vectors * site.target.lanes, site.target.lanes)
    function, per = _function(site.target, tile, planes, residual or y), -(-planes.height // planes.run)
    operands: dict[str, Operand] = {
        "x": Input(0),
        "weights": Packed.moved(weight, _pack, planes.vectors, site.target.lanes),
        "bias": Packed(numbers),
        "residual": Input(3) if residual is not None else Output(),
        "y": Output(),
    }
    return Prepared(function, operands, x.shape[0] * planes.vectors * per, per)


def _tile(site: Site, window: PlaneWindow, planes: Planes, channels: int) -> WindowTile:
    x, residual = site.given(0), site.optional(3)
    return WindowTile(
        "weighted",
        columns_of(planes, window),
        window.kernel[0],
        x.row * x.layout.block,
        window.dilations[0],
        x.shape[2],
        planes.block,
        activation_of(site.node),
        channels,
        tuple(p * planes.block for p in range(planes.pixels)) if residual is not None else (),
    )


def _pack(weight: Array, vectors: int, lanes: int) -> Array:
    """Weights [M, c, h, w] as ``[vector][h][w][c][lane]``."""
    full = np.zeros((vectors * lanes, weight[0].size), weight.dtype)
    full[: weight.shape[0]] = weight.transpose(0, 2, 3, 1).reshape(weight.shape[0], -1)
    return full.reshape(vectors, lanes, -1).transpose(0, 2, 1).copy()


def make_planes(target: Target, x: Tensor, y: Tensor, window: PlaneWindow, weights: int) -> Planes:
    """The walk for an output y of an input x whose halo holds the pads of ``window``; ``weights`` vectors are in registers."""
    block, (_, _, height, width) = y.layout.block, y.shape
    return Planes(
        height=height,
        width=width,
        pixels=pixels_in_tile(target, width, weights),
        run=min(height, max(ROWS, -(-height * y.blocks * y.shape[0] // 32))),
        vectors=y.blocks * block // target.lanes,
        block=block,
        stride=window.strides[0],
        pad=window.pads[0],
        step=window.strides[1] * block,
        x_plane=x.plane * block,
        x_origin=(x.origin - window.pads[1]) * block,
        y_plane=y.plane * block,
        y_origin=y.origin * block,
        y_row=y.row * block,
    )


def columns_of(planes: Planes, window: PlaneWindow) -> tuple[tuple[int, ...], ...]:
    """The offsets of the taps of each pixel of a tile."""
    dilation = window.dilations[1] * planes.block
    return tuple(tuple(p * planes.step + k * dilation for k in range(window.kernel[1])) for p in range(planes.pixels))


def _function(target: Target, tile: WindowTile, planes: Planes, r: Tensor) -> Callable[..., None]:
    run = window_tile_function(target, tile)
    height, width, pixels, rows, lanes = planes.height, planes.width, planes.pixels, planes.run, target.lanes
    vectors, block, stride, pad, step = planes.vectors, planes.block, planes.stride, planes.pad, planes.step
    x_plane, x_origin, y_plane, y_origin, y_row = (
        planes.x_plane,
        planes.x_origin,
        planes.y_plane,
        planes.y_origin,
        planes.y_row,
    )
    parts, weights = -(-height // rows), tile.rows * len(tile.columns[0]) * tile.channels * lanes
    r_plane, r_origin, r_row = r.plane * block, r.origin * block, r.row * block
    numbers = lanes * (2 if tile.activation.sloped else 1)

    def convolve(x: Any, w: Any, b: Any, r: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            plane, first = chunk // parts, chunk % parts * rows
            channel, within = plane % vectors, plane * lanes % block
            source = offset(x, plane * lanes // block * x_plane + x_origin + within)
            made = offset(y, plane * lanes // block * y_plane + y_origin + within)
            added = offset(r, plane * lanes // block * r_plane + r_origin + within)
            wc, bc = offset(w, channel * weights), offset(b, channel * numbers)
            for i in range(first, first + rows if first + rows < height else height):
                for t in range(0, width, pixels):
                    j = t if t < width - pixels else width - pixels
                    rc, yc = offset(added, i * r_row + j * block), offset(made, i * y_row + j * block)
                    run(offset(source, j * step), wc, bc, rc, yc, i * stride - pad)

    return stating(convolve, Depthwise(tile, planes, r_plane, r_origin, r_row))


KERNEL = Kernel("conv_depthwise", CONVOLUTIONS, select, layout="blocked", hot=True, halo=conv_halo)
