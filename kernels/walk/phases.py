"""Transposed convolution as its phases: outputs a stride apart are an ordinary convolution of the input, with some of the taps.

Output p reads input i by tap k where i stride + k dilation - pad = p. With p = q stride + r the taps of phase r are those for
which r + pad - k dilation is a multiple of the stride, and i = q + (r + pad - k dilation) / stride.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd

import numpy as np

from edgeopt.ir import Array, Node
from edgeopt.kernels.call import Declined, Tensor
from edgeopt.kernels.walk.plane_window import Halo


@dataclass(frozen=True)
class Phase:
    """The ``count`` outputs first, first + stride, ... of one axis.

    Output q reads the inputs q + start, q + start + step, ... by ``taps``, which may be none.
    """

    first: int
    count: int
    taps: tuple[int, ...]
    start: int
    step: int

    @property
    def last(self) -> int:
        """The last input that is read."""
        return self.count - 1 + self.start + max(0, len(self.taps) - 1) * self.step


Pair = tuple[Phase, Phase]


@dataclass(frozen=True)
class Form:
    """What the phases of one call have in common: taps and outputs (each vertical, horizontal) and the distance of taps."""

    taps: tuple[int, int]
    size: tuple[int, int]
    steps: tuple[int, int]


def axis_phases(result: int, kernel: int, stride: int, dilation: int, pad: int) -> tuple[Phase, ...]:
    """The phases of an axis with ``result`` outputs."""
    found = []
    for first in range(min(stride, result)):
        taps = [k for k in reversed(range(kernel)) if (first + pad - k * dilation) % stride == 0]
        start = (first + pad - taps[0] * dilation) // stride if taps else 0
        found.append(Phase(first, -(-(result - first) // stride), tuple(taps), start, dilation // gcd(dilation, stride)))
    return tuple(found)


def transposed_pads(node: Node, source: Sequence[int], result: Sequence[int], kernel: Sequence[int]) -> list[int]:
    """The pads before each spatial axis of a ConvTranspose, from its attributes and spatial shapes."""
    rank = len(kernel)
    strides, dilations = node.integers("strides", [1] * rank), node.integers("dilations", [1] * rank)
    begin, mode = list(node.integers("pads", [0] * 2 * rank))[:rank], node.text("auto_pad", "NOTSET")
    if node.integers("output_shape") or mode in ("SAME_UPPER", "SAME_LOWER"):
        extra = node.integers("output_padding", [0] * rank)
        sizes = zip(strides, source, extra, kernel, dilations, result, strict=True)
        totals = [max(s * (x - 1) + p + (k - 1) * d + 1 - y, 0) for s, x, p, k, d, y in sizes]
        return [t // 2 if mode == "SAME_UPPER" else t - t // 2 for t in totals]
    return [0] * rank if mode == "VALID" else begin


def plane_phases(node: Node, weight: int) -> list[Pair]:
    """The phases of both axes of a node whose weight is input ``weight``.

    Raises Declined when its window is not two-dimensional or a shape is not static.
    """
    types = [v.type if v is not None else None for v in (node.input(0), node.input(weight), node.output)]
    shapes = [t.dims[2:] for t in types if t is not None and t.static]
    if len(shapes) < 3 or any(len(s) != 2 for s in shapes):
        raise Declined("its window is not two-dimensional, or a shape is not static")
    source, kernel, result = shapes
    strides, dilations = node.integers("strides", (1, 1)), node.integers("dilations", (1, 1))
    pads = transposed_pads(node, source, result, kernel)
    rows, columns = (axis_phases(*axis) for axis in zip(result, kernel, strides, dilations, pads, strict=True))
    return list(product(rows, columns))


def by_form(pairs: Sequence[Pair]) -> dict[Form, list[Pair]]:
    """The phases of one form together; one without taps along an axis has none at all."""
    forms: dict[Form, list[Pair]] = {}
    for rows, columns in pairs:
        taps = (len(rows.taps), len(columns.taps))
        form = Form(taps if all(taps) else (0, 0), (rows.count, columns.count), (rows.step, columns.step))
        forms.setdefault(form, []).append((rows, columns))
    return forms


def phase_halo(node: Node, weight: int) -> Halo:
    """The border that the phases read around the input; none where ``plane_phases`` declines."""
    try:
        pairs = [pair for pair in plane_phases(node, weight) if all(phase.taps for phase in pair)]
    except Declined:
        return 0, 0, 0, 0
    source = node.input(0)
    if source is None or source.type is None:
        return 0, 0, 0, 0
    height, width = source.type.dims[2:]
    before = [max([0, *(-pair[axis].start for pair in pairs)]) for axis in (0, 1)]
    behind = [max([0, *(pair[axis].last - size + 1 for pair in pairs)]) for axis, size in ((0, height), (1, width))]
    return before[0], before[1], behind[0], behind[1]


def phase_weights(weight: Array, group: int, pair: Pair | None) -> Array:
    """The taps of a phase (None: all) as the weights [M, C / group, h, w] of a convolution, from weights [C, M / group, h, w]."""
    taken = weight if pair is None else weight[:, :, pair[0].taps][:, :, :, pair[1].taps]
    split = taken.reshape(group, -1, *taken.shape[1:]).swapaxes(1, 2)
    return split.reshape(-1, *split.shape[2:])


def phase_starts(x: Tensor, y: Tensor, pairs: Sequence[Pair]) -> Array:
    """For each phase the elements from the storage of x and of y, which lie blocked, to where its walk starts."""
    sources = [(x.origin + rows.start * x.row + columns.start) * x.layout.block for rows, columns in pairs]
    made = [(y.origin + rows.first * y.row + columns.first) * y.layout.block for rows, columns in pairs]
    return np.array([sources, made], np.int64).T
