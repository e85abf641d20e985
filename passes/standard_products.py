"""FusedGemm of a matrix -> Gemm, so that runtimes that fold rounding see the operator they know.

    FusedGemm(x [M, K], W [K, N], b [N]){act}   ->   act(Gemm(x, W, b))

For export of quantised graphs only: onnxruntime and OpenVINO take DequantizeLinear around Gemm with its bias into one integer
operator, but leave the addition after a MatMul in float. Not for a residual, a batch of matrices, or an activation besides Relu.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import rank_of
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_own("FusedGemm"):
        return False
    if rank_of(node.input(0)) != 2 or node.input(3) is not None or node.text("activation", "") not in ("", "Relu"):
        return context.decline(node, "it has a residual, an activation besides Relu, or a batch of matrices")
    product = graph.make("Gemm", [node.input(0), node.input(1), node.input(2)], [node.output.type], node, name=node.name)
    last = product
    if node.text("activation", ""):
        last = graph.make("Relu", [product.output], [node.output.type], node, name=f"{node.name}.relu")
    graph.replace(node.output, last.output)
    graph.erase(node)
    return True


PASS = Pass("standard_products", rewrite, roots=("FusedGemm",))
