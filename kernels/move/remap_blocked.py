"""Slice, Pad and nearest Resize on blocked maps: each output position reads one input position, by a table per axis.

y[n, c, h, w] = x[n, channel[c], row[h], column[w]], or the padding value where a table says -1
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site, Tensor
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.move.pad import index_table, pad_extents
from edgeopt.kernels.move.resize import resize_axes
from edgeopt.kernels.move.resize_taps import taps


def _slice(site: Site) -> tuple[list[Array], float]:
    """The indices that a Slice with constant bounds takes of every axis."""
    shape, (starts, ends) = site.given(0).shape, (site.constant(i).reshape(-1).tolist() for i in (1, 2))
    axes = site.constant(3).reshape(-1).tolist() if site.optional(3) else list(range(len(starts)))
    steps = site.constant(4).reshape(-1).tolist() if site.optional(4) else [1] * len(starts)
    tables = [np.arange(extent) for extent in shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        stop = None if step < 0 and end < -shape[axis] else end
        tables[axis] = tables[axis][slice(start, stop, step)]
    return tables, 0.0


def _pad(site: Site) -> tuple[list[Array], float]:
    x, y, mode = site.given(0), site.outputs[0], site.node.text("mode", "constant")
    value = float(site.constant(2).reshape(-1)[0]) if site.optional(2) else 0.0
    begin, _ = pad_extents(site)
    if mode != "constant":
        return [index_table(e, b, r, mode) for e, b, r in zip(x.shape, begin, y.shape, strict=True)], value
    places = [np.arange(r) - b for r, b in zip(y.shape, begin, strict=True)]
    return [np.where((p >= 0) & (p < e), p, -1) for p, e in zip(places, x.shape, strict=True)], value


def _resize(site: Site) -> tuple[list[Array], float]:
    x, y, node = site.given(0), site.outputs[0], site.node
    if node.text("mode", "nearest") != "nearest":
        raise Declined("it interpolates")
    tables = [np.arange(extent) for extent in x.shape]
    for axis in resize_axes(site):
        found = taps(node, x.shape[axis.place], y.shape[axis.place], axis.scale, (axis.start, axis.stop))
        if found.bias.any() or not found.weight.all():
            raise Declined("it extrapolates")
        tables[axis.place] = found.index[:, 0]
    return tables, 0.0


_TABLES: dict[str, Callable[[Site], tuple[list[Array], float]]] = {"Slice": _slice, "Pad": _pad, "Resize": _resize}


@cache
def _kernel(whole_blocks: bool) -> Callable[..., None]:
    """``whole_blocks``: the lanes of every output block are one input block, so that only its first entry is read."""

    def kernel(
        x: Any, channel: Any, row: Any, column: Any, y: Any, begin: Any, end: Any, blocks: Any, image: Any,
        height: Any, width: Any, block: Any, y0: Any, yi: Any, yr: Any, value: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            source, lanes = offset(x, chunk // blocks * image), offset(channel, chunk % blocks * block)
            for h in range(height):
                target = offset(y, y0 + chunk * yi + h * yr)
                for w in range(width):
                    inside = row[h] >= 0 and column[w] >= 0
                    if inside and whole_blocks and lanes[0] >= 0:
                        at = lanes[0] + row[h] + column[w]
                        for i in range(block):
                            target[w * block + i] = source[at + i]
                    else:
                        for i in range(block):
                            known = inside and lanes[i] >= 0
                            at = lanes[i] + row[h] + column[w] if known else 0
                            target[w * block + i] = source[at] if known else value

    return kernel


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    if not (x.layout.block and y.layout.block):
        raise Declined("its operands do not lie blocked")
    tables, value = _TABLES[site.node.op](site)
    if any(len(t) != e for t, e in zip(tables, y.shape, strict=True)) or list(tables[0]) != list(range(x.shape[0])):
        raise Declined("it is not a map from position to position of the same images")
    channel, (row, column) = _lanes(tables[1], x, y), (np.asarray(t) for t in tables[2:])
    rows = np.where(row < 0, -1, (x.origin + row * x.row) * x.layout.block)
    packed = [Packed(t.astype(np.int64)) for t in (channel, rows, np.where(column < 0, -1, column * x.layout.block))]
    block = y.layout.block
    strides = (y.origin * block, y.plane * block, y.row * block)
    constants = (y.blocks, x.blocks * x.plane * block, *y.shape[2:], block, *strides, value)
    whole = _whole(channel.reshape(-1, block), y.shape[1])
    return (KernelCall(_kernel(whole), (Input(0), *packed, Output()), constants, y.shape[0] * y.blocks),)


def _lanes(table: Array, x: Tensor, y: Tensor) -> Array:
    """Element offset of the input channel of every output lane; lanes beyond the channels repeat none."""
    block = x.layout.block
    offsets = np.where(table < 0, -1, table // block * x.plane * block + table % block)
    return np.concatenate([offsets, np.full(y.blocks * block - len(table), -1)])


def _whole(lanes: Array, channels: int) -> bool:
    """True when every block is one input block or nothing, as far as there are ``channels``; nobody reads the lanes beyond.

    A lane that is padding, in a block that begins with a channel, is not nothing: what the input has there is none of it.
    """
    beyond = np.arange(lanes.size).reshape(lanes.shape) >= channels
    straight = ((lanes == lanes[:, :1] + np.arange(lanes.shape[1])) | beyond).all(axis=1)
    return bool(np.where(lanes[:, 0] < 0, (lanes < 0).all(axis=1), straight).all())


KERNEL = Kernel("remap_blocked", tuple(_TABLES), _select, layout="blocked")
