"""Split of which one part is read -> Slice.

    _, b, _ = Split(x, axis)   ->   b = Slice(x, axis, where b lies)

Not when several parts are read or the shapes are unknown.
"""

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import shape_of
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op("Split"):
        return False
    read = [i for i, o in enumerate(node.outputs) if o.uses or graph.is_output(o)]
    if len(read) != 1:
        return False
    shapes = [shape_of(o) for o in node.outputs]
    if any(s is None for s in shapes):
        return context.decline(node, "the shapes of its parts are unknown")
    known = [s for s in shapes if s is not None]
    axis, part = node.integer("axis", 0) % len(known[0]), node.outputs[read[0]]
    start = sum(s[axis] for s in known[: read[0]])
    bounds = (start, start + known[read[0]][axis], axis, 1)
    constants = [graph.constant(f"{node.name}.slice", np.array([b], np.int64)) for b in bounds]
    made = graph.make("Slice", [node.input(0), *constants], [part.type], node, name=node.name)
    graph.replace(part, made.output)
    graph.erase(node)
    return True


PASS = Pass("split_to_slice", rewrite, roots=("Split",))
