"""A constant addend per channel before an unpadded convolution or a matrix product -> into its bias.

    W (x + t) + b   ->   W x + (b + W t)        summed over the kernel's taps; also x - t

Not with padding, where border pixels see fewer taps; not for ConvTranspose, whose borders do as well; not when the shifted
tensor has other readers or the addend varies along another axis.
"""

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import channel_vector, constant_operand, rank_of, readers, same_type, sole_user
from edgeopt.ops.layer import channel_axis, input_channels, is_linear, is_unpadded, set_weights, shifted_input
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    operands = constant_operand(node) if node.is_op("Add", "Sub") else None
    linear = node.output.uses[0][0] if node.output.uses else None
    if operands is None or (node.op == "Sub" and operands[1] == 0) or linear is None or not is_linear(linear):
        return False
    value, addend, rank = node.inputs[operands[0]], node.constant(operands[1]), rank_of(node.output)
    if addend is None or rank is None or value is None or not same_type(value, node.output):
        return False
    if sole_user(node.output) is not linear or linear.inputs[0] is not node.output:
        return context.decline(node, readers(node.output))
    if linear.is_op("ConvTranspose") or not is_unpadded(linear):
        return context.decline(node, f"{linear!r} has borders where fewer taps count")
    vector = channel_vector(addend, rank, channel_axis(linear), input_channels(linear))
    if vector is None:
        return context.decline(node, "its addend varies along an axis other than the channels")
    shift = vector.astype(np.float64) * (-1.0 if node.op == "Sub" else 1.0)
    set_weights(linear, None, shifted_input(linear, shift))
    linear.set_input(0, value)
    graph.erase(node)
    return True


PASS = Pass("fold_shift_before", rewrite, roots=("Add", "Sub"))
