"""Channels that nothing reads once a network is pruned are gone from its layers before more is trained.

Most of the zeros of a network with few weights left lie in them. Without them it is stored in fewer bytes and runs faster.
"""

from __future__ import annotations

from edgeopt.forms.structure import unused_channels
from edgeopt.training.layers import Layers
from edgeopt.training.network import starting


def without_unused(layers: Layers) -> None:
    """Take the channels that have zeros in all layers that mix them out of the graph of ``layers``, which follow."""
    graph = layers.graph
    for node in layers.nodes:
        for index in (1, 2):
            if (node.name, index) in layers.constants:
                node.set_input(index, graph.constant(f"{node.name}.{index}", layers.constants[node.name, index]))
    if unused_channels.without_unused(graph):
        layers.constants.update(starting(graph))
        layers.masks.update({name: layers.constants[name, 1] != 0 for name in layers.masks})
