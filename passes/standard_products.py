"""FusedConv -> Conv, FusedGemm of a matrix -> Gemm, so that runtimes that fold rounding see the operators they know.

    FusedConv(x, W, b){act}                     ->   act(Conv(x, W, b))
    FusedGemm(x [M, K], W [K, N], b [N]){act}   ->   act(Gemm(x, W, b))

For export of quantised graphs only: onnxruntime and OpenVINO take DequantizeLinear around Gemm with its bias into one integer
operator, but leave the addition after a MatMul in float. Not for a residual, a batch of matrices, or an activation besides Relu
and Clip: those stay functions.
"""

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import rank_of
from edgeopt.ops.fused import CONV_ATTRIBUTES
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_own("FusedConv", "FusedGemm"):
        return False
    kind = node.text("activation", "")
    if node.input(3) is not None or kind not in ("", "Relu", "Clip"):
        return context.decline(node, "it has a residual, or an activation besides Relu and Clip")
    if node.op == "FusedGemm" and rank_of(node.input(0)) != 2:
        return context.decline(node, "it is a batch of matrices")
    attributes = {k: v for k, v in node.attributes.items() if k in CONV_ATTRIBUTES}
    op = "Conv" if node.op == "FusedConv" else "Gemm"
    inputs = [v for v in (node.input(i) for i in range(3)) if v is not None]
    product = graph.make(op, inputs, [node.output.type], node, name=node.name, attributes=attributes)
    product.metadata.update(node.metadata)
    last = product
    if kind:
        bounds = [graph.constant(f"{node.name}.{k}", np.array(node.real(k, 0.0), np.float32)) for k in ("alpha", "beta")]
        inputs = [product.output, *(bounds if kind == "Clip" else [])]
        last = graph.make(kind, inputs, [node.output.type], node, name=f"{node.name}.act")
    graph.replace(node.output, last.output)
    graph.erase(node)
    return True


PASS = Pass("standard_products", rewrite, roots=("FusedConv", "FusedGemm"))
