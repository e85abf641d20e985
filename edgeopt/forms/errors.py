"""The error at the output of each changed layer, in the network that is changed as a whole."""

from __future__ import annotations

from collections.abc import Collection
from math import isnan

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay, stream
from edgeopt.ir import Array, Graph

SAMPLES = 16


def output_errors(graph: Graph, layers: Collection[str], overlay: Overlay, data: DataSet) -> dict[str, float]:
    """For each of ``layers`` the relative error (root mean square) that ``overlay`` makes of its output on ``data``."""
    names = {n.name: n.output.name for n in graph.nodes if n.name in layers}
    data = data.subset(SAMPLES)
    signal, noise = dict.fromkeys(names, 1e-30), dict.fromkeys(names, 0.0)
    values = list(names.values())
    for (_, exact), (_, made) in zip(stream(graph, values, data), stream(graph, values, data, overlay), strict=True):
        for layer, value in names.items():
            signal[layer] += _energy(exact[value])
            noise[layer] += _energy(exact[value] - made[value])
    errors = {layer: (noise[layer] / signal[layer]) ** 0.5 for layer in names}
    return {layer: float("inf") if isnan(error) else error for layer, error in errors.items()}


def _energy(array: Array) -> float:
    return float(np.square(array, dtype=np.float64).sum())
