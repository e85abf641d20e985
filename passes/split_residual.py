"""The residual of a convolution or matrix product -> an Add of its own.

    Fused(x, W, b, r){act}   ->   act(Fused(x, W, b) + r)

For export of quantised graphs only, before grids are chosen: other runtimes round both sides of a sum, and leave a convolution in
float whose result is added unrounded. Not for an activation that Add has no standard form for, besides Relu and Clip.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Graph, Node
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_own("FusedConv", "FusedGemm") or node.input(3) is None:
        return False
    kind = node.text("activation", "")
    if kind not in ("", "Relu", "Clip"):
        return context.decline(node, f"its activation is {kind}")
    plain = {k: v for k, v in node.attributes.items() if k not in ("activation", "alpha", "beta")}
    inputs = [node.input(i) for i in range(3)]
    product = graph.make(node.op, inputs, [node.output.type], node, OWN_DOMAIN, node.name, plain)
    last = graph.make("Add", [product.output, node.input(3)], [node.output.type], node, name=f"{node.name}.sum")
    if kind:
        bounds = [graph.constant(f"{node.name}.{k}", np.array(node.real(k, 0.0), np.float32)) for k in ("alpha", "beta")]
        last = graph.make(
            kind, [last.output, *(bounds if kind == "Clip" else [])], [node.output.type], node, name=f"{node.name}.act"
        )
    graph.replace(node.output, last.output)
    graph.erase(node)
    return True


PASS = Pass("split_residual", rewrite, roots=("FusedConv", "FusedGemm"))
