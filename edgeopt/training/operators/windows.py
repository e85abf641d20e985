"""How windows lie on the spatial axes of a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeopt.ir import Node


@dataclass(frozen=True)
class Windows:
    """For each spatial axis: size of the window, stride, dilation and pads in front and behind."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    def outputs(self, sizes: Sequence[int]) -> list[int]:
        """The number of windows along each axis of a map of ``sizes``."""
        return [
            (n + sum(p) - self.extent(i)) // self.strides[i] + 1 for i, (n, p) in enumerate(zip(sizes, self.pads, strict=True))
        ]

    def extent(self, axis: int) -> int:
        """What a window spans along ``axis``."""
        return (self.kernel[axis] - 1) * self.dilations[axis] + 1


def windows_of(node: Node, sizes: Sequence[int], kernel: Sequence[int]) -> Windows:
    """The windows of ``node`` over a map of ``sizes``; with ``ceil_mode`` the pads behind reach as far as the last window."""
    rank = len(sizes)
    strides, dilations = node.integers("strides", [1] * rank), node.integers("dilations", [1] * rank)
    found = node.integers("pads", [0] * 2 * rank)
    mode = node.text("auto_pad", "NOTSET")
    pads = []
    for axis, size in enumerate(sizes):
        extent, stride = (kernel[axis] - 1) * dilations[axis] + 1, strides[axis]
        begin, end = (found[axis], found[axis + rank]) if mode == "NOTSET" else _automatic(mode, size, extent, stride)
        if node.integer("ceil_mode", 0) and (over := (size + begin + end - extent) % stride):
            starts_inside = size + begin + end - extent - over + stride < size + begin
            end += stride - over if starts_inside else 0
        pads.append((begin, end))
    return Windows(tuple(kernel), strides, dilations, tuple(pads))


def _automatic(mode: str, size: int, extent: int, stride: int) -> tuple[int, int]:
    total = max(0, (-(-size // stride) - 1) * stride + extent - size) if mode != "VALID" else 0
    return (total - total // 2, total // 2) if mode == "SAME_LOWER" else (total // 2, total - total // 2)
