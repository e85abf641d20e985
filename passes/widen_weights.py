"""A quantised weight of a float layer -> the float32 constant that it stands for.

    Fused(x, DequantizeLinear(W'), b)   ->   Fused(x, W, b)          also for weights kept in half precision behind a Cast

For code generation of networks whose weights alone are quantised: kernels want constants, and the numbers are the same.
Not when the input of the layer is quantised too: that becomes an integer operator.
"""

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node
from edgeopt.ops import evaluate
from edgeopt.ops.qdq import dequantized
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(1)
    source = value.producer if value is not None else None
    if not node.is_own("FusedConv", "FusedGemm") or source is None or not source.is_op("DequantizeLinear", "Cast"):
        return False
    if dequantized(node.input(0)) is not None:
        return context.decline(node, "its input is quantised too")
    if any(v is not None and not v.is_constant for v in source.inputs):
        return context.decline(node, "its weight is computed at run time")
    try:
        (array,) = evaluate(source, [None if v is None else v.array for v in source.inputs])
    except EdgeoptError as error:
        return context.decline(node, str(error))
    node.set_input(1, graph.constant(f"{node.name}.weight", array))
    if not source.output.uses:
        graph.erase(source)
    return True


PASS = Pass("widen_weights", rewrite, roots=("FusedConv", "FusedGemm"))
