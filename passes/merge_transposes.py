"""Transpose of a Transpose -> one Transpose, or none.

    Transpose(Transpose(x, p), q)   ->   Transpose(x, p[q])        and x itself when p[q] is the identity

The first Transpose stays for its other readers. Always legal.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import rank_of
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    first = value.producer if value is not None else None
    source = first.input(0) if first is not None else None
    rank = rank_of(value)
    if not node.is_op("Transpose") or first is None or not first.is_op("Transpose") or source is None or rank is None:
        return False
    backwards = range(rank - 1, -1, -1)
    inner, outer = first.integers("perm", backwards), node.integers("perm", backwards)
    perm = tuple(inner[axis] for axis in outer)
    result = source
    if perm != tuple(range(rank)):
        made = graph.make("Transpose", [source], [node.output.type], node, name=node.name, attributes={"perm": perm})
        result = made.output
    graph.replace(node.output, result)
    graph.erase(node)
    if not first.output.uses and not graph.is_output(first.output) and first.graph is graph:
        graph.erase(first)
    return True


PASS = Pass("merge_transposes", rewrite, roots=("Transpose",))
