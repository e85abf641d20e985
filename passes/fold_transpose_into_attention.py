"""A Transpose before or after FusedAttention -> a permutation that it takes over.

    FusedAttention(Transpose(x), ...)   ->   FusedAttention(x, ...; q_order)
    Transpose(FusedAttention(...))      ->   FusedAttention(...; y_order)

Exact. Not when the elements of a query, a value or a row of the result would no longer lie side by side (those of a key may
follow each other key by key), or when the Transpose, or the attention before it, has other readers.
"""

from __future__ import annotations

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import only_feeds, rank_of, sole_user
from edgeopt.rewrite import Context, Pass

ORDERS = ("q_order", "k_order", "v_order")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    rank = rank_of(node.input(0))
    if not node.is_own("FusedAttention") or rank is None:
        return False
    return any(_operand(node, index, rank, context) for index in range(3)) or _result(graph, node, rank, context)


def _operand(node: Node, index: int, rank: int, context: Context) -> bool:
    value = node.input(index)
    turned = value.producer if value is not None else None
    if turned is None or not turned.is_op("Transpose") or not only_feeds(turned, node):
        return False
    perm = turned.integers("perm", tuple(range(rank)[::-1]))
    order = [perm[axis] for axis in node.integers(ORDERS[index], ()) or range(rank)]
    if rank - 1 not in order[-2 if index == 1 else -1 :]:
        return context.decline(node, f"the rows of {'QKV'[index]} would not lie together")
    node.set_input(index, turned.input(0))
    node.attributes[ORDERS[index]] = order
    return True


def _result(graph: Graph, node: Node, rank: int, context: Context) -> bool:
    turned = sole_user(node.output)
    if turned is None or not turned.is_op("Transpose"):
        return False
    made = node.integers("y_order", ()) or tuple(range(rank))
    order = [made[axis] for axis in turned.integers("perm", tuple(range(rank)[::-1]))]
    if order[-1] != rank - 1:
        return context.decline(node, "the rows of the result would not lie together")
    attributes = {**node.attributes, "y_order": order}
    again = graph.make("FusedAttention", node.inputs, [turned.output.type], turned, node.domain, node.name, attributes)
    graph.replace(turned.output, again.output)
    graph.erase(turned)
    graph.erase(node)
    return True


PASS = Pass("fold_transpose_into_attention", rewrite, roots=("FusedAttention",))
