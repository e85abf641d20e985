"""Ops that permute or repeat elements by strides: Transpose, DepthToSpace, SpaceToDepth, Expand, Tile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import static, storage
from edgeopt.kernels.move.copy import copy_call
from edgeopt.kernels.move.transposed import transposed_call
from edgeopt.kernels.walk.strided import RANK, broadcast, merge, row_major
from edgeopt.kernels.walk.tables import table_call


def _permuted(site: Site, view: Sequence[int], order: Sequence[int]) -> tuple[KernelCall, ...]:
    """Read the input as ``view`` and write its axes in ``order``."""
    steps = row_major(view)
    shape = [view[a] for a in order]
    boxes = [steps[a] for a in order], row_major(shape)
    bits = 8 * np.dtype(storage(site.given(0).type.dtype)).itemsize
    tiled = transposed_call(site.target, bits, (Input(0), Output(0)), shape, boxes)
    return (tiled or copy_call(Input(0), Output(0), shape, boxes),)


def _select_transpose(site: Site) -> tuple[KernelCall, ...]:
    x = site.given(0)
    static(x)
    rank = len(x.shape)
    return _permuted(site, x.shape, site.node.integers("perm", range(rank)[::-1]))


def _select_depth_to_space(site: Site) -> tuple[KernelCall, ...]:
    x, b = site.given(0), site.node.integer("blocksize", 1)
    static(x)
    n, c, h, w = x.shape
    if site.node.text("mode", "DCR") == "CRD":
        return _permuted(site, (n, c // (b * b), b, b, h, w), (0, 1, 4, 2, 5, 3))
    return _permuted(site, (n, b, b, c // (b * b), h, w), (0, 3, 4, 1, 5, 2))


def _select_space_to_depth(site: Site) -> tuple[KernelCall, ...]:
    x, b = site.given(0), site.node.integer("blocksize", 1)
    static(x)
    n, c, h, w = x.shape
    depth_first = site.node.text("mode", "DCR") == "DCR"
    return _permuted(site, (n, c, h // b, b, w // b, b), (0, 3, 5, 1, 2, 4) if depth_first else (0, 1, 3, 5, 2, 4))


def _select_expand(site: Site) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    static(x, y)
    return (copy_call(Input(0), Output(0), y.shape, (broadcast(x.shape, y.shape), row_major(y.shape))),)


def _tiled(site: Site) -> KernelCall:
    """Tile by index tables, for repeats of more axes than strides can express."""
    x, y = site.given(0), site.outputs[0]
    sizes = zip(x.shape, y.shape, row_major(x.shape), strict=True)
    return table_call(y.shape, [np.arange(result) % extent * step for extent, result, step in sizes])


def _select_tile(site: Site) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    static(x, y)
    shape, steps = [], []
    for extent, result, step in zip(x.shape, y.shape, row_major(x.shape), strict=True):
        if extent == 0 or result % extent:
            raise Declined("the output is no multiple of the input")
        shape += [result // extent, extent]
        steps += [0, step]
    if len(merge(shape, steps)[0]) > RANK:
        return (_tiled(site),)
    return (copy_call(Input(0), Output(0), shape, (steps, row_major(shape))),)


KERNELS = (
    Kernel("transpose", ("Transpose",), _select_transpose),
    Kernel("depth_to_space", ("DepthToSpace",), _select_depth_to_space),
    Kernel("space_to_depth", ("SpaceToDepth",), _select_space_to_depth),
    Kernel("expand", ("Expand",), _select_expand),
    Kernel("tile", ("Tile",), _select_tile),
)
