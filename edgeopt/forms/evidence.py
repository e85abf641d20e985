"""What batch normalisation recorded of the network before it is folded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array, Graph


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and standard deviation of each output channel in training."""

    mean: Array
    deviation: Array


def batch_norm_statistics(graph: Graph) -> dict[str, ChannelStatistics]:
    """What the batch normalisations of an unoptimised graph say of the layer in front of them, by the name of that layer."""
    found = {}
    for node in graph.nodes:
        source, scale, offset = node.input(0), node.constant(1), node.constant(2)
        if not node.is_op("BatchNormalization") or source is None or source.producer is None or scale is None or offset is None:
            continue
        found[source.producer.name] = ChannelStatistics(offset.astype(np.float64), np.abs(scale).astype(np.float64))
    return found
