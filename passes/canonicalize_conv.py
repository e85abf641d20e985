"""Conv -> FusedConv.

    y = Conv(x, W, b)   ->   y = FusedConv(x, W, b)

The operator that later passes fuse into. Its body starts with the same Conv, so nothing is computed differently.
The weight may be a constant in few bits that a DequantizeLinear makes real.
Not when weight or bias is computed at run time, or the tensors are not floating-point.
"""

from edgeopt.ir import OWN_DOMAIN, Graph, Node
from edgeopt.ir.match import is_float
from edgeopt.ops.fused import CONV_ATTRIBUTES
from edgeopt.ops.qdq import kept_small
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op("Conv"):
        return False
    if not is_float(node.input(0)):
        return context.decline(node, "its element type is not floating-point")
    if (node.constant(1) is None and not kept_small(node)) or (node.input(2) is not None and node.constant(2) is None):
        return context.decline(node, "its weight or bias is computed at run time")
    attributes = {k: v for k, v in node.attributes.items() if k in CONV_ATTRIBUTES}
    fused = graph.make("FusedConv", node.inputs, [node.output.type], node, OWN_DOMAIN, node.name, attributes)
    graph.replace(node.output, fused.output)
    graph.erase(node)
    return True


PASS = Pass("canonicalize_conv", rewrite, roots=("Conv",))
