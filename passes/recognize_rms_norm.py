"""Normalisation by the root of the mean square, spelled out -> RMSNormalization, of ai.edgeopt below opset 23.

    x / Sqrt(ReduceMean(x * x) + eps) [* scale]   ->   RMSNormalization(x, scale)

over the last axes (Zhang and Sennrich, Root Mean Square Layer Normalization, 2019). x * x may be Pow(x, 2); instead of dividing,
x may be multiplied by the Reciprocal, by 1 / Sqrt or by Pow(-0.5). A missing scale becomes ones. Not when an inner result has
other readers, or when the mean is over other axes.
"""

from __future__ import annotations

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Graph, Node, Value
from edgeopt.ir.match import constant_operand, dtype_of, integers, only_feeds, scalar, shape_of, sole_user
from edgeopt.rewrite import Context, Pass

STANDARD_SINCE = 23


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    sides = ((0, 1), (1, 0)) if node.is_op("Mul") else ((0, 1),) if node.is_op("Div") else ()
    for at, other in sides:
        x, shape = node.input(at), shape_of(node.output)
        shifted = _root(node, other)
        mean, epsilon = _shifted(shifted) if shifted is not None else (None, 0.0)
        if x is None or shape is None or mean is None or not _is_square(mean, x):
            continue
        axis = _axis(mean, len(shape))
        if axis is None or shape_of(x) != shape or dtype_of(x) != "float32":
            return context.decline(node, "its mean is not over the last axes, or it is not float32")
        return _emit(graph, node, x, axis, epsilon)
    return False


def _only(node: Node, index: int, *ops: str) -> Node | None:
    """The node of one of ``ops`` that computes input ``index`` for ``node`` alone."""
    value = node.input(index)
    below = value.producer if value is not None else None
    return below if below is not None and below.is_op(*ops) and only_feeds(below, node) else None


def _root(node: Node, index: int) -> Node | None:
    """The node of whose result ``node`` divides by the root."""
    if node.op == "Div":
        root = _only(node, index, "Sqrt")
        return _only(root, 0, "Add") if root is not None else None
    below = _only(node, index, "Reciprocal", "Div", "Pow")
    if below is None:
        return None
    if below.op == "Pow":
        return _only(below, 0, "Add") if scalar(below, 1) == -0.5 else None
    if below.op == "Div" and scalar(below, 0) != 1.0:
        return None
    root = _only(below, 1 if below.op == "Div" else 0, "Sqrt")
    return _only(root, 0, "Add") if root is not None else None


def _shifted(add: Node) -> tuple[Node | None, float]:
    """The mean and the epsilon that ``add`` adds."""
    operands = constant_operand(add)
    epsilon = scalar(add, operands[1]) if operands is not None else None
    mean = _only(add, operands[0], "ReduceMean") if operands is not None else None
    return (mean, epsilon) if epsilon is not None else (None, 0.0)


def _is_square(mean: Node, x: Value) -> bool:
    square = _only(mean, 0, "Mul", "Pow")
    if square is None or square.input(0) is not x:
        return False
    return scalar(square, 1) == 2.0 if square.op == "Pow" else square.input(1) is x


def _axis(mean: Node, rank: int) -> int | None:
    axes = integers(mean, 1, "axes")
    if not axes or not mean.integer("keepdims", 1):
        return None
    counted = sorted(a % rank for a in axes)
    return counted[0] if counted == list(range(counted[0], rank)) else None


def _emit(graph: Graph, node: Node, x: Value, axis: int, epsilon: float) -> bool:
    assert node.output.type is not None
    kept = node.output.type.dims[axis:]
    last, user = node, sole_user(node.output)
    operands = constant_operand(user) if user is not None and user.is_op("Mul") else None
    scale = user.inputs[operands[1]] if user is not None and operands is not None else None
    if user is not None and scale is not None and shape_of(scale) == kept:
        last = user
    else:
        scale = graph.constant(f"{node.name}.scale", np.ones(kept, np.float32))
    domain = "" if graph.root.opset >= STANDARD_SINCE else OWN_DOMAIN
    attributes = {"axis": axis, "epsilon": epsilon}
    made = graph.make("RMSNormalization", [x, scale], [node.output.type], last, domain, node.name, attributes)
    graph.replace(last.output, made.output)
    for dead in dict.fromkeys((last, node)):
        graph.erase(dead)
    return True


PASS = Pass("recognize_rms_norm", rewrite, roots=("Div", "Mul"))
