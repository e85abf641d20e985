"""Transposed convolution as its phases: outputs a stride apart are an ordinary convolution of the input, with some of the taps.

Output p reads input i by tap k where i stride + k dilation - pad = p. With p = q stride + r the taps of phase r are those for
which r + pad - k dilation is a multiple of the stride, and i = q + (r + pad - k dilation) / stride.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from edgeopt.ir import Node


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
