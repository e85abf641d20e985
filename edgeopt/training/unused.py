"""Channels that no weight reads once a network is pruned: they are gone from its layers, exactly, before more is trained.

Most of the zeros of a network with few weights left lie in them. Without them it is stored in fewer bytes and runs faster.
"""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Array
from edgeopt.ops.channels import Channels, channels_of
from edgeopt.passes import prune_channels
from edgeopt.rewrite import Context, run_pass
from edgeopt.training.layers import Layers
from edgeopt.training.network import starting


def without_unused(layers: Layers) -> None:
    """Take the channels that have zeros in all layers that mix them out of the graph of ``layers``, which follow."""
    graph = layers.graph
    channels = channels_of(graph)
    gone = np.flatnonzero(~_needed(channels, layers))
    if not len(gone):
        return
    for node in layers.nodes:
        for index in (1, 2):
            if (node.name, index) in layers.constants:
                node.set_input(index, graph.constant(f"{node.name}.{index}", layers.constants[node.name, index]))
    run_pass(graph, prune_channels.make(channels, {layers.nodes[0].name: gone}), Context())
    layers.constants.update(starting(graph))
    layers.masks.update({name: layers.constants[name, 1] != 0 for name in layers.masks})


def _needed(channels: Channels, layers: Layers) -> Array:
    """Whether each class of channels is read with a weight that is not zero; of each value there is at least one."""
    needed, nodes = channels.fixed.copy(), {n.name: n for n in layers.graph.nodes}
    for name, classes in channels.readers.items():
        _, (axis, _) = channels.operands[name, 1]
        weight = layers.constants.get((name, 1), nodes[name].constant(1))
        assert weight is not None
        needed[classes[(weight != 0).any(tuple(i for i in range(weight.ndim) if i != axis))]] = True
    for _, classes in channels.values.values():
        if not needed[classes].any():
            needed[classes[0]] = True
    return needed
