"""Taps of a convolution that meet nothing but padding -> none: wide dilations on small maps leave the middle of their windows.

    Conv(x [16, 16], W [3, 3], dilations=24, pads=24)   ->   Conv(x, W [1, 1])

Not when the taps that are left would begin or end inside the map, which takes a crop.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import shape_of
from edgeopt.ops.layer import pads_of, set_weights
from edgeopt.rewrite import Context, Pass


@dataclass(frozen=True)
class _Axis:
    """One axis of a window: ``first`` to ``last`` of ``taps`` meet the map, ``before`` and ``after`` pad it then."""

    taps: int
    first: int
    last: int
    before: int
    after: int


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    axes = _axes(node) if node.is_own("FusedConv") else []
    if all(axis.first == 0 and axis.last == axis.taps - 1 for axis in axes):
        return False
    if any(axis.before < 0 or axis.after < 0 for axis in axes):
        return context.decline(node, "the taps that meet its map do not reach over all of it")
    weight = node.constant(1)
    assert weight is not None
    kept = weight[(slice(None), slice(None), *(slice(axis.first, axis.last + 1) for axis in axes))]
    dilations = node.integers("dilations", (1,) * len(axes))
    node.attributes.pop("auto_pad", None)
    node.attributes["kernel_shape"] = tuple(kept.shape[2:])
    node.attributes["dilations"] = tuple(d if taps > 1 else 1 for d, taps in zip(dilations, kept.shape[2:], strict=True))
    node.attributes["pads"] = (*(axis.before for axis in axes), *(axis.after for axis in axes))
    set_weights(node, kept, None)
    return True


def _axes(node: Node) -> list[_Axis]:
    """The axes of the window; none where sizes are not known."""
    weight, x, y = node.constant(1), shape_of(node.input(0)), shape_of(node.output)
    if weight is None or x is None or y is None:
        return []
    rank = weight.ndim - 2
    pads, strides, dilations = pads_of(node, rank), node.integers("strides", (1,) * rank), node.integers("dilations", (1,) * rank)
    if pads is None or any(not isinstance(size, int) for size in (*x[2:], *y[2:])):
        return []
    sizes = zip(x[2:], y[2:], weight.shape[2:], strides, dilations, pads[:rank], pads[rank:], strict=True)
    return [_axis(*size) for size in sizes]


def _axis(size: int, made: int, taps: int, stride: int, dilation: int, before: int, after: int) -> _Axis:
    """Tap i meets places i * dilation - before + o * stride for o below ``made``; a window that meets no map is left alone."""
    far = stride * (made - 1)
    met = [i for i in range(taps) if i * dilation - before < size and i * dilation - before + far >= 0]
    if not met:
        return _Axis(taps, 0, taps - 1, before, after)
    return _Axis(taps, met[0], met[-1], before - met[0] * dilation, after - (taps - 1 - met[-1]) * dilation)


PASS = Pass("drop_padding_taps", rewrite, roots=("FusedConv",))
