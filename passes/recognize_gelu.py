"""x / 2 * (1 + erf(x / sqrt(2))) -> Gelu, of ai.edgeopt below opset 20.

    the product of 0.5, x and Add(Erf(x * sqrt(0.5)), 1), in any order and grouping   ->   Gelu(x)

Not when the constants differ or an inner result has other readers.
"""

import math

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import only_feeds, scalar
from edgeopt.ops.products import close, product_of, split_gate
from edgeopt.ops.recognition import replace_by_activation
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op("Mul", "Div"):
        return False
    product = product_of(node)
    found = split_gate(product, "Add")
    if found is None or not close(product.number, 0.5):
        return False
    x, add = found
    erf = _erf(add)
    argument = erf.inputs[0].producer if erf is not None and erf.inputs[0] is not None else None
    if erf is None or argument is None or not argument.is_op("Mul", "Div") or not only_feeds(argument, erf):
        return False
    scaled = product_of(argument)
    if scaled.tensors != [x] or not close(scaled.number, math.sqrt(0.5)):
        return context.decline(node, "the argument of erf is not x / sqrt(2)")
    return replace_by_activation(graph, node, "Gelu", x)


def _erf(add: Node) -> Node | None:
    """The Erf in Add(Erf(...), 1), when the Add alone reads it."""
    for index in (0, 1):
        value = add.input(index)
        inner = value.producer if value is not None else None
        if inner is not None and inner.is_op("Erf") and only_feeds(inner, add) and scalar(add, 1 - index) == 1.0:
            return inner
    return None


PASS = Pass("recognize_gelu", rewrite, roots=("Mul", "Div"))
