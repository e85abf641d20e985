"""A constant factor per channel before a convolution or matrix product -> into its weight.

    W (x * s)   ->   (W s) x        and division by s as multiplication by 1 / s, taken in float64

Padding is no obstacle: the pads are zero and 0 * s = 0. Not when the scaled tensor has other readers, when the factor varies
along another axis, or when the new weight is not finite.
"""

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import channel_vector, constant_operand, rank_of, readers, same_type, sole_user
from edgeopt.ops.layer import channel_axis, input_channels, is_linear, scaled_input, set_weights
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    operands = constant_operand(node) if node.is_op("Mul", "Div") else None
    linear = node.output.uses[0][0] if node.output.uses else None
    if operands is None or (node.op == "Div" and operands[1] == 0) or linear is None or not is_linear(linear):
        return False
    value, factor, rank = node.inputs[operands[0]], node.constant(operands[1]), rank_of(node.output)
    if factor is None or rank is None or value is None or not same_type(value, node.output):
        return False
    if sole_user(node.output) is not linear or linear.inputs[0] is not node.output:
        return context.decline(node, readers(node.output))
    vector = channel_vector(factor, rank, channel_axis(linear), input_channels(linear))
    if vector is None:
        return context.decline(node, "its factor varies along an axis other than the channels")
    with np.errstate(all="ignore"):
        scale = vector.astype(np.float64) if node.op == "Mul" else 1.0 / vector.astype(np.float64)
        weight = scaled_input(linear, scale)
    if not np.isfinite(weight).all():
        return context.decline(node, "the scaled weight is not finite")
    set_weights(linear, weight, None)
    linear.set_input(0, value)
    graph.erase(node)
    return True


PASS = Pass("fold_scale_before", rewrite, roots=("Mul", "Div"))
