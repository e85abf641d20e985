"""Channels in another order before a convolution -> its weight in that order.

    Conv(Gather(x, order), W)   ->   Conv(x, W[:, the place of each channel in order])

Exact: the same products in another order. Not for groups, which would read other channels, and not when channels are left out.
"""

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import channel_order
from edgeopt.ops.layer import is_linear, set_weights, weight
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    order = channel_order(value.producer) if value is not None and value.producer is not None else None
    if value is None or value.producer is None or order is None or not is_linear(node):
        return False
    if node.integer("group", 1) != 1:
        return context.decline(node, "its groups would read other channels")
    set_weights(node, np.ascontiguousarray(weight(node)[:, np.argsort(order)]), None)
    node.set_input(0, value.producer.input(0))
    return True


PASS = Pass("fold_gather_before", rewrite, roots=("FusedConv",))
