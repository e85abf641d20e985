"""Layer normalisation spelled out -> LayerNormalization, of ai.edgeopt below opset 17.

    d = x - ReduceMean(x);  d / Sqrt(ReduceMean(d * d) + eps) [* scale [+ bias]]   ->   LayerNormalization(x, scale, bias)

over the last axes; d * d may be Pow(d, 2). A missing scale becomes ones. Not when an inner result has other readers, when the
means are over other axes, or when scale or bias are not of the normalised shape.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Graph, Node, TensorType, Value
from edgeopt.ir.match import constant_operand, dtype_of, integers, only_feeds, scalar, shape_of, sole_user
from edgeopt.rewrite import Context, Pass

STANDARD_SINCE = 17


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    deviation, centred = _computed(node, 1, "Sqrt"), _computed(node, 0, "Sub")
    if not node.is_op("Div") or deviation is None or centred is None:
        return False
    x, shape, dtype = centred.input(0), shape_of(node.output), dtype_of(node.output)
    variance, epsilon = _variance(deviation)
    mean = _computed(centred, 1, "ReduceMean")
    if x is None or shape is None or variance is None or mean is None or mean.input(0) is not x or dtype != "float32":
        return context.decline(node, "it does not divide by the deviation of its own mean, or is not float32")
    axis = _axis(mean, len(shape))
    if axis is None or axis != _axis(variance, len(shape)) or not _is_square(variance, centred.output):
        return context.decline(node, "its means are not over the same last axes, or not of d and d * d")
    if set(centred.output.users) - {node, _square(variance)} or graph.is_output(centred.output):
        return context.decline(node, "the centred tensor has other readers")
    _emit(graph, node, x, axis, epsilon)
    return True


def _computed(node: Node, index: int, op: str) -> Node | None:
    value = node.input(index)
    producer = value.producer if value is not None else None
    return producer if producer is not None and producer.is_op(op) else None


def _variance(deviation: Node) -> tuple[Node | None, float]:
    """The ReduceMean and epsilon in Sqrt(ReduceMean(...) + epsilon)."""
    add = _computed(deviation, 0, "Add")
    operands = constant_operand(add) if add is not None and only_feeds(add, deviation) else None
    if add is None or operands is None:
        return None, 0.0
    epsilon, mean = scalar(add, operands[1]), _computed(add, operands[0], "ReduceMean")
    return (mean, epsilon) if epsilon is not None and only_feeds(mean, add) else (None, 0.0)


def _axis(mean: Node, rank: int) -> int | None:
    axes = integers(mean, 1, "axes")
    if not axes or not mean.integer("keepdims", 1):
        return None
    counted = sorted(a % rank for a in axes)
    return counted[0] if counted == list(range(counted[0], rank)) else None


def _square(variance: Node) -> Node | None:
    square = _computed(variance, 0, "Mul") or _computed(variance, 0, "Pow")
    return square if only_feeds(square, variance) else None


def _is_square(variance: Node, centred: Value) -> bool:
    square = _square(variance)
    if square is None or square.input(0) is not centred:
        return False
    return scalar(square, 1) == 2.0 if square.op == "Pow" else square.input(1) is centred


def _emit(graph: Graph, node: Node, x: Value, axis: int, epsilon: float) -> None:
    assert node.output.type is not None
    normal: TensorType = node.output.type
    scaled, scale = _affine(node, "Mul", normal.dims[axis:])
    last, bias = _affine(scaled, "Add", normal.dims[axis:]) if scale is not None else (node, None)
    ones = np.ones(normal.dims[axis:], np.float32)
    inputs = [x, scale or graph.constant(f"{node.name}.scale", ones), *([bias] if bias is not None else [])]
    domain = "" if graph.root.opset >= STANDARD_SINCE else OWN_DOMAIN
    attributes = {"axis": axis, "epsilon": epsilon}
    made = graph.make("LayerNormalization", inputs, [normal], last, domain, node.name, attributes)
    graph.replace(last.output, made.output)
    for dead in dict.fromkeys((last, scaled, node)):
        graph.erase(dead)


def _affine(node: Node, op: str, shape: tuple[int, ...]) -> tuple[Node, Value | None]:
    """The node ``op`` that alone reads ``node`` with a constant of ``shape``, and that constant; else ``node`` and None."""
    user = sole_user(node.output)
    operands = constant_operand(user) if user is not None and user.is_op(op) else None
    if user is None or operands is None:
        return node, None
    value = user.inputs[operands[1]]
    return (user, value) if shape_of(value) == shape else (node, None)


PASS = Pass("recognize_layer_norm", rewrite, roots=("Div",))
