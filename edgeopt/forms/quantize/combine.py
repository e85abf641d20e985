"""One plan from several: each layer takes the codes of its own form, each grid the finest that its readers ask for."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import stream
from edgeopt.forms.quantize.plan import bias_in_range
from edgeopt.forms.quantize.sensitivity import overlay_of
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.grid import LIMITS, Quantizer
from edgeopt.ops.grids import QuantizationPlan, grid_groups, linear_nodes
from edgeopt.search.budget import Forms

FLOAT = "float32"
SAMPLES = 16


def combined(graph: Graph, plans: Mapping[str, QuantizationPlan], forms: Forms) -> QuantizationPlan:
    """The plan in which each layer has the form that ``forms`` names: one of ``plans``, or ``FLOAT``."""
    nodes = [n for n in linear_nodes(graph) if forms.get(n.name, FLOAT) != FLOAT]
    made = QuantizationPlan({n.name: plans[forms[n.name]].weights[n.name] for n in nodes})
    made.dynamic = frozenset(n.name for n in nodes if n.name in plans[forms[n.name]].dynamic)
    rounding = [n for n in nodes if plans[forms[n.name]].activations]
    for group in grid_groups(graph, rounding):
        names = {v.name for v in group}
        readers = [n for n in rounding if _reads(n, names)] or rounding
        grids = [plans[forms[n.name]].activations[group[0].name] for n in readers]
        finest = max(grids, key=lambda g: LIMITS[g.dtype][1] - LIMITS[g.dtype][0])
        made.activations.update(dict.fromkeys(names, finest))
    for node in rounding:
        grid = _input_grid(node, made)
        made.weights[node.name] = bias_in_range(made.weights[node.name], node.constant(2), grid)
    return made


def _reads(node: Node, names: set[str]) -> bool:
    return any(v is not None and v.name in names for v in (node.input(0), node.input(3)))


def _input_grid(node: Node, plan: QuantizationPlan) -> Quantizer:
    source = node.input(0)
    assert source is not None
    return plan.activations[source.name]


def output_errors(graph: Graph, plan: QuantizationPlan, data: DataSet) -> dict[str, float]:
    """For each layer of ``plan`` the relative error at its output in the network that is quantised as a whole."""
    names = {n.name: n.output.name for n in linear_nodes(graph) if n.name in plan.weights}
    data, overlay = data.subset(SAMPLES), overlay_of(graph, plan)
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
