"""Channels in another order after a convolution -> its weight and bias in that order.

    Gather(act(Conv(x, W) + b), order)   ->   act(Conv(x, W[order]) + b[order])

Exact: each channel is computed as before. Not when the convolution has other readers, a residual or groups.
"""

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import channel_order, readers, sole_user
from edgeopt.ops.layer import is_linear, set_weights, weight
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value, order = node.input(0), channel_order(node)
    conv = value.producer if value is not None else None
    if value is None or conv is None or order is None or not conv.is_own("FusedConv") or not is_linear(conv):
        return False
    if sole_user(value) is not node or conv.input(3) is not None or conv.integer("group", 1) != 1:
        return context.decline(node, f"{readers(value)}, or its producer has a residual or groups")
    bias = conv.constant(2)
    set_weights(conv, np.ascontiguousarray(weight(conv)[order]), None if bias is None else bias[order])
    graph.replace(node.output, value)
    graph.erase(node)
    return True


PASS = Pass("fold_gather_after", rewrite, roots=("Gather",))
