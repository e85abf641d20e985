"""Transpose that only moves axes of length one -> Reshape.

    Transpose(x [1, C, 1, 1], perm)   ->   Reshape(x, transposed shape)

The elements keep their order in memory, so it costs nothing and merges with other Reshapes. Not with unknown or empty axes.
"""

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import shape_of
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    shape = shape_of(node.input(0))
    if not node.is_op("Transpose") or shape is None or 0 in shape:
        return False
    perm = node.integers("perm", range(len(shape) - 1, -1, -1))
    moved = [axis for axis in perm if shape[axis] != 1]
    if moved != sorted(moved):
        return False
    target = graph.constant(f"{node.name}.shape", np.array([shape[axis] for axis in perm], np.int64))
    made = graph.make("Reshape", [node.input(0), target], [node.output.type], node, name=node.name)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


PASS = Pass("transpose_to_reshape", rewrite, roots=("Transpose",))
