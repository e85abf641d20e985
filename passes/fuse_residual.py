"""Add of a convolution's or matrix product's result and a tensor of the same shape -> its residual input.

    y = Fused(x, W, b) + r   ->   y = Fused(x, W, b, r)

A later activation then joins too. Not when the product has other readers, an activation or a residual, when the other side is
constant or broadcast, or for other types than float32 and float64.
"""

from edgeopt.ir import OWN_DOMAIN, Graph, Node, Value
from edgeopt.ir.match import dtype_of, readers, same_type, sole_user
from edgeopt.ops.layer import is_plain
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    left, right = node.input(0), node.input(1)
    if not node.is_op("Add") or left is None or right is None:
        return False
    sides = [(a, b) for a, b in ((left, right), (right, left)) if _is_product(a)]
    if not sides:
        return False
    if dtype_of(node.output) not in ("float32", "float64"):
        return context.decline(node, f"its element type is {dtype_of(node.output) or 'unknown'}")
    if not (same_type(left, node.output) and same_type(right, node.output)):
        return context.decline(node, "its inputs differ in shape")
    free = [(a, b) for a, b in sides if sole_user(a) is node and is_plain(_producer(a))]
    if not free:
        return context.decline(node, f"{readers(sides[0][0])}, or its producer has an activation or a residual")
    product, residual = max(free, key=lambda pair: graph.nodes.index(_producer(pair[0])))
    fused = _producer(product)
    inputs = [fused.input(0), fused.input(1), fused.input(2), residual]
    made = graph.make(fused.op, inputs, [node.output.type], node, OWN_DOMAIN, fused.name, fused.attributes)
    graph.replace(node.output, made.output)
    graph.erase(node)
    graph.erase(fused)
    return True


def _is_product(value: Value) -> bool:
    return value.producer is not None and value.producer.is_own("FusedConv", "FusedGemm")


def _producer(value: Value) -> Node:
    assert value.producer is not None
    return value.producer


PASS = Pass("fuse_residual", rewrite, roots=("Add",))
