"""Shape and Size of a tensor of static shape -> constants.

    s = Shape(x){start, end}   ->   constant dims(x)[start:end]        n = Size(x)   ->   constant product of dims(x)

x itself may be computed. Not when a dimension is unknown.
"""

import math

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import shape_of
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op("Shape", "Size"):
        return False
    shape = shape_of(node.input(0))
    if shape is None:
        return context.decline(node, "the shape of its input is not static")
    part = shape[node.integer("start", 0) : node.integer("end", len(shape))]
    array = np.array(part if node.op == "Shape" else math.prod(shape), np.int64)
    graph.replace(node.output, graph.constant(node.output.name, array))
    graph.erase(node)
    return True


PASS = Pass("fold_shape", rewrite, roots=("Shape", "Size"))
