"""x * sigmoid(x) -> Swish, or Silu of ai.edgeopt below opset 24.

    Mul(x, Sigmoid(x))   ->   Silu(x)

Not when the sigmoid has other readers.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ops.products import product_of, split_gate
from edgeopt.ops.recognition import replace_by_activation
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op("Mul"):
        return False
    product = product_of(node)
    found = split_gate(product, "Sigmoid")
    if found is None or product.number != 1.0 or found[1].input(0) is not found[0]:
        return False
    return replace_by_activation(graph, node, "Silu", found[0])


PASS = Pass("recognize_silu", rewrite, roots=("Mul",))
