"""A constant factor per channel after a convolution or matrix product -> into its weight and bias.

    (W x + b) * s   ->   (s W) x + s b        and division by s as multiplication by 1 / s, taken in float64

Not when the product has other readers, an activation or a residual, when the factor varies along another axis, or when the new
weight is not finite.
"""

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import channel_vector, constant_operand, rank_of, readers, sole_user
from edgeopt.ops.layer import channel_axis, is_linear, is_plain, output_channels, scaled_output, set_weights
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    operands = constant_operand(node) if node.is_op("Mul", "Div") else None
    if operands is None or (node.op == "Div" and operands[1] == 0):
        return False
    value, factor = node.inputs[operands[0]], node.constant(operands[1])
    linear = value.producer if value is not None else None
    rank = rank_of(value)
    if value is None or linear is None or factor is None or rank is None or not is_linear(linear):
        return False
    if sole_user(value) is not node or not is_plain(linear):
        return context.decline(node, f"{readers(value)}, or its producer has an activation or a residual")
    vector = channel_vector(factor, rank, channel_axis(linear), output_channels(linear))
    if vector is None:
        return context.decline(node, "its factor varies along an axis other than the channels")
    with np.errstate(all="ignore"):
        scale = vector.astype(np.float64) if node.op == "Mul" else 1.0 / vector.astype(np.float64)
        weight, bias = scaled_output(linear, scale)
    if not np.isfinite(weight).all() or (bias is not None and not np.isfinite(bias).all()):
        return context.decline(node, "the scaled weight is not finite")
    set_weights(linear, weight, bias)
    graph.replace(node.output, value)
    graph.erase(node)
    return True


PASS = Pass("fold_scale_after", rewrite, roots=("Mul", "Div"))
