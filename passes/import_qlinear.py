"""Operators of the older integer form -> the integer operators.

    QLinearConv(x, w, b)   ->   QuantConv(x, w, b)           QLinearMatMul(x, w)   ->   QuantGemm(x, w)

The inputs are the same in another order. Not when a weight is computed. ConvInteger and MatMulInteger stay: their result is a sum
that has no grid yet. What onnxruntime adds to this family is read into the integer operators by the import.
"""

from collections.abc import Callable

from edgeopt.ir import OWN_DOMAIN, Attribute, Graph, Node, TensorType, Value
from edgeopt.ir.match import dtype_of
from edgeopt.ops import infer
from edgeopt.ops.fused import CONV_ATTRIBUTES
from edgeopt.rewrite import Context, Pass

Inputs = list[Value | None]
Rule = Callable[[Node], Inputs | str]


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op(*RULES):
        return False
    op, rule, kept = RULES[node.op]
    inputs = rule(node)
    if isinstance(inputs, str):
        return context.decline(node, inputs)
    attributes: dict[str, Attribute] = {k: v for k, v in node.attributes.items() if k in kept}
    made = graph.make(op, inputs, [node.output.type], node, OWN_DOMAIN, node.name, attributes)
    (found,) = infer(made)
    made.output.type = found or made.output.type or TensorType(dtype_of(node.inputs[-1]))
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


def _conv(node: Node) -> Inputs | str:
    if node.constant(3) is None:
        return "its weight is computed at run time"
    return [*node.inputs[:6], node.input(8), node.input(6), node.input(7)]


def _matmul(node: Node) -> Inputs | str:
    weight = node.constant(3)
    if weight is None or weight.ndim != 2:
        return "its right side is not a constant matrix"
    return [*node.inputs[:6], None, *node.inputs[6:8]]


RULES: dict[str, tuple[str, Rule, tuple[str, ...]]] = {
    "QLinearConv": ("QuantConv", _conv, CONV_ATTRIBUTES),
    "QLinearMatMul": ("QuantGemm", _matmul, ()),
}
PASS = Pass("import_qlinear", rewrite, roots=tuple(RULES))
