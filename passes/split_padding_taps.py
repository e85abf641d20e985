"""Taps of a wide dilated convolution that meet padding at most outputs -> convolutions of the parts of the map they do meet.

    FusedConv(x [16, 16], W [3, 3], b, dilations=12, pads=12)
      ->   FusedConv(x, W[1], b, r)      r = Pad(FusedConv(x[:4], W[0])) + Pad(FusedConv(x[12:], W[2]))      rows; columns alike

Exact up to rounding: a sum over taps in another order, without those that are multiplied by zeros. One axis in a call. Runs last,
when no technique looks for the layer any more. Not where less than a third of the products meets padding, where a sum over a
few channels takes no longer than adding maps, in groups, for computed weights or other types than float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Attribute, Graph, Node, TensorType, Value
from edgeopt.ir.match import dtype_of, shape_of
from edgeopt.ops.layer import is_linear, pads_of, weight
from edgeopt.rewrite import Context, Pass

LEAST_SHARE = 1 / 3  # of the products, which has to meet padding
LEAST_PRODUCTS = 256  # saved for an output, below which adding maps takes as long; chosen by hand


@dataclass(frozen=True)
class _Part:
    """Taps ``first`` to ``last`` of an axis, which the outputs ``begin`` to ``end`` meet in the map's ``start`` to ``stop``."""

    first: int
    last: int
    begin: int
    end: int
    start: int
    stop: int


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_own("FusedConv") or not is_linear(node) or node.integer("group", 1) != 1 or dtype_of(node.output) != "float32":
        return False
    made = shape_of(node.output)
    split = next(((axis, parts) for axis in range(weight(node).ndim - 2) if (parts := _parts(node, axis))), None)
    if split is None or made is None:
        return False
    axis, parts = split
    whole = next((part for part in parts if part.end - part.begin == made[axis + 2]), None)
    if whole is None:
        return context.decline(node, "no tap meets the map at every output")
    added = [node.input(3)] if node.input(3) is not None else []
    added += [_spread(graph, node, axis, _convolved(graph, node, axis, part, ()), part) for part in parts if part is not whole]
    total = added[0]
    for value in added[1:]:
        total = graph.make("Add", [total, value], [node.output.type], node).output
    graph.replace(node.output, _convolved(graph, node, axis, whole, (node.input(2), total)))
    graph.erase(node)
    return True


def _parts(node: Node, axis: int) -> list[_Part]:
    """Taps next to each other that the same outputs meet; none where padding does not take enough of the products."""
    x, y, w = shape_of(node.input(0)), shape_of(node.output), weight(node)
    spatial = w.ndim - 2
    pads, taps = pads_of(node, spatial), w.shape[axis + 2]
    if x is None or y is None or pads is None or taps == 1:
        return []
    size, made, before = x[axis + 2], y[axis + 2], pads[axis]
    stride, dilation = (node.integers(name, (1,) * spatial)[axis] for name in ("strides", "dilations"))
    met = [_outputs(tap * dilation - before, stride, size, made) for tap in range(taps)]
    saved = sum(made - len(outputs) for outputs in met)
    if saved < LEAST_SHARE * taps * made or saved * w[0].size < LEAST_PRODUCTS * taps * made or not all(met):
        return []
    found = []
    for outputs, alike in groupby(range(taps), lambda tap: met[tap]):
        same = list(alike)
        start, stop = (tap * dilation - before + at * stride for tap, at in ((same[0], outputs.start), (same[-1], outputs[-1])))
        found.append(_Part(same[0], same[-1], outputs.start, outputs.stop, start, stop + 1))
    return found


def _outputs(offset: int, stride: int, size: int, made: int) -> range:
    """Those that read inside of ``size`` places at ``offset`` + output * ``stride``."""
    return range(min(made, max(0, -(offset // stride))), min(made, max(0, (size - 1 - offset) // stride + 1)))


def _convolved(graph: Graph, node: Node, axis: int, part: _Part, others: Sequence[Value | None]) -> Value:
    """The convolution of the taps of ``part`` with what they meet, unpadded; the activation belongs to that with ``others``."""
    w, spatial = weight(node), weight(node).ndim - 2
    pads = list(pads_of(node, spatial) or ())
    pads[axis] = pads[axis + spatial] = 0
    cut = w[(slice(None),) * (axis + 2) + (slice(part.first, part.last + 1),)]
    attributes: dict[str, Attribute] = {**node.attributes, "pads": tuple(pads), "kernel_shape": tuple(cut.shape[2:])}
    attributes.pop("auto_pad", None)
    if not others:
        kept = ("pads", "kernel_shape", "strides", "dilations", "group")
        attributes = {name: value for name, value in attributes.items() if name in kept}
    inputs = [_cut(graph, node, axis, part), graph.constant(f"{node.name}.weight", cut), *others]
    dims = list(shape_of(node.output) or ())
    dims[axis + 2] = part.end - part.begin
    made = graph.make("FusedConv", inputs, [TensorType("float32", tuple(dims))], node, OWN_DOMAIN, node.name, attributes)
    return made.output


def _cut(graph: Graph, node: Node, axis: int, part: _Part) -> Value:
    """The part of the input along the axis."""
    x = node.input(0)
    assert x is not None
    dims = list(shape_of(x) or ())
    if (part.start, part.stop) == (0, dims[axis + 2]):
        return x
    dims[axis + 2] = part.stop - part.start
    bounds = [graph.constant(f"{node.name}.bound", np.array([at], np.int64)) for at in (part.start, part.stop, axis + 2)]
    return graph.make("Slice", [x, *bounds], [TensorType("float32", tuple(dims))], node).output


def _spread(graph: Graph, node: Node, axis: int, value: Value, part: _Part) -> Value:
    """``value`` with zeros at the outputs that the part does not meet."""
    dims = shape_of(node.output) or ()
    pads = np.zeros((2, len(dims)), np.int64)
    pads[:, axis + 2] = part.begin, dims[axis + 2] - part.end
    return graph.make("Pad", [value, graph.constant(f"{node.name}.pads", pads.reshape(-1))], [node.output.type], node).output


PASS = Pass("split_padding_taps", rewrite, roots=("FusedConv",))
