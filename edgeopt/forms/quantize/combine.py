"""One plan from several: each layer takes the codes of its own form, each grid the finest that its readers ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeopt.forms.form import FLOAT
from edgeopt.forms.quantize.plan import bias_in_range
from edgeopt.ir import Graph, Node
from edgeopt.ops.grid import LIMITS, Quantizer
from edgeopt.ops.grids import QuantizationPlan, grid_groups, quantizable_nodes


def combined(graph: Graph, plans: Mapping[str, QuantizationPlan], forms: Mapping[str, str]) -> QuantizationPlan:
    """The plan in which each layer has the form that ``forms`` names: one of ``plans``, or ``FLOAT``."""
    nodes = [n for n in quantizable_nodes(graph) if forms.get(n.name, FLOAT) != FLOAT]
    made = QuantizationPlan({n.name: plans[forms[n.name]].weights[n.name] for n in nodes})
    made.dynamic = frozenset(n.name for n in nodes if n.name in plans[forms[n.name]].dynamic)
    rounding = [n for n in nodes if plans[forms[n.name]].activations]
    for group in grid_groups(graph, rounding):
        names = [v.name for v in group]  # in order: checkpoints of trainings know a grid by the first of its values
        readers = [n for n in rounding if _reads(n, names)] or rounding
        grids = [plans[forms[n.name]].activations[group[0].name] for n in readers]
        finest = max(grids, key=lambda g: LIMITS[g.dtype][1] - LIMITS[g.dtype][0])
        made.activations.update(dict.fromkeys(names, finest))
    for node in rounding:
        grid = _input_grid(node, made)
        made.weights[node.name] = bias_in_range(made.weights[node.name], node.constant(2), grid)
    return made


def _reads(node: Node, names: Sequence[str]) -> bool:
    return any(v is not None and v.name in names for v in (node.input(0), node.input(3)))


def _input_grid(node: Node, plan: QuantizationPlan) -> Quantizer:
    source = node.input(0)
    assert source is not None
    return plan.activations[source.name]
