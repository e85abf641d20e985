"""Integer convolution of a plain map of one or two channels into the blocked layout: four neighbouring pixels make a step.

In blocks of four channels most of every step would be padding. Here steps lie along the rows of a copy with a border of zero
points; kernels whose width is no multiple of four end with weights of zero. Weights are packed in the order channel, kernel row,
four kernel columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.ir import Array, Node, TensorType
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Layout, Site, Temporary, Tensor
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.integer.quant_dot import dot_form
from edgeopt.kernels.integer.quant_operands import RESIDUAL, WEIGHT, centred, flipped, require_bytes, require_result, x_zero
from edgeopt.kernels.integer.quant_walk import Reading, walk_product
from edgeopt.kernels.walk.micro import Loop
from edgeopt.kernels.walk.plane_window import PlaneWindow, plane_window

STEP = 4
MOST_CHANNELS = 2  # chosen by hand
FEWEST_COLUMNS = 3  # of a window; chosen by hand


def suits(node: Node) -> bool:
    """True for a convolution whose steps are better taken along rows than along channels."""
    weight = node.input(WEIGHT)
    if not node.is_own("QuantConv") or weight is None or weight.type is None or not weight.type.static:
        return False
    shape = weight.type.dims
    plain = node.integer("group", 1) == 1 and node.integers("dilations", (1, 1)) == (1, 1) and node.input(RESIDUAL) is None
    return len(shape) == 4 and shape[1] <= MOST_CHANNELS and shape[3] >= FEWEST_COLUMNS and plain


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a QuantConv node: the copy with a border, and the product. Raises Declined for other forms."""
    x, y, target = site.given(0), site.outputs[0], site.target
    require_bytes(x)
    require_result(y)
    if not suits(site.node) or x.layout.block or not y.layout.block or y.layout.block % target.lanes:
        raise Declined("it is no convolution of one or two plain channels into a blocked map")
    weight = centred(site, 0)
    window = plane_window(site.node, weight.shape[2:])
    words = _order(weight)
    rows, columns = _extent(site, window, STEP * -(-weight.shape[3] // STEP))
    dtype = "int16" if dot_form(target) == "words" else x.type.dtype
    image = Tensor(TensorType(dtype, (*x.shape[:2], rows, columns)), Layout(1))  # blocks of one: as it lies plain
    copy = Temporary("bordered", image.elements, dtype=dtype)
    loops = (Loop(x.shape[1], image.plane), Loop(window.kernel[0], columns))
    steps = tuple(range(0, words.shape[1] * STEP // (x.shape[1] * window.kernel[0]), STEP))
    reading = Reading(image, _inside(window), words, loops, steps, (y.shape[2], y.shape[3]))
    constants = (*x.shape[2:], rows, columns, *window.halo[:2], x_zero(site.node))
    border = KernelCall(_border, (Input(0), copy), constants, x.shape[0] * x.shape[1])
    return border, walk_product(site, reading, weight, copy, 1, flipped(site)).call()


def _extent(site: Site, window: PlaneWindow, width: int) -> tuple[int, int]:
    """Rows and columns of the copy: all that windows of ``width`` columns touch."""
    x, y = site.given(0).shape, site.outputs[0].shape
    top, left, bottom, right = window.halo
    return top + x[2] + bottom, max(left + x[3] + right, (y[3] - 1) * window.strides[1] + width)


def _inside(window: PlaneWindow) -> PlaneWindow:
    none = (0, 0, 0, 0)
    return PlaneWindow(window.kernel, window.strides, window.dilations, none, none)


def _order(weight: Array) -> Array:
    """Weights [O, C, h, w] as ``[O][k / 4][4]``."""
    outputs, width = weight.shape[0], weight.shape[3]
    padded = np.pad(weight, [(0, 0), (0, 0), (0, 0), (0, -width % STEP)])
    return padded.reshape(outputs, -1, STEP)


def _border(
    x: Any, y: Any, begin: int, end: int, h: int, w: int, rows: int, columns: int, top: int, left: int, zero: int
) -> None:
    for plane in range(begin, end):
        made = offset(y, plane * rows * columns)
        for j in range(rows * columns):
            made[j] = zero
        for i in range(h):
            source, line = offset(x, (plane * h + i) * w), offset(made, (top + i) * columns + left)
            for j in range(w):
                line[j] = source[j]


KERNEL = Kernel("quant_stem", ("QuantConv",), select, layout="stem", hot=True)
