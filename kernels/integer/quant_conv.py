"""Integer convolution in the blocked layout: 1x1, 3x3, strided, dilated, grouped; residual and clip included.

Groups are whole blocks, or merged to whole blocks.
An implicit matrix product with steps of four channels. Weights are packed ``[group][k / 4][vector][lane][4]``, k in the order
block of inputs, kernel row, kernel column, channel. The last group of vectors is moved back to end with the channels.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import gcd

import numpy as np

from edgeopt.ir import Array, Node
from edgeopt.kernels.call import Declined, Kernel, KernelCall, Prepared, Site, Tensor
from edgeopt.kernels.conv.merged_groups import groups_together, merged
from edgeopt.kernels.integer.quant_dot import as_multiplied
from edgeopt.kernels.integer.quant_operands import RESIDUAL, WEIGHT, centred, require_result, tile_flips, tile_site, x_zero
from edgeopt.kernels.integer.quant_walk import Reading, is_flat, walk_product
from edgeopt.kernels.walk.micro import Loop
from edgeopt.kernels.walk.plane_window import Halo, PlaneWindow, halo_of, plane_window


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantConv node. Raises Declined for layouts, types and groups it cannot walk."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a QuantConv node. Raises Declined as ``select``."""
    site = tile_site(site, 0)
    x, y, residual, target = site.given(0), site.outputs[0], site.optional(RESIDUAL), site.target
    weight, group, block = centred(site, 0), site.node.integer("group", 1), x.layout.block
    require_result(y)
    if not block or y.layout.block % target.lanes or not y.layout.block:
        raise Declined("its operands do not lie blocked")
    if residual is not None and residual.layout.block != y.layout.block:
        raise Declined("its residual does not lie blocked")
    together = groups_together(group, weight.shape[1], weight.shape[0] // group, max(block, y.layout.block))
    arrange = partial(_arrange, group=group, together=together, block=block)
    weight, group = merged(weight, group, together), group // together
    window = plane_window(site.node, weight.shape[2:])
    if any(window.halo) and x.layout.fill != x_zero(site.node):
        raise Declined("the border of its input does not hold its zero point")
    flat = is_flat(window, x, y, residual)
    size = (1, y.shape[2] * y.shape[3]) if flat else (y.shape[2], y.shape[3])
    loops, steps = loops_of(x, window, weight.shape[1])
    copies, source = as_multiplied(target, x)
    reading = Reading(x, window, in_order(weight, block), loops, steps, size, arrange)
    return replace(walk_product(site, reading, weight, source, group, tile_flips(site)), before=tuple(copies))


def loops_of(x: Tensor, window: PlaneWindow, channels: int) -> tuple[tuple[Loop, ...], tuple[int, ...]]:
    """The loops over the codes of a window of ``channels`` channels, outermost first, and the steps of the innermost."""
    block = x.layout.block
    blocks, words = -(-channels // block), block // 4
    left = -(-(channels - (blocks - 1) * block) // 4)
    body = gcd(words, left) if blocks > 1 else left
    loops = [Loop(blocks, x.plane * block), Loop(window.kernel[0], x.row * window.dilations[0] * block)]
    # columns are never unrolled: neighbouring taps share broadcasts, which would be spilled
    loops.append(Loop(window.kernel[1], window.dilations[1] * block))
    if blocks > 1:
        loops.append(Loop(words // body, 4 * body, left // body if left < words else 0))
    return tuple(loops), tuple(4 * i for i in range(body))


def _arrange(weight: Array, group: int, together: int, block: int) -> Array:
    return in_order(merged(weight, group, together), block)


def in_order(weight: Array, block: int) -> Array:
    """Weights [O, I, h, w] as ``[O][k / 4][4]``, k in the order of the walk; the last block of inputs is cut to whole words."""
    outputs, inputs, height, width = weight.shape
    blocks = -(-inputs // block)
    full = np.zeros((outputs, blocks * block, height, width), weight.dtype)
    full[:, :inputs] = weight
    order = full.reshape(outputs, blocks, block, height, width).transpose(0, 1, 3, 4, 2)
    kept = -(-(inputs - (blocks - 1) * block) // 4) * 4
    head, tail = order[:, :-1].reshape(outputs, -1), order[:, -1, :, :, :kept].reshape(outputs, -1)
    return np.concatenate([head, tail], axis=1).reshape(outputs, -1, 4)


def halo(node: Node) -> Halo:
    """The border a convolution needs around its input; none where it declines."""
    return halo_of(node, WEIGHT, 2)


KERNEL = Kernel("quant_conv", ("QuantConv",), select, layout="blocked", hot=True, halo=halo, fill=x_zero)
