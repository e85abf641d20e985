"""How a network is quantised, chosen by what it does to calibration samples that it was not made from."""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.accuracy import metrics
from edgeopt.accuracy.data import DataSet
from edgeopt.ir import Graph
from edgeopt.ops.quantization import LIMITS, QuantizationScheme
from edgeopt.search.quantization import make_plan
from edgeopt.search.reconstruction import Repairs
from edgeopt.search.sensitivity import outputs, overlay_of

TRIAL_SAMPLES = 128
MIN_TRIAL_SAMPLES = 16


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
