"""MaxPool and AveragePool in the blocked layout.

A maximum needs no border: windows that reach over the edge are moved onto it, where every position they then see lies in the
window anyway. A mean sums the zero halo too and multiplies with the reciprocal of the count of each output position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgeopt.ir import Array, Node
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site, Tensor
from edgeopt.kernels.conv.conv_depthwise import Planes, columns_of, make_planes
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.stated import stating
from edgeopt.kernels.walk.plane_window import Halo, PlaneWindow, plane_window
from edgeopt.kernels.walk.window_tile import WindowTile, window_tile_function
from edgeopt.target import Target


@dataclass(frozen=True)
class Pool:
    """The form of a pool (x, counts, y): the first tile of a row, those between, and the last, at every place of ``planes``."""

    tiles: tuple[WindowTile, WindowTile, WindowTile]
    planes: Planes


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a pool. Raises Declined for dilated or indexed maxima and for other layouts."""
    x, y, node = site.given(0), site.outputs[0], site.node
    if not x.layout.block or not y.layout.block or x.type.dtype != "float32":
        raise Declined("its operands do not lie blocked")
    if len(node.outputs) > 1 and node.outputs[1].uses:
        raise Declined("its indices are read")
    window = plane_window(node, node.integers("kernel_shape"))
    kind: Literal["max", "mean"] = "max" if node.op == "MaxPool" else "mean"
    if kind == "max" and max(window.dilations) > 1:
        raise Declined("a dilated maximum")
    planes = make_planes(site.target, x, y, window, 0)
    if planes.pixels < planes.width and planes.pixels * window.strides[1] < max(window.pads):
        raise Declined("its pads are wider than a tile")
    free = columns_of(planes, window)
    edges = [_inside(planes, window, x, start) if kind == "max" else free for start in (0, planes.width - planes.pixels)]
    left, middle, right = (_tile(kind, columns, window, x, y) for columns in (edges[0], free, edges[1]))
    count = reciprocal_counts(node, window, x, y) if kind == "mean" else np.zeros(1, np.float32)
    function = _function(site.target, Pool((left, middle, right), planes))
    chunks = x.shape[0] * planes.vectors * -(-planes.height // planes.run)
    return (KernelCall(function, (Input(0), Packed(count), Output()), (), chunks),)


def _inside(planes: Planes, window: PlaneWindow, x: Tensor, start: int) -> tuple[tuple[int, ...], ...]:
    """Offsets of the taps of the tile at output column ``start``, moved into the image."""
    first = start * window.strides[1] - window.pads[1]
    low, high = -first * planes.block, (x.shape[3] - 1 - first) * planes.block
    return tuple(tuple(min(max(c, low), high) for c in taps) for taps in columns_of(planes, window))


def _tile(
    kind: Literal["max", "mean"], columns: tuple[tuple[int, ...], ...], window: PlaneWindow, x: Tensor, y: Tensor
) -> WindowTile:
    row, step = x.row * x.layout.block, y.layout.block
    return WindowTile(kind, columns, window.kernel[0], row, window.dilations[0], x.shape[2], step)


def reciprocal_counts(node: Node, window: PlaneWindow, x: Tensor, y: Tensor) -> Array:
    """One over the number of positions that each window [height, width] of an AveragePool counts."""
    sides = []
    for axis in (0, 1):
        size, extent = x.shape[2 + axis], y.shape[2 + axis]
        taps = np.arange(extent)[:, None] * window.strides[axis] - window.pads[axis]
        taps = taps + np.arange(window.kernel[axis]) * window.dilations[axis]
        padded = node.integer("count_include_pad", 0)
        low, high = (-window.pads[axis], size + window.pads[2 + axis]) if padded else (0, size)
        sides.append(((taps >= low) & (taps < high)).sum(1))
    return np.asarray(1 / np.outer(*sides), np.float32)


def _function(target: Target, form: Pool) -> Callable[..., None]:
    planes, (left, middle, right) = form.planes, (window_tile_function(target, t) for t in form.tiles)
    height, width, pixels, rows, lanes = planes.height, planes.width, planes.pixels, planes.run, target.lanes
    block, stride, pad, step, parts = planes.block, planes.stride, planes.pad, planes.step, -(-planes.height // planes.run)
    x_plane, x_origin, y_plane = planes.x_plane, planes.x_origin, planes.y_plane
    y_origin, y_row, counted = planes.y_origin, planes.y_row, form.tiles[0].kind == "mean"

    def pool(x: Any, count: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            plane, first = chunk // parts, chunk % parts * rows
            within = plane * lanes % block
            source = offset(x, plane * lanes // block * x_plane + x_origin + within)
            made = offset(y, plane * lanes // block * y_plane + y_origin + within)
            for i in range(first, first + rows if first + rows < height else height):
                for t in range(0, width, pixels):
                    j = t if t < width - pixels else width - pixels
                    here, there = offset(source, j * step), offset(made, i * y_row + j * block)
                    scale = offset(count, i * width + j if counted else 0)
                    if j == 0:
                        left(here, x, scale, there, there, i * stride - pad)
                    elif j == width - pixels:
                        right(here, x, scale, there, there, i * stride - pad)
                    else:
                        middle(here, x, scale, there, there, i * stride - pad)

    return stating(pool, form)


def halo(node: Node) -> Halo:
    """The zero border a pool needs: none for a maximum, all that its windows touch for a mean."""
    try:
        window = plane_window(node, node.integers("kernel_shape"))
    except Declined:
        return 0, 0, 0, 0
    return (0, 0, 0, 0) if node.op == "MaxPool" else window.halo


KERNEL = Kernel("pool_blocked", ("MaxPool", "AveragePool"), select, layout="blocked", halo=halo)
