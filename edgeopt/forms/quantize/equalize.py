"""A network whose layers hand over channels of equal reach, so that one grid serves them all; its outputs stay."""

from __future__ import annotations

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import stream
from edgeopt.ir import Array, Graph
from edgeopt.ir.match import shape_of
from edgeopt.ops.grids import linear_nodes
from edgeopt.passes import equalize_activations
from edgeopt.rewrite import Context, run_pass


def channel_reaches(graph: Graph, data: DataSet) -> dict[str, Array]:
    """The largest magnitude of each output channel of each layer on ``data``, by layer name."""
    layers = {n.name: n for n in linear_nodes(graph) if shape_of(n.output) is not None}
    found: dict[str, Array] = {}
    for _, values in stream(graph, [n.output.name for n in layers.values()], data):
        for name, node in layers.items():
            axis = 1 if node.op == "FusedConv" else values[node.output.name].ndim - 1
            array = values[node.output.name]
            others = tuple(i for i in range(array.ndim) if i != axis)
            reach = np.maximum(array.max(axis=others), -array.min(axis=others))
            found[name] = np.maximum(found[name], reach) if name in found else reach
    return found


def equalize(graph: Graph, reaches: dict[str, Array]) -> int:
    """Carry out the pass on ``graph``; returns how many layers it changed."""
    return run_pass(graph, equalize_activations.make(reaches), Context())
