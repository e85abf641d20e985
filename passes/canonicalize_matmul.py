"""MatMul by a constant matrix -> FusedGemm.

    y = MatMul(a [..., M, K], W [K, N])   ->   y = FusedGemm(a, W)

W may be a constant in few bits that a DequantizeLinear makes real. Not when the right side is computed or is not a matrix, when
the left side is a vector, or for integers.
"""

from edgeopt.ir import OWN_DOMAIN, Graph, Node
from edgeopt.ir.match import is_float, rank_of
from edgeopt.ops.qdq import kept_small
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op("MatMul"):
        return False
    rank = rank_of(node.input(0))
    if (node.constant(1) is None and not kept_small(node)) or rank_of(node.input(1)) != 2:
        return context.decline(node, "its right side is not a constant matrix")
    if rank is None or rank < 2:
        return context.decline(node, "its left side is a vector or of unknown rank")
    if not is_float(node.input(0)):
        return context.decline(node, "its element type is not floating-point")
    fused = graph.make("FusedGemm", node.inputs, [node.output.type], node, OWN_DOMAIN, node.name)
    graph.replace(node.output, fused.output)
    graph.erase(node)
    return True


PASS = Pass("canonicalize_matmul", rewrite, roots=("MatMul",))
