"""Rounding around an operator that only moves elements -> the operator on codes.

    Q(move(DQ(x)))   ->   move(x)               same grid on both sides
    Q(DQ(x))         ->   x                     same grid

for Reshape, Transpose, Slice, MaxPool, Concat, Pad by zero, and Identity; MaxPool since rounding is monotonic. A Relu between
unsigned codes whose zero point is the lowest code moves nothing. Not when the grids differ, when the result is read as float, or
for codes that ONNX does not define the operator for: of 16 bits for MaxPool, of 4 bits for Slice and Concat.
"""

import numpy as np

from edgeopt.ir import Graph, Node, Value
from edgeopt.ir.match import dtype_of
from edgeopt.ops.contracts.types import takes
from edgeopt.ops.qdq import dequantized, quantizing_user, same_grid
from edgeopt.rewrite import Context, Pass

MOVERS = (
    "Reshape",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Transpose",
    "Slice",
    "Concat",
    "MaxPool",
    "Pad",
    "DepthToSpace",
    "SpaceToDepth",
)
ROOTS = (*MOVERS, "QuantizeLinear")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if node.is_op("QuantizeLinear"):
        return _cancel(graph, node)
    if not node.is_op(*MOVERS):
        return False
    count = len(node.inputs) if node.is_op("Concat") else 1
    sources = [dequantized(v) for v in node.inputs[:count]]
    if any(s is None for s in sources):
        return False
    end = quantizing_user(node.output)
    if end is None or len(node.outputs) > 1:
        return context.decline(node, "its result is read as float")
    if not all(s is not None and same_grid(s, end) for s in sources):
        return context.decline(node, "its input and its result lie on different grids")
    inputs: list[Value | None] = [s.input(0) if s is not None else None for s in sources]
    rest = list(node.inputs[count:])
    if not takes(node, dtype_of(end.output)):
        return context.decline(node, f"the operator takes no {dtype_of(end.output)}")
    if node.is_op("Pad"):
        value = node.constant(2)
        if node.text("mode", "constant") == "constant" and value is not None and np.any(value != 0):
            return context.decline(node, "it pads with another value than zero")
        rest = [node.input(1), _zero(graph, end), *node.inputs[3:]]
    made = graph.make(node.op, [*inputs, *rest], [end.output.type], end, name=node.name, attributes=node.attributes)
    graph.replace(end.output, made.output)
    graph.erase(end)
    graph.erase(node)
    return True


def _zero(graph: Graph, end: Node) -> Value:
    """The zero point as a scalar."""
    zero = end.constant(2)
    assert zero is not None
    return graph.constant(f"{end.name}.fill", zero.reshape(()), dtype_of(end.input(2)))


def _cancel(graph: Graph, node: Node) -> bool:
    source = dequantized(node.input(0))
    if source is None or not same_grid(source, node) or source.input(0) is None:
        return False
    codes = source.input(0)
    assert codes is not None
    graph.replace(node.output, codes)
    graph.erase(node)
    return True


PASS = Pass("move_qdq", rewrite, roots=ROOTS)
