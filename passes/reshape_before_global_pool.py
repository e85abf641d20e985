"""Reshape of the map before a global pooling -> nothing, or a Reshape of its small result.

    Global*Pool(Reshape(x [N, C, H, W], [N, C, ...]))   ->   Reshape(Global*Pool(x), [N, C, 1, ...])

Pooling over everything does not see how the map is arranged. Not when batch or channels change, shapes are unknown, or x is a
sequence [N, C, L], which pools want as a map.
"""

import numpy as np

from edgeopt.ir import Graph, Node, TensorType
from edgeopt.ir.match import shape_of
from edgeopt.rewrite import Context, Pass

POOLS = ("GlobalAveragePool", "GlobalMaxPool")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    reshape = value.producer if value is not None else None
    if not node.is_op(*POOLS) or value is None or value.type is None or reshape is None or not reshape.is_op("Reshape"):
        return False
    before, after = shape_of(reshape.input(0)), shape_of(value)
    if before is None or after is None or len(before) < 4 or before[:2] != after[:2]:
        return context.decline(
            node, "the Reshape before it changes batch or channels, or is of a sequence, or shapes are unknown"
        )
    pooled = TensorType(value.type.dtype, (*before[:2], *[1] * (len(before) - 2)))
    result = graph.make(node.op, [reshape.input(0)], [pooled], node, name=node.name).output
    if len(before) != len(after):
        target = graph.constant(f"{node.name}.shape", np.array([*after[:2], *[1] * (len(after) - 2)], np.int64))
        result = graph.make("Reshape", [result, target], [node.output.type], node, name=f"{node.name}.reshape").output
    graph.replace(node.output, result)
    graph.erase(node)
    return True


PASS = Pass("reshape_before_global_pool", rewrite, roots=POOLS)
