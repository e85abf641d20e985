"""How a network is quantised, chosen by what it does to calibration samples that it was not made from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import TypeVar

from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.quantize.equalize import channel_reaches, equalize
from edgeopt.forms.quantize.grids import PRODUCT, Grids
from edgeopt.forms.quantize.overlay import overlay_of
from edgeopt.forms.quantize.plan import CALIBRATION_SAMPLES, fitting, plans
from edgeopt.forms.quantize.reconstruct import Repairs
from edgeopt.ir import Graph, Node
from edgeopt.ir.clone import clone
from edgeopt.ops.grid import LIMITS, QuantizationScheme
from edgeopt.ops.grids import quantizable_nodes
from edgeopt.ops.macs import runs_within
from edgeopt.progress import each

AUTO = "auto"
TRIED = (PRODUCT, "mse")
TRIAL_SAMPLES = 128  # to judge on, and as many to calibrate on
FEWER_SAMPLES = 64
TRIAL_WORK = 1 << 36  # multiply-accumulates of one trial
MIN_TRIAL_SAMPLES = 16
MARGIN = 0.1  # of the error, by which a recipe must be better; chosen by hand, see `python -m benchmarks.quantization_table`
T = TypeVar("T")
Judge = Callable[[Graph, Overlay], float]


@dataclass(frozen=True)
class Recipe:
    """How grids and codes are found: a calibration rule, whether weights make up for their rounded inputs, and whether the

    channels of the activations are equalised first.
    """

    method: str = PRODUCT
    compensate: bool = False
    equalize: bool = False

    @property
    def repairs(self) -> Repairs:
        """The repairs of this recipe."""
        return Repairs(compensate=self.compensate)

    def prepare(self, graph: Graph, data: DataSet) -> None:
        """Equalise ``graph``, whose outputs stay, by what is seen on ``data``, if that is part of the recipe."""
        if self.equalize:
            equalize(graph, channel_reaches(graph, data.subset(CALIBRATION_SAMPLES)))


def best_recipe(
    graph: Graph, data: DataSet, scheme: QuantizationScheme, method: str = AUTO, exact: Collection[str] = ()
) -> Recipe:
    """The recipe whose plan, made on half of the trial samples, diverges least on the others. ``graph`` is not changed.

    The rule is chosen first, for activations alone, unless ``method`` names it; then equalisation and compensation together.
    The layers named ``exact`` stay as they are.
    """
    coarse, given = LIMITS.get(scheme.weights, (0, 1))[1] <= 7, PRODUCT if method == AUTO else method
    if scheme.weights == "float16" or len(data) < MIN_TRIAL_SAMPLES:
        return Recipe(given, coarse)
    fit, judged = data.subset(2 * runs_within(graph, TRIAL_WORK, FEWER_SAMPLES, TRIAL_SAMPLES)).split()
    steps = each(("reference", "grids", "rule", "repairs", "equalised grids", "equalised repairs"))
    next(steps)
    judge = _judge(graph, judged)
    next(steps)
    seen = Grids(graph, _fitting(graph, scheme, exact), fit) if scheme.activations else None
    next(steps)
    rule = _best_rule(graph, seen, scheme, judge) if method == AUTO and seen is not None else given
    recipes = [Recipe(rule, compensate) for compensate in (coarse, not coarse)]
    next(steps)
    found = list(_errors(graph, fit, scheme, recipes, judge, seen, exact))
    if scheme.activations:
        even, even_recipes = clone(graph), [replace(r, equalize=True) for r in recipes]
        if equalize(even, channel_reaches(graph, fit)):
            next(steps)
            grids = Grids(even, _fitting(even, scheme, exact), fit)
            next(steps)
            found += _errors(even, fit, scheme, even_recipes, judge, grids, exact)
    return _clearly_best(found)


def _clearly_best(found: Sequence[tuple[T, float]]) -> T:
    """The first, unless a later one errs clearly less: small differences on few samples are chance, and the first is simplest."""
    best, least = found[0]
    least = float("inf") if isnan(least) else least
    for candidate, error in found[1:]:
        if error < least * (1.0 - MARGIN):
            best, least = candidate, error
    return best


def _best_rule(graph: Graph, seen: Grids, scheme: QuantizationScheme, judge: Judge) -> str:
    return _clearly_best([(rule, judge(graph, Overlay(quantizers=seen.found(rule, scheme)))) for rule in TRIED])


def _errors(
    graph: Graph,
    fit: DataSet,
    scheme: QuantizationScheme,
    recipes: list[Recipe],
    judge: Judge,
    seen: Grids | None,
    exact: Collection[str],
) -> Iterator[tuple[Recipe, float]]:
    """Each recipe, all of one rule, with the divergence of its plan for ``graph``."""
    nodes = _fitting(graph, scheme, exact)
    grids = seen.found(recipes[0].method, scheme) if seen is not None else {}
    made = plans(graph, fit, scheme, nodes, [(grids, r.repairs) for r in recipes])
    return ((recipe, judge(graph, overlay_of(graph, plan))) for recipe, plan in zip(recipes, made, strict=True))


def _fitting(graph: Graph, scheme: QuantizationScheme, exact: Collection[str]) -> list[Node]:
    return fitting([n for n in quantizable_nodes(graph) if n.name not in exact], scheme)


def _judge(graph: Graph, data: DataSet) -> Judge:
    """How far the outputs of a run lie from those of the float network: as decisions of a classifier where there are labels."""
    measure = metrics.divergence if data.labels is None else metrics.decision_divergence
    reference = outputs(graph, data)
    return lambda candidate, overlay: measure(reference, outputs(candidate, data, overlay))
