"""The first convolution: one to four input channels read from a plain image, a blocked result.

The image is copied into a zero-padded one (a few percent of the work), then every tile of output pixels is summed over
channels, kernel rows and kernel columns. Weights are packed ``[tile of vectors][channel][row][column][vector][lane]``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Prepared, Site, Temporary
from edgeopt.kernels.conv.channel_numbers import CONVOLUTIONS
from edgeopt.kernels.conv.conv_blocked import Source, Strides, make_walk, vector_offsets, walked
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.walk.micro import Loop, Tile
from edgeopt.kernels.walk.plane_window import PlaneWindow, conv_window
from edgeopt.kernels.walk.tiling import Tiling, choose

MOST_CHANNELS = 4


@dataclass(frozen=True)
class Image:
    """A padded plain image: channels, rows and columns."""

    channels: int
    height: int
    width: int


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a Conv or FusedConv of few channels. Raises Declined for others."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a Conv or FusedConv of few channels, after the padding of its image. Raises Declined for others."""
    x, y, weight, target = site.given(0), site.outputs[0], site.constant(1), site.target
    if x.layout.block or not y.layout.block or x.type.dtype != "float32" or len(x.shape) != 4:
        raise Declined("its input is not a plain float32 image")
    if x.shape[1] > MOST_CHANNELS or site.node.integer("group", 1) != 1 or site.optional(3) is not None:
        raise Declined(f"more than {MOST_CHANNELS} channels, groups, or a residual")
    window = conv_window(site.node)
    top, left, bottom, right = window.halo
    image = Image(x.shape[1], x.shape[2] + top + bottom, x.shape[3] + left + right)
    vectors = y.blocks * y.layout.block // target.lanes
    tiling = choose(target, y.shape[3], vectors, y.layout.block // target.lanes)
    tile = Tile(
        pixels=tuple(i * window.strides[1] for i in range(tiling.pixels)),
        places=tuple(i * y.layout.block for i in range(tiling.pixels)),
        vectors=vector_offsets(target, y, tiling.vectors),
        loops=(
            Loop(image.channels, image.height * image.width),
            Loop(window.kernel[0], window.dilations[0] * image.width),
            Loop(window.kernel[1], window.dilations[1]),
        ),
        steps=(0,),
        activation=activation_of(site.node),
        wide=2,
        planes=(y.plane * y.layout.block, 0),
    )
    strides = Strides(0, image.channels * image.height * image.width, 0, window.strides[0] * image.width, window.strides[1])
    source = Source(strides, strides.image)
    walk = make_walk(target, source, y, y, tiling, (y.shape[2], y.shape[3]), 1, weight[0].size)
    padded: Operand = Temporary("padded", x.shape[0] * strides.image * 4) if any(window.halo) else Input(0)
    operands = (padded, Packed.moved(weight, pack, tiling, target.lanes, vectors), Output())
    before = (_padding(x.shape, window, image, padded),) if any(window.halo) else ()
    return replace(walked(site, tile, walk, operands), before=before)


def _padding(shape: tuple[int, ...], window: PlaneWindow, image: Image, padded: Operand) -> KernelCall:
    top, left = window.halo[:2]
    constants = (shape[2], shape[3], image.height, image.width, top, left)
    return KernelCall(_pad, (Input(0), padded), constants, shape[0] * shape[1] * image.height)


def _pad(x: Any, y: Any, begin: int, end: int, h: int, w: int, rows: int, columns: int, top: int, left: int) -> None:
    for row in range(begin, end):
        line, i = offset(y, row * columns), row % rows - top
        if i < 0 or i >= h:
            for j in range(columns):
                line[j] = 0.0
        else:
            source = offset(x, (row // rows * h + i) * w)
            for j in range(left):
                line[j] = 0.0
            for j in range(w):
                line[left + j] = source[j]
            for j in range(left + w, columns):
                line[j] = 0.0


def pack(weight: Array, tiling: Tiling, lanes: int, vectors: int) -> Array:
    """Weights [O, C, h, w] as ``[tile of vectors][C][h][w][vector and lane]``."""
    count = tiling.vectors * lanes
    full = np.zeros((vectors * lanes, *weight.shape[1:]), weight.dtype)
    full[: weight.shape[0]] = weight
    return full.reshape(-1, count, *weight.shape[1:]).transpose(0, 2, 3, 4, 1).copy()


KERNEL = Kernel("conv_stem", CONVOLUTIONS, select, layout="stem", hot=True)
