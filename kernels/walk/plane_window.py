"""The sliding window of a two-dimensional convolution or pool over a blocked map, and the halo it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeopt.ir import Node
from edgeopt.kernels.call import Declined
from edgeopt.kernels.walk.window import paddings

Halo = tuple[int, int, int, int]


@dataclass(frozen=True)
class PlaneWindow:
    """Kernel extent, strides, dilations (each vertical, horizontal) and pads (top, left, bottom, right).

    ``halo`` is the border that the windows touch: it may be less than the pads, or more where a pool rounds its size up.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: Halo
    halo: Halo


def plane_window(node: Node, kernel: Sequence[int]) -> PlaneWindow:
    """The window of ``node`` with extent ``kernel``. Raises Declined when it is not two-dimensional or pads are negative."""
    source, result = (v.type.dims[2:] if v and v.type and v.type.static else () for v in (node.input(0), node.output))
    if len(kernel) != 2 or len(source) != 2 or len(result) != 2:
        raise Declined("its window is not two-dimensional, or a shape is not static")
    begin, end = paddings(node, source, result, kernel)
    strides, dilations = node.integers("strides", (1, 1)), node.integers("dilations", (1, 1))
    if min(*begin, *end) < 0:
        raise Declined("negative pads")
    spans = [(r - 1) * s + (k - 1) * d + 1 for r, s, k, d in zip(result, strides, kernel, dilations, strict=True)]
    over = [max(0, span - size - first) for span, size, first in zip(spans, source, begin, strict=True)]
    return PlaneWindow(
        kernel=(kernel[0], kernel[1]),
        strides=(strides[0], strides[1]),
        dilations=(dilations[0], dilations[1]),
        pads=(begin[0], begin[1], end[0], end[1]),
        halo=(begin[0], begin[1], over[0], over[1]),
    )


def conv_window(node: Node) -> PlaneWindow:
    """The window of a convolution node."""
    weight = node.input(1)
    if weight is None or weight.type is None or not weight.type.static:
        raise Declined("the shape of its weight is not static")
    return plane_window(node, weight.type.dims[2:])


def conv_halo(node: Node) -> Halo:
    """The zero border a convolution needs around its input; none where it declines."""
    return halo_of(node, 1, 2)


def halo_of(node: Node, weight: int, first: int) -> Halo:
    """The border around the input of ``node``, the extents of whose window are those of input ``weight`` from ``first`` on.

    None where its kernel declines the window.
    """
    value = node.input(weight)
    if value is None or value.type is None or not value.type.static:
        return 0, 0, 0, 0
    try:
        return plane_window(node, value.type.dims[first:]).halo
    except Declined:
        return 0, 0, 0, 0
