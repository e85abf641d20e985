"""x * HardSigmoid(x) and x * Clip(x + 3, 0, 6) / 6 -> HardSwish, of ai.edgeopt below opset 14.

    the product of x and HardSigmoid(x){alpha=1/6, beta=1/2}, or of 1/6, x and Clip(x + 3, 0, 6)   ->   HardSwish(x)

Not when the constants differ or an inner result has other readers.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import constant_operand, only_feeds, scalar
from edgeopt.ops.products import Product, close, product_of, split_gate
from edgeopt.ops.recognition import replace_by_activation
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op("Mul", "Div"):
        return False
    product = product_of(node)
    gate = split_gate(product, "HardSigmoid")
    if gate is not None and close(product.number, 1.0) and gate[1].input(0) is gate[0]:
        if close(gate[1].real("alpha", 0.2), 1 / 6) and close(gate[1].real("beta", 0.5), 0.5):
            return replace_by_activation(graph, node, "HardSwish", gate[0])
        return context.decline(node, "its hard sigmoid has another slope")
    if not close(product.number, 1 / 6):
        return False
    return _from_clip(graph, node, product)


def _from_clip(graph: Graph, node: Node, product: Product) -> bool:
    found = split_gate(product, "Clip")
    inner = found[1].input(0) if found is not None else None
    add = inner.producer if inner is not None else None
    if found is None or add is None or not add.is_op("Add") or not only_feeds(add, found[1]):
        return False
    operands = constant_operand(add)
    if operands is None or scalar(add, operands[1]) != 3.0 or add.inputs[operands[0]] is not found[0]:
        return False
    if (scalar(found[1], 1), scalar(found[1], 2)) != (0.0, 6.0):
        return False
    return replace_by_activation(graph, node, "HardSwish", found[0])


PASS = Pass("recognize_hard_swish", rewrite, roots=("Mul", "Div"))
