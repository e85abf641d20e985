"""Channels that no weight reads, as pruning of single weights leaves many: a network without them computes the same."""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Array, Graph
from edgeopt.ops.channels import Channels, channels_of
from edgeopt.passes import prune_channels
from edgeopt.rewrite import Context, run_pass


def without_unused(graph: Graph) -> bool:
    """Take the channels that have zeros in all layers that mix them out of ``graph``; whether there were any."""
    channels = channels_of(graph)
    gone = np.flatnonzero(~_needed(channels, graph))
    makers = [name for name, classes in channels.makers.items() if np.isin(classes, gone).any()]
    return bool(makers) and run_pass(graph, prune_channels.make(channels, {makers[0]: gone}), Context()) > 0


def _needed(channels: Channels, graph: Graph) -> Array:
    """Whether each class of channels is read with a weight that is not zero; of each value there is at least one."""
    needed, nodes = channels.fixed.copy(), {n.name: n for n in graph.nodes}
    for name, classes in channels.readers.items():
        _, (axis, _) = channels.operands[name, 1]
        weight = nodes[name].constant(1)
        assert weight is not None
        needed[classes[(weight != 0).any(tuple(i for i in range(weight.ndim) if i != axis))]] = True
    for _, classes in channels.values.values():
        if not needed[classes].any():
            needed[classes[0]] = True
    return needed
