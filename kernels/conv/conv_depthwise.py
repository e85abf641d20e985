"""Depthwise convolution in the blocked layout: any window, stride and dilation, one output channel for each input channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Prepared, Site, Tensor
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.walk.plane_window import PlaneWindow, conv_halo, conv_window
from edgeopt.kernels.walk.window_tile import WindowTile, pixels_in_tile, window_tile_function
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


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a Conv or FusedConv node whose groups hold one channel. Raises Declined for others."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a depthwise Conv or FusedConv; a panel of weights is that of one vector. Raises Declined for others."""
    x, y, weight = site.given(0), site.outputs[0], site.constant(1)
    channels, per_group, rows, taps = (*weight.shape, 1)[:4]
    if not x.layout.block or not y.layout.block:
        raise Declined("its operands do not lie blocked")
    if weight.ndim != 4 or per_group != 1 or not channels == site.node.integer("group", 1) == x.shape[1]:
        raise Declined("it is not depthwise")
    if site.optional(3) is not None:
        raise Declined("it adds a residual")
    window, lanes = conv_window(site.node), site.target.lanes
    planes = make_planes(site.target, x, y, window, taps)
    tile = WindowTile(
        "weighted",
        columns_of(planes, window),
        rows,
        x.row * x.layout.block,
        window.dilations[0],
        x.shape[2],
        y.layout.block,
        activation_of(site.node),
    )
    vectors = x.blocks * x.layout.block // lanes
    packed = np.zeros((vectors * lanes, rows * taps), np.float32)
    packed[:channels] = weight.reshape(channels, -1)
    packed = packed.reshape(vectors, lanes, -1).transpose(0, 2, 1).copy()
    bias = np.zeros(vectors * lanes, np.float32)
    bias[:channels] = site.constant(2) if site.optional(2) is not None else 0
    function, per = _function(site.target, tile, planes), -(-planes.height // planes.run)
    operands: dict[str, Operand] = {"x": Input(0), "weights": Packed(packed), "bias": Packed(bias), "y": Output()}
    return Prepared(function, operands, x.shape[0] * vectors * per, per)


def make_planes(target: Target, x: Tensor, y: Tensor, window: PlaneWindow, taps: int) -> Planes:
    """The walk for an output y of an input x whose halo holds the pads of ``window``."""
    block, (_, _, height, width) = y.layout.block, y.shape
    return Planes(
        height=height,
        width=width,
        pixels=pixels_in_tile(target, width, taps),
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


def _function(target: Target, tile: WindowTile, planes: Planes) -> Callable[..., None]:
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
    parts, weights = -(-height // rows), tile.rows * len(tile.columns[0]) * lanes

    def convolve(x: Any, w: Any, b: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            plane, first = chunk // parts, chunk % parts * rows
            channel, within = plane % vectors, plane * lanes % block
            source = offset(x, plane * lanes // block * x_plane + x_origin + within)
            made = offset(y, plane * lanes // block * y_plane + y_origin + within)
            wc, bc = offset(w, channel * weights), offset(b, channel * lanes)
            for i in range(first, first + rows if first + rows < height else height):
                for t in range(0, width, pixels):
                    j = t if t < width - pixels else width - pixels
                    run(offset(source, j * step), wc, bc, offset(made, i * y_row + j * block), i * stride - pad)

    return convolve


KERNEL = Kernel("conv_depthwise", ("Conv", "FusedConv"), select, layout="blocked", hot=True, halo=conv_halo)
