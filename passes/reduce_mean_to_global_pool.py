"""ReduceMean over all spatial axes -> GlobalAveragePool.

    ReduceMean(x [N, C, H, W], axes=(2, 3))   ->   GlobalAveragePool(x), and a Reshape when keepdims = 0

Not for integers, computed axes or unknown shapes.
"""

import numpy as np

from edgeopt.ir import Graph, Node, TensorType
from edgeopt.ir.match import integers, is_float, positive_axes, shape_of
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    shape, axes = shape_of(value), integers(node, 1, "axes")
    if not node.is_op("ReduceMean") or shape is None or value is None or value.type is None or axes is None:
        return False
    if len(shape) < 3 or sorted(positive_axes(axes, len(shape))) != list(range(2, len(shape))):
        return False
    if not is_float(value):
        return context.decline(node, "its element type is not floating-point")
    pooled = TensorType(value.type.dtype, (*shape[:2], *[1] * (len(shape) - 2)))
    result = graph.make("GlobalAveragePool", [value], [pooled], node, name=node.name).output
    if not node.integer("keepdims", 1):
        target = graph.constant(f"{node.name}.shape", np.array(shape[:2], np.int64))
        result = graph.make("Reshape", [result, target], [node.output.type], node, name=f"{node.name}.reshape").output
    graph.replace(node.output, result)
    graph.erase(node)
    return True


PASS = Pass("reduce_mean_to_global_pool", rewrite, roots=("ReduceMean",))
