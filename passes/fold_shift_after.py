"""A constant addend per channel after a convolution or matrix product -> into its bias.

    (W x + b) + t   ->   W x + (b + t)        also y - t; and t - y as (-W) x + (t - b)

Not when the product has other readers, an activation or a residual, or when the addend varies along another axis.
"""

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import channel_vector, constant_operand, rank_of, readers, sole_user
from edgeopt.ops.layer import channel_axis, is_linear, is_plain, output_channels, scaled_output, set_weights, shifted_output
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    operands = constant_operand(node) if node.is_op("Add", "Sub") else None
    if operands is None:
        return False
    value, addend = node.inputs[operands[0]], node.constant(operands[1])
    linear = value.producer if value is not None else None
    rank = rank_of(value)
    if value is None or linear is None or addend is None or rank is None or not is_linear(linear):
        return False
    if sole_user(value) is not node or not is_plain(linear):
        return context.decline(node, f"{readers(value)}, or its producer has an activation or a residual")
    vector = channel_vector(addend, rank, channel_axis(linear), output_channels(linear))
    if vector is None:
        return context.decline(node, "its addend varies along an axis other than the channels")
    if node.op == "Sub" and operands[1] == 0:
        set_weights(linear, *scaled_output(linear, -np.ones(len(vector))))
    sign = -1.0 if node.op == "Sub" and operands[1] == 1 else 1.0
    set_weights(linear, None, shifted_output(linear, sign * vector.astype(np.float64)))
    graph.replace(node.output, value)
    graph.erase(node)
    return True


PASS = Pass("fold_shift_after", rewrite, roots=("Add", "Sub"))
