"""Sliding windows: the geometry of convolutions and pools over one to three spatial dimensions, and its index arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeopt.ir import Node
from edgeopt.kernels.call import Declined
from edgeopt.kernels.emit.intrinsics import inline

Three = tuple[int, int, int]


@dataclass(frozen=True)
class Window:
    """Geometry padded to three spatial dimensions (depth, height, width); ``begin`` and ``end`` are the paddings."""

    source: Three
    result: Three
    kernel: Three
    strides: Three
    dilations: Three
    begin: Three
    end: Three

    @property
    def constants(self) -> tuple[int, ...]:
        """Source, result, kernel, strides, dilations and leading paddings: 18 numbers."""
        return (*self.source, *self.result, *self.kernel, *self.strides, *self.dilations, *self.begin)


def three(values: Sequence[int], fill: int) -> Three:
    """``values`` with ``fill`` in front up to length three. Raises Declined for more."""
    if not 1 <= len(values) <= 3:
        raise Declined(f"{len(values)} spatial dimensions")
    padded = (fill, fill, *values)[-3:] if len(values) < 3 else tuple(values)
    return padded[0], padded[1], padded[2]


def paddings(node: Node, source: Sequence[int], result: Sequence[int], kernel: Sequence[int]) -> tuple[list[int], list[int]]:
    """Leading and trailing paddings of ``node``, with ``auto_pad`` resolved as ONNX does."""
    rank, mode = len(kernel), node.text("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        strides, dilations = node.integers("strides", [1] * rank), node.integers("dilations", [1] * rank)
        spans = [(r - 1) * s + (k - 1) * d + 1 for r, s, k, d in zip(result, strides, kernel, dilations, strict=True)]
        totals = [max(span - x, 0) for span, x in zip(spans, source, strict=True)]
        begin = [(t + (mode == "SAME_LOWER")) // 2 for t in totals]
        return begin, [t - b for t, b in zip(totals, begin, strict=True)]
    pads = node.integers("pads", [0] * 2 * rank) if mode == "NOTSET" else (0,) * 2 * rank
    return list(pads[:rank]), list(pads[rank:])


def window(node: Node, source: Sequence[int], result: Sequence[int], kernel: Sequence[int]) -> Window:
    """The Window of a convolution or pool from its attributes and the spatial shapes. Raises Declined."""
    rank = len(kernel)
    begin, end = paddings(node, source, result, kernel)
    strides, dilations = node.integers("strides", [1] * rank), node.integers("dilations", [1] * rank)
    extents = (three(source, 1), three(result, 1), three(kernel, 1))
    return Window(*extents, three(strides, 1), three(dilations, 1), three(begin, 0), three(end, 0))


@inline
def first_place(tap: Any, stride: Any) -> Any:
    """The first output position whose source position ``stride * position + tap`` is not negative."""
    return -(tap // stride) if tap < 0 else 0


@inline
def last_place(tap: Any, stride: Any, source: Any, result: Any) -> Any:
    """One past the last output position whose source position ``stride * position + tap`` is below ``source``."""
    return min(result, (source - 1 - tap) // stride + 1) if tap < source else 0


@inline
def first_tap(start: Any, dilation: Any) -> Any:
    """The first tap whose source position ``start + tap * dilation`` is not negative."""
    return -(start // dilation) if start < 0 else 0


@inline
def last_tap(start: Any, dilation: Any, source: Any, kernel: Any) -> Any:
    """One past the last tap whose source position ``start + tap * dilation`` is below ``source``."""
    return min(kernel, (source - 1 - start) // dilation + 1) if start < source else 0
