"""Reshape to a matrix and back around a softmax of the last axis -> nothing.

    Reshape(Softmax(Reshape(x [..., K], [M, K]), axis=-1), [..., K])   ->   Softmax(x, axis=-1)

Models from before opset 13 are full of them. Not when the shape does not come back, when the softmax has other readers, or goes
over another axis.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import readers, shape_of, sole_user
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    softmax = value.producer if value is not None and node.is_op("Reshape") else None
    middle = softmax.input(0) if softmax is not None and softmax.is_op("Softmax", "LogSoftmax") else None
    reshape = middle.producer if middle is not None else None
    if value is None or softmax is None or reshape is None or not reshape.is_op("Reshape"):
        return False
    before, matrix, after = shape_of(reshape.input(0)), shape_of(middle), shape_of(node.output)
    if not before or not matrix or before != after or before[-1] != matrix[-1]:
        return context.decline(node, "the shape does not come back")
    if softmax.integer("axis", -1) % len(matrix) != len(matrix) - 1:
        return context.decline(node, "the softmax goes over another axis")
    if sole_user(value) is not node:
        return context.decline(node, readers(value))
    made = graph.make(softmax.op, [reshape.input(0)], [node.output.type], node, name=softmax.name, attributes={"axis": -1})
    graph.replace(node.output, made.output)
    graph.erase(node)
    graph.erase(softmax)
    return True


PASS = Pass("reshape_around_softmax", rewrite, roots=("Reshape",))
