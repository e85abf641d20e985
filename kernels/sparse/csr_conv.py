"""SparseConv of single nonzeros over plain maps: strided, dilated, grouped; all ends of FusedConv.

Each nonzero is multiplied with many neighbouring positions at once. See ``csr_planes`` for where they lie, ``csr_bands`` for
what of them is walked at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Prepared, Site, Temporary
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.sparse.csr_bands import Extent, extent_of
from edgeopt.kernels.sparse.csr_copy import copier
from edgeopt.kernels.sparse.csr_entries import pack, turns_of
from edgeopt.kernels.sparse.csr_planes import ALIGNED, plain_map
from edgeopt.kernels.sparse.csr_tile import CsrTile, csr_function, kept_floats
from edgeopt.kernels.sparse.dense_site import block_of, dense_site
from edgeopt.kernels.walk.plane_window import plane_window
from edgeopt.target import Target

RESIDUAL = 3
ROLES = ("x", "weights", "offsets", "starts", "bias", "residual", "y", "planes")


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a SparseConv. Raises Declined for blocks, and for shapes it cannot walk."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a SparseConv. Raises Declined as ``select``."""
    if block_of(site) != (1, 1):
        raise Declined("its blocks are no single elements")
    site = dense_site(site)
    x, y, weight, target = site.given(0), site.outputs[0], site.constant(1), site.target
    window = plane_window(site.node, weight.shape[2:])
    if x.layout.block or y.layout.block or 0 in y.shape:
        raise Declined("its operands do not lie plain")
    made, group = plain_map(x, y, window), site.node.integer("group", 1)
    line = target.lanes if target.lanes >= ALIGNED else 1  # shorter vectors lie within a line often enough as they are
    turns = turns_of(made, weight[0, 0].size, line)
    extent = extent_of(target, made, turns, weight, group, x.shape[0])
    planes, added = extent.planes, site.optional(RESIDUAL) is not None
    pitch, end = planes.columns if made.flat else made.pitch, activation_of(site.node)
    tile = CsrTile(extent.vectors, planes.rows, planes.columns, pitch, turns, extent.together, added, end)
    entries = pack(weight, group, planes, line, extent.together)
    bias = site.constant(2) if site.optional(2) is not None else np.zeros(weight.shape[0], np.float32)
    stored = (Packed(array) for array in (entries.values, entries.offsets, entries.starts, bias))
    sums = extent.span * kept_floats(tile, target.lanes) if extent.bands > 1 else 0
    memory = Temporary("planes", planes.elements + sums, per_thread=True)
    operands = (Input(0), *stored, Input(RESIDUAL) if added else Output(), Output(), memory)
    function, chunks = _function(target, tile, extent, x.shape[:2], weight.shape[0])
    return Prepared(function, dict(zip(ROLES, operands, strict=True)), chunks)


def _function(
    target: Target, tile: CsrTile, extent: Extent, shape: tuple[int, ...], outputs: int
) -> tuple[Callable[..., None], int]:
    """The kernel ``(x, v, o, s, b, r, y, t, begin, end)``, and its chunks: some outputs of one tile of one image."""
    planes, (images, inputs), bands, span, groups = extent.planes, shape, extent.bands, extent.span, len(tile.turns)
    begin_band, band_between, end_band = (
        csr_function(target, replace(tile, begins=begins, ends=ends))
        for begins, ends in ((True, bands == 1), (False, False), (False, True))
    )
    copy, channels, kept = copier(target, planes), planes.channels, kept_floats(tile, target.lanes) if bands > 1 else 0
    (total, width), (height, row) = planes.map.result, planes.map.source
    total, size, step = (width, planes.columns, 1) if planes.map.flat else (total, planes.rows, width)
    plane, area, behind = total * step, height * row, planes.elements
    tiles, spans, final = planes.tiles, -(-outputs // span), total - size

    def multiply(x: Any, v: Any, o: Any, s: Any, b: Any, r: Any, y: Any, t: Any, begin: int, end: int) -> None:
        sums = offset(t, behind)
        for chunk in range(begin, end):
            image, rest = chunk // (tiles * spans), chunk % (tiles * spans)
            first, output = rest // spans * size, rest % spans * span
            if first > final:
                first = final
            last = output + span if output + span < outputs else outputs
            for band in range(bands):
                channel = band * channels
                count = channels if channel + channels < inputs else inputs - channel
                copy(offset(x, (image * inputs + channel) * area), t, first, count)
                for c in range(output, last):
                    place, line = (image * outputs + c) * plane + first * step, band * outputs + c
                    vc, oc, bc = offset(v, s[line]), offset(o, s[line] + line * groups), offset(b, c)
                    rc, yc, tc = offset(r, place), offset(y, place), offset(sums, (c - output) * kept)
                    if band == 0:
                        begin_band(t, vc, oc, bc, rc, yc, tc)
                    elif band == bands - 1:
                        end_band(t, vc, oc, bc, rc, yc, tc)
                    else:
                        band_between(t, vc, oc, bc, rc, yc, tc)

    return multiply, images * tiles * spans


KERNEL = Kernel("csr_conv", ("SparseConv",), select)
