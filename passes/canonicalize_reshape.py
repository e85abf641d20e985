"""Any operator that only renames axes -> Reshape to a constant shape.

    Flatten, Squeeze, Unsqueeze, Reshape with 0, -1 or a computed shape   ->   Reshape(x, dims of the result)

Not when the shape of the result is unknown or has an empty axis (0 means "copy" there).
"""

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import shape_of
from edgeopt.rewrite import Context, Pass

RENAMING = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op(*RENAMING):
        return False
    shape, given = shape_of(node.output), node.constant(1)
    if shape is None or 0 in shape:
        return context.decline(node, "the shape of its result is unknown or has an empty axis")
    if node.op == "Reshape" and given is not None and tuple(given.tolist()) == shape:
        return False
    target = graph.constant(f"{node.name}.shape", np.array(shape, np.int64))
    made = graph.make("Reshape", [node.input(0), target], [node.output.type], node, name=node.name)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


PASS = Pass("canonicalize_reshape", rewrite, roots=RENAMING)
