"""PRelu with one constant slope -> LeakyRelu, which fuses.

    PRelu(x, s)   ->   LeakyRelu(x, alpha = s)

Exact. Not for a computed slope, slopes that differ, or an element type whose slope float32 cannot hold.
"""

from __future__ import annotations

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import dtype_of
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    slope = node.constant(1)
    if not node.is_op("PRelu") or slope is None or not slope.size:
        return False
    if dtype_of(node.output) not in ("float32", "float16") or (slope != slope.reshape(-1)[0]).any():
        return context.decline(node, "its slopes differ, or are not float32 or float16")
    alpha = {"alpha": float(slope.reshape(-1)[0])}
    made = graph.make("LeakyRelu", [node.input(0)], [node.output.type], node, name=node.name, attributes=alpha)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


PASS = Pass("prelu_to_leaky_relu", rewrite, roots=("PRelu",))
