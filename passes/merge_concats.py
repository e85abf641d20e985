"""Concat of a Concat along the same axis -> one Concat.

    Concat(a, Concat(b, c), d)   ->   Concat(a, b, c, d)

Not when the inner one has other readers (its copy would be made twice) or joins another axis.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import only_feeds, rank_of, readers
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    rank = rank_of(node.output)
    if not node.is_op("Concat") or not rank:
        return False
    axis = node.integer("axis", 0) % rank
    for position, value in enumerate(node.inputs):
        inner = value.producer if value is not None else None
        if value is None or inner is None or not inner.is_op("Concat") or inner.integer("axis", 0) % rank != axis:
            continue
        if not only_feeds(inner, node):
            context.decline(node, readers(value))
            continue
        inputs = [*node.inputs[:position], *inner.inputs, *node.inputs[position + 1 :]]
        made = graph.make("Concat", inputs, [node.output.type], node, name=node.name, attributes={"axis": axis})
        graph.replace(node.output, made.output)
        graph.erase(node)
        graph.erase(inner)
        return True
    return False


PASS = Pass("merge_concats", rewrite, roots=("Concat",))
