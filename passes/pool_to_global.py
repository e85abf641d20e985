"""AveragePool whose window is the whole map -> GlobalAveragePool.

    AveragePool(x [N, C, H, W], kernel=(H, W), no pads)   ->   GlobalAveragePool(x)

Not with padding or an unknown size.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import shape_of
from edgeopt.ops.layer import pads_of
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    shape, kernel = shape_of(node.input(0)), node.integers("kernel_shape")
    if not node.is_op("AveragePool") or shape is None or shape[2:] != kernel:
        return False
    pads = pads_of(node, len(kernel))
    if pads is None or any(pads) or any(d != 1 for d in node.integers("dilations")):
        return context.decline(node, "it has pads or dilations")
    made = graph.make("GlobalAveragePool", [node.input(0)], [node.output.type], node, name=node.name)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


PASS = Pass("pool_to_global", rewrite, roots=("AveragePool",))
