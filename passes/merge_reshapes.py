"""Reshape of a Reshape -> one Reshape.

    Reshape(Reshape(x, s), t)   ->   Reshape(x, t)        t constant and free of 0 and -1

The first Reshape stays for its other readers. Not when t is computed or copies an axis from its input.
"""

from edgeopt.ir import Graph, Node
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value, shape = node.input(0), node.constant(1)
    first = value.producer if value is not None else None
    if not node.is_op("Reshape") or first is None or not first.is_op("Reshape"):
        return False
    if shape is None or (shape <= 0).any():
        return context.decline(node, "its shape is computed or copies an axis")
    node.set_input(0, first.input(0))
    if not first.output.uses and first.graph is graph and not graph.is_output(first.output):
        graph.erase(first)
    return True


PASS = Pass("merge_reshapes", rewrite, roots=("Reshape",))
