"""Pools: windows that reach into the input, and the extents of the result."""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands, Shape
from edgeopt.ops.contracts.windows import Geometry, geometry, results


def pool(operands: Operands) -> None:
    """AveragePool, MaxPool, LpPool, and QuantAveragePool on codes."""
    x, node, kernel = operands.shape(0), operands.node, operands.node.integers("kernel_shape")
    operands.rank(0, 3)
    operands.need(len(kernel) == len(x) - 2, f"kernel_shape is {list(kernel)}, {operands.label(0)} has shape {list(x)}")
    operands.need(node.integer("p", 2) > 0, f"the power p is {node.integer('p', 2)}")
    found = geometry(operands, kernel)
    widest = [max(pair) for pair in zip(found.begin, found.end, strict=True)]
    good = all(pad < span for pad, span in zip(widest, found.spans, strict=True))
    operands.need(good, f"the pads {[*found.begin, *found.end]} hold whole windows of {found.spans}")
    ceiling = bool(node.integer("ceil_mode", 0))
    extents = results(operands, found, x[2:], ceiling)
    others = [_inside(found, x[2:], extents)] if ceiling else []
    for index in range(len(node.outputs)):
        operands.yields((*x[:2], *extents), index, others=[(*x[:2], *other) for other in others])


def _inside(found: Geometry, source: Shape, extents: Shape) -> Shape:
    """``extents`` without a last window that begins beyond the padded input, as ONNX counts from opset 22 on."""
    places = zip(extents, found.strides, source, found.begin, strict=True)
    return tuple(max(y - int((y - 1) * s >= x + b), 0) for y, s, x, b in places)


def global_pool(operands: Operands) -> None:
    """One number for each map, which must hold something."""
    x = operands.shape(0)
    operands.rank(0, 3)
    operands.need(0 not in x[2:] or 0 in x[:2], f"{operands.label(0)} has shape {list(x)}, whose maps are empty")
    operands.yields((*x[:2], *(1,) * (len(x) - 2)))


RULES = {
    **dict.fromkeys(("AveragePool", "MaxPool", "LpPool"), pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"), global_pool),
}
