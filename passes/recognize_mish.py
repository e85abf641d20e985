"""x * tanh(softplus(x)) -> Mish, of ai.edgeopt below opset 18.

    Mul(x, Tanh(Softplus(x)))   ->   Mish(x)

Not when an inner result has other readers.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import only_feeds
from edgeopt.ops.products import product_of, split_gate
from edgeopt.ops.recognition import replace_by_activation
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op("Mul"):
        return False
    product = product_of(node)
    found = split_gate(product, "Tanh")
    inner = found[1].input(0) if found is not None else None
    softplus = inner.producer if inner is not None else None
    if found is None or product.number != 1.0 or softplus is None or not softplus.is_op("Softplus"):
        return False
    if softplus.input(0) is not found[0] or not only_feeds(softplus, found[1]):
        return context.decline(node, "its softplus is of another tensor or has other readers")
    return replace_by_activation(graph, node, "Mish", found[0])


PASS = Pass("recognize_mish", rewrite, roots=("Mul",))
