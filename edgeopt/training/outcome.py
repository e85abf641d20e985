"""What was trained, as solutions of the techniques: from there on it is treated like what was found without gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.forms.applied import applied
from edgeopt.forms.form import FLOAT, Evidence, Session
from edgeopt.forms.prune.technique import Prune
from edgeopt.forms.seen import Changed
from edgeopt.forms.sequential import Sequential
from edgeopt.forms.share_weights.technique import ShareWeights
from edgeopt.ir import Array, Graph
from edgeopt.rewrite import Context
from edgeopt.search.result import Decision
from edgeopt.search.space import merged
from edgeopt.search.sparsity import stored_profiles
from edgeopt.search.stored import layer_bytes
from edgeopt.search.trials import compiled_outputs
from edgeopt.target import Target
from edgeopt.training.layers import Layers
from edgeopt.training.planned import Planner

Solved = list[tuple[Session, Any]]


def solved(layers: Layers, planner: Planner | None) -> Solved:
    """Solutions: codes of quantized layers, tables of shared ones, and new weights of all others."""
    evidence = Evidence(layers.graph)
    coded = {} if layers.plan is None else {**layers.plan.weights, **layers.tables}
    values = {n.name: _changed(layers, n.name) for n in layers.nodes if n.name not in coded}
    shared = {name: made for name, made in values.items() if name in layers.codes}
    plain = {name: made for name, made in values.items() if name not in layers.codes}
    found: Solved = []
    if plain:
        found.append((Sequential(Prune(), evidence, ["trained"]), plain))
    if planner is not None and layers.plan is not None:
        found.append((planner.session, planner.solution(layers)))
    if shared:
        found.append((Sequential(ShareWeights(), evidence, ["trained"]), shared))
    return found


def _changed(layers: Layers, name: str) -> Changed:
    bias: Array | None = layers.constants.get((name, 2))
    return Changed(np.asarray(layers.constants[name, 1], np.float32), None if bias is None else np.asarray(bias, np.float32))


def decided(layers: Layers, original: Graph, found: Solved, data: DataSet, target: Target, level: int, recipe: str) -> Decision:
    """The same record as a search leaves, measured on ``data``, against the network that was followed."""
    graph, made = layers.graph, applied(layers.graph, found, Context(level=level))
    costs = stored_profiles({FLOAT: original, "result": made}, target, level)
    forms = {name: " + ".join(words) or "trained" for name, words in layers.forms.items()}
    stored = layer_bytes(graph, list(forms), merged(found))
    decision = Decision(found, f"trained by {recipe}", recipe, forms, costs=costs, stored=stored)
    return _measured(decision, original, made, data, target, level)


def _measured(decision: Decision, graph: Graph, made: Graph, data: DataSet, target: Target, level: int) -> Decision:
    reference, after = (compiled_outputs(g, data, target, level) for g in (graph, made))
    agreement = metrics.agreement(after, reference)
    if data.labels is None:
        return replace(decision, metric="agreement", before=100.0, after=agreement, agreement=agreement, samples=data.samples)
    before, now = (metrics.accuracy(result, data.labels) for result in (reference, after))
    return replace(decision, metric="accuracy", before=before, after=now, agreement=agreement, samples=data.samples)
