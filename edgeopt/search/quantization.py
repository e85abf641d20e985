"""Quantises a network inside a budget: grids from calibration, weights layer by layer, verification, repair."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from edgeopt.accuracy import metrics
from edgeopt.accuracy.calibration import Statistic, calibrate, collect, merged
from edgeopt.accuracy.data import DataSet
from edgeopt.accuracy.observe import Overlay, is_samplewise
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph
from edgeopt.ops.quantization import LIMITS, QuantizationScheme, Quantizer
from edgeopt.ops.quantization_plan import QuantizationPlan, QuantizedWeight, grid_groups, linear_nodes
from edgeopt.search.budget import Candidate, Choice, choose
from edgeopt.search.reconstruction import Repairs, reconstruct
from edgeopt.search.sensitivity import outputs, overlay_of, sensitivities

CALIBRATION_SAMPLES = 512
TRIAL_SAMPLES = 128
MIN_TRIAL_SAMPLES = 16
BIAS_LIMIT = 2.0**30


@dataclass(frozen=True)
class Quantization:
    """A plan that fits its budget. ``metric`` names what ``before`` and ``after`` measure, in percent, on ``samples`` samples;

    ``samples`` is 0 when there was no data to verify on.
    """

    plan: QuantizationPlan
    choice: Choice
    scheme: str
    metric: str
    before: float
    after: float
    samples: int

    def summary(self) -> str:
        """One line for the user."""
        layers = f"{len(self.choice.kept)} of {len(self.choice.kept) + len(self.choice.given_back)} layers"
        if not self.samples:
            return f"quantised to {self.scheme} without data: {layers}; the loss is not verified"
        measured = f"{self.metric} {self.before:.2f} % -> {self.after:.2f} % on {self.samples} samples"
        return f"quantised to {self.scheme}: {layers}; {measured}"


def make_plan(
    graph: Graph,
    data: DataSet,
    scheme: QuantizationScheme,
    layers: Collection[str] | None = None,
    method: str = "mse",
    repairs: Repairs | None = None,
    overlay: Overlay | None = None,
) -> QuantizationPlan:
    """The plan that quantises ``layers`` (all linear ones when None) with grids calibrated on ``data``.

    ``graph`` is an optimised float graph. ``overlay`` changes the float network that is observed (see ``data_free``). Raises
    EdgeoptError when the graph's samples cannot be kept apart.
    """
    if not is_samplewise(graph):
        raise EdgeoptError(f"graph '{graph.name}' cannot be calibrated: an operator mixes samples or a shape is not static")
    nodes = [n for n in linear_nodes(graph) if layers is None or n.name in layers]
    if scheme.weights == "float16":
        return QuantizationPlan({n.name: _half(n.constant(1)) for n in nodes})
    data = data.subset(CALIBRATION_SAMPLES)
    activations: dict[str, Quantizer] = {}
    if scheme.activations:
        groups = grid_groups(graph, nodes)
        seen = collect(graph, [v.name for g in groups for v in g], data, overlay=overlay)
        for group in groups:
            grid = _grid(merged(seen[v.name] for v in group), method, scheme)
            activations.update({v.name: grid for v in group})
    how = repairs or Repairs(compensate=LIMITS.get(scheme.weights, (0, 1))[1] <= 7)
    weights = reconstruct(graph, data, {n.name: scheme.weights for n in nodes}, activations, scheme.per_channel, how, overlay)
    for node in nodes:
        source = node.input(0)
        grid_x = activations.get(source.name) if source is not None else None
        if grid_x is not None:
            weights[node.name] = _bias_in_range(weights[node.name], node.constant(2), grid_x)
    return QuantizationPlan(weights, activations)


def _grid(statistic: Statistic, method: str, scheme: QuantizationScheme) -> Quantizer:
    return calibrate(statistic, method, scheme.activations, scheme.symmetric)


def _half(weight: Array | None) -> QuantizedWeight:
    assert weight is not None
    stored = weight.astype(np.float16).astype(np.float32)
    return QuantizedWeight(stored, Quantizer("float16", np.ones((), np.float32), np.zeros((), np.int32)))


def _bias_in_range(made: QuantizedWeight, bias: Array | None, x: Quantizer) -> QuantizedWeight:
    """Coarser steps for channels whose bias would not fit 32 bits on the grid of the sums."""
    bias = made.bias if made.bias is not None else bias
    if bias is None:
        return made
    need = np.abs(bias).astype(np.float64) / (float(x.scale) * BIAS_LIMIT)
    need = need if np.ndim(made.grid.scale) else need.max(initial=0.0)
    if np.all(made.grid.scale >= need):
        return made
    grid = replace(made.grid, scale=np.maximum(made.grid.scale, need).astype(np.float32))
    return replace(made, codes=grid.quantize(made.array), grid=grid)


@dataclass(frozen=True)
class Recipe:
    """How grids and codes are found: a calibration rule, and whether weights make up for their rounded inputs."""

    method: str = "mse"
    compensate: bool = False

    @property
    def repairs(self) -> Repairs:
        """The repairs of this recipe."""
        return Repairs(compensate=self.compensate)


def best_recipe(graph: Graph, data: DataSet, scheme: QuantizationScheme, method: str = "mse") -> Recipe:
    """With or without compensation: the one whose plan, made on half of the trial samples, diverges less on the others."""
    coarse = LIMITS.get(scheme.weights, (0, 1))[1] <= 7
    if scheme.weights == "float16" or len(data) < MIN_TRIAL_SAMPLES:
        return Recipe(method, coarse)
    fit, judge = data.subset(2 * TRIAL_SAMPLES).split()
    reference = outputs(graph, judge)

    def error(recipe: Recipe) -> float:
        plan = make_plan(graph, fit, scheme, None, recipe.method, recipe.repairs)
        return metrics.divergence(reference, outputs(graph, judge, overlay_of(graph, plan)))

    return min((Recipe(method, compensate) for compensate in (coarse, not coarse)), key=error)


def quantize_within(
    graph: Graph, calibration: DataSet, evaluation: DataSet, scheme: QuantizationScheme, max_drop: float, method: str = "mse"
) -> Quantization:
    """The plan of most layers whose drop on ``evaluation`` is at most ``max_drop`` percentage points.

    The drop is that of accuracy when there are labels, else the share of decisions that change.
    """
    recipe = best_recipe(graph, calibration, scheme, method)
    plans: dict[frozenset[str], tuple[QuantizationPlan, float]] = {}
    reference = outputs(graph, evaluation)
    before = _metric(reference, reference, evaluation)
    every = [n.name for n in linear_nodes(graph)]

    def measure(layers: frozenset[str]) -> float:
        plan = make_plan(graph, calibration, scheme, layers, recipe.method, recipe.repairs)
        after = _metric(outputs(graph, evaluation, overlay_of(graph, plan)), reference, evaluation)
        plans[layers] = (plan, after)
        return before - after

    def candidates() -> list[Candidate]:
        plan = plans[frozenset(every)][0]
        errors = sensitivities(graph, plan, calibration)
        sizes = {n.name: prod(w.shape) for n in linear_nodes(graph) if (w := n.constant(1)) is not None}
        return [Candidate(name, float(sizes[name]), errors[name]) for name in every]

    choice = choose(every, candidates, measure, max_drop)
    plan, after = plans[frozenset(choice.kept)]
    metric = "accuracy" if evaluation.labels is not None else "same decision"
    return Quantization(plan, choice, scheme.name, metric, before, after, len(evaluation))


def _metric(actual: Array, reference: Array, data: DataSet) -> float:
    if data.labels is not None:
        return metrics.accuracy(actual, data.labels)
    return metrics.agreement(actual, reference)


def quantize_without_data(
    graph: Graph, inputs: DataSet, scheme: QuantizationScheme, overlay: Overlay | None = None
) -> Quantization:
    """The plan of all layers, with ranges from generated ``inputs`` in the network that ``overlay`` makes of ``graph``.

    Without an overlay nothing is known of the inputs of a layer, so its weights are rounded to nearest.
    """
    every = tuple(n.name for n in linear_nodes(graph))
    known = overlay is not None
    repairs = Repairs(adaptive=known, compensate=False, correct_bias=known)
    plan = make_plan(graph, inputs, scheme, None, "minmax", repairs, overlay)
    return Quantization(plan, Choice(every, (), 0.0), scheme.name, "", 0.0, 0.0, 0)
