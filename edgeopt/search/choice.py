"""The form of every layer: what pays on the target, verified on the whole network, repaired until it is within its budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal, get_args

from edgeopt.evaluate import metrics
from edgeopt.evaluate.chance import check_reference
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.applied import compiled_outputs, nearest, variant
from edgeopt.forms.quantize.combine import FLOAT, combined, output_errors
from edgeopt.forms.quantize.plan import make_plan, unfit
from edgeopt.forms.quantize.recipe import AUTO, Recipe, best_recipe
from edgeopt.forms.quantize.reconstruct import Repairs
from edgeopt.forms.quantize.sensitivity import outputs, overlay_of, sensitivities
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.grid import QuantizationScheme
from edgeopt.ops.grids import QuantizationPlan, linear_nodes
from edgeopt.search.budget import Candidate, Forms, choose
from edgeopt.search.timing import Profile, profiles
from edgeopt.target import Target

Objective = Literal["latency", "size"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
FLOAT_BITS = 32
SIMULATED = 64  # samples


@dataclass(frozen=True)
class Goal:
    """What is asked for. ``schemes``: the form that layers start with, then better ones to repair with, before float.

    ``max_drop`` is in percentage points. Where ``latency`` is to be small, a layer is left in float that the code for
    ``target`` (at ``level``) would run slower, and all are when the network would; where ``size`` is, all layers start.
    """

    schemes: tuple[QuantizationScheme, ...]
    target: Target
    level: int
    max_drop: float = 1.0
    method: str = AUTO
    objective: Objective = "size"
    accept_chance: bool = False


@dataclass(frozen=True)
class Quantization:
    """A plan that fits its budget. ``forms`` names the form of every layer; ``given_back`` lose too much, ``slow`` cost time,

    ``unfit`` do not fit the scheme, with the reason.

    ``metric`` names what ``before`` and ``after`` measure, in percent, on ``samples`` samples; ``agreement`` is the percentage
    of equal decisions there. ``samples`` is 0 when there was no data to verify on. ``costs`` holds the Profile of the float
    network (``float32``), of the ``result``, and of what was ``rejected`` because it was not faster.
    """

    plan: QuantizationPlan
    scheme: str
    forms: dict[str, str]
    given_back: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    metric: str = ""
    before: float = 0.0
    after: float = 0.0
    agreement: float = 0.0
    samples: int = 0
    costs: dict[str, Profile] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    max_drop: float = 0.0

    @property
    def quantized(self) -> list[str]:
        """The layers that are not left in float."""
        return [name for name, form in self.forms.items() if form != FLOAT]

    def summary(self) -> str:
        """One line for the user."""
        before, after = self.costs[FLOAT], self.costs["result"]
        if rejected := self.costs.get("rejected"):
            slower = f"{self.scheme} would take {_milliseconds(rejected)} against {_milliseconds(before)}"
            return f"left in float: {slower}; with --objective size it is taken, the weights being {_share(rejected, before)}"
        if not self.quantized:
            return self._nothing()
        speed = f"{_milliseconds(before)} -> {_milliseconds(after)} {'measured' if after.measured else 'estimated'}"
        layers = f"{len(self.quantized)} of {len(self.forms)} layers; {speed}"
        if not self.samples:
            return f"quantised to {self.scheme} without data: {layers}; the loss is not verified"
        return (
            f"quantised to {self.scheme}: {layers}; {self.metric} {self.before:.2f} % -> {self.after:.2f} % "
            f"on {self.samples} samples"
        )

    def _nothing(self) -> str:
        """Why every layer is left in float."""
        if not self.given_back:
            return f"left in float: no layer fits {self.scheme}: {next(iter(self.unfit.values()), 'there is none')}"
        kept = f"the {self.metric} of {self.before:.2f} % on {self.samples} samples"
        return f"left in float: {self.scheme} keeps {kept} within --max-drop {self.max_drop:g} in no layer that could be found"


class Search:
    """One search for the forms of the layers of an optimised float graph."""

    def __init__(self, graph: Graph, goal: Goal, calibration: DataSet, recipe: Recipe | None, overlay: Overlay | None) -> None:
        self.graph, self.goal, self.calibration = graph, goal, calibration
        self.recipe, self.overlay = recipe, overlay
        self.unfit = unfit(linear_nodes(graph), goal.schemes[0])
        self.layers = [n.name for n in linear_nodes(graph) if n.name not in self.unfit]
        self.plans: dict[str, QuantizationPlan] = {}
        self.rough: dict[str, QuantizationPlan] = {}
        self.rejected: dict[str, Profile] = {}

    def plan(self, forms: Forms) -> QuantizationPlan:
        """The plan for ``forms``; the plans of single schemes are made when they are first needed."""
        for scheme in self.goal.schemes:
            if scheme.name in forms.values() and scheme.name not in self.plans:
                self.plans[scheme.name] = self._make(scheme)
        return combined(self.graph, self.plans, forms)

    def _make(self, scheme: QuantizationScheme) -> QuantizationPlan:
        if self.recipe is None:  # no data: without an overlay nothing is known of the inputs of a layer
            known = self.overlay is not None
            how = Repairs(adaptive=known, compensate=False, correct_bias=known)
            return make_plan(self.graph, self.calibration, scheme, None, "minmax", how, self.overlay)
        return make_plan(self.graph, self.calibration, scheme, None, self.recipe.method, self.recipe.repairs)

    def start(self) -> tuple[dict[str, str], tuple[str, ...]]:
        """The first form of every layer, and the layers that stay in float because the target does not get faster."""
        first = dict.fromkeys(self.layers, self.goal.schemes[0].name)
        if self.goal.objective == "size":
            return first, ()
        costs = self.costs({"all": first})
        slow = {n for n in self.layers if costs["all"].layer(n) > costs[FLOAT].layer(n)}
        options = {"all": first}
        if slow and len(slow) < len(self.layers):
            options["part"] = {**first, **dict.fromkeys(slow, FLOAT)}
            costs = self.costs(options)
        best = min(options, key=lambda name: costs[name].seconds)
        if costs[best].seconds <= costs[FLOAT].seconds:
            return options[best], tuple(slow if best == "part" else ())
        self.rejected = _rejection(costs[FLOAT], costs["all"])
        return dict.fromkeys(self.layers, FLOAT), tuple(self.layers)

    def costs(self, options: Mapping[str, Forms]) -> dict[str, Profile]:
        """The Profile of the float graph and of each option, whose numbers matter little to its time: they are quickly made."""
        if not self.rough:
            self.rough = {scheme.name: nearest(self.graph, scheme) for scheme in self.goal.schemes}
        return self.profiles({name: combined(self.graph, self.rough, forms) for name, forms in options.items()})

    def profiles(self, plans: Mapping[str, QuantizationPlan]) -> dict[str, Profile]:
        """The Profile of the float graph and of each plan."""
        graphs = {name: variant(self.graph, plan, self.goal.level) for name, plan in plans.items()}
        return profiles({FLOAT: self.graph, **graphs}, self.goal.target, self.goal.level)

    def candidates(self, start: Forms) -> list[Candidate]:
        """All forms of all layers, the cost of each in seconds or bytes, and what each alone does to the network's output."""
        uniform = {name: dict.fromkeys(self.layers, name) for name in (FLOAT, *(s.name for s in self.goal.schemes))}
        plans = {name: self.plan(every) for name, every in uniform.items()}
        costs = self._bytes(plans) if self.goal.objective == "size" else self._times(uniform)
        found = []
        for name in uniform:
            errors = sensitivities(self.graph, plans[name], self.calibration) if name != FLOAT else {}
            found += [Candidate(n, name, costs[name][n], errors.get(n, 0.0)) for n in self.layers]
        return found

    def _times(self, uniform: Mapping[str, Forms]) -> dict[str, dict[str, float]]:
        costs = self.costs({name: forms for name, forms in uniform.items() if name != FLOAT})
        return {name: {n: costs[name].layer(n) for n in self.layers} for name in uniform}

    def _bytes(self, plans: Mapping[str, QuantizationPlan]) -> dict[str, dict[str, float]]:
        """Bytes of a layer: its weight, and the map that it reads."""
        return {name: {n.name: _size(n, plan) for n in linear_nodes(self.graph)} for name, plan in plans.items()}


def _size(node: Node, plan: QuantizationPlan) -> float:
    source, weight = node.input(0), node.constant(1)
    assert source is not None and source.type is not None and weight is not None
    made, grid = plan.weights.get(node.name), plan.activations.get(source.name)
    bits = weight.size * (made.grid.bits if made else FLOAT_BITS) + prod(source.type.dims) * (grid.bits if grid else FLOAT_BITS)
    return bits / 8


def _rejection(before: Profile, after: Profile) -> dict[str, Profile]:
    return {FLOAT: before, "result": before, "rejected": after}


def _milliseconds(profile: Profile) -> str:
    return f"{1e3 * profile.seconds:.3g} ms"


def _share(after: Profile, before: Profile) -> str:
    return f"{after.weights / max(before.weights, 1):.2f} times as large"


def quantize_within(graph: Graph, calibration: DataSet, evaluation: DataSet, goal: Goal) -> Quantization:
    """The plan of most layers whose drop on ``evaluation`` is at most ``goal.max_drop`` percentage points.

    The drop is that of accuracy when there are labels, else the share of decisions that change. ``graph`` may be equalised, which
    changes its weights and keeps its outputs.
    """
    reference = compiled_outputs(graph, evaluation, goal.target, goal.level)
    check_reference(reference, evaluation.labels, goal.accept_chance)
    recipe = best_recipe(graph, calibration, goal.schemes[0], goal.method)
    recipe.prepare(graph, calibration)
    search = Search(graph, goal, calibration, recipe, None)
    if recipe.equalize:
        reference = compiled_outputs(graph, evaluation, goal.target, goal.level)
    trials = Trials(search, evaluation, reference)
    start, slow = search.start()
    choice = choose(start, lambda: search.candidates(start), trials.drop, goal.max_drop, FLOAT)
    found = _finished(search, choice.forms, slow, choice.given_back)
    after, agreement = trials.result(found.forms)
    made = replace(found, metric=trials.metric, before=trials.before, after=after, agreement=agreement)
    return replace(made, samples=evaluation.samples, max_drop=goal.max_drop)


class Trials:
    """Results of whole networks on the evaluation data, by the code that is compiled for them."""

    def __init__(self, search: Search, data: DataSet, reference: Array) -> None:
        self.search, self.data, self.reference = search, data, reference
        single = reference[0].size == 1
        self.metric = "accuracy" if data.labels is not None else "same value" if single else "same decision"
        self.before = self._metric(self.reference)
        self._known: dict[frozenset[tuple[str, str]], tuple[float, float]] = {}

    def result(self, forms: Forms) -> tuple[float, float]:
        """(metric, percentage of decisions equal to those in float) with these ``forms``."""
        key = frozenset(forms.items())
        if key not in self._known:
            goal = self.search.goal
            changed = variant(self.search.graph, self.search.plan(forms), goal.level)
            made = compiled_outputs(changed, self.data, goal.target, goal.level)
            self._known[key] = (self._metric(made), metrics.agreement(made, self.reference))
        return self._known[key]

    def drop(self, forms: Forms) -> float:
        """Percentage points lost.

        On few samples the code takes longer to compile than a run in float takes that rounds the same values. Such a run may
        reject, never accept.
        """
        if self.data.samples <= SIMULATED and frozenset(forms.items()) not in self._known:
            graph = self.search.graph
            made = outputs(graph, self.data, overlay_of(graph, self.search.plan(forms)))
            lost = self.before - self._metric(made)
            if lost > self.search.goal.max_drop:
                return lost
        return self.before - self.result(forms)[0]

    def _metric(self, actual: Array) -> float:
        if self.data.labels is not None:
            return metrics.accuracy(actual, self.data.labels)
        return metrics.agreement(actual, self.reference)


def quantize_without_data(graph: Graph, inputs: DataSet, goal: Goal, overlay: Overlay | None = None) -> Quantization:
    """The plan of all layers that pay, with ranges from generated ``inputs`` in the network that ``overlay`` makes of ``graph``.

    Without an overlay nothing is known of the inputs of a layer, so its weights are rounded to nearest.
    """
    search = Search(graph, goal, inputs, None, overlay)
    return _finished(search, *search.start(), ())


def _finished(search: Search, forms: dict[str, str], slow: tuple[str, ...], given_back: tuple[str, ...]) -> Quantization:
    """The Quantization of ``forms``; back to float altogether when giving layers back made the network slower than that."""
    goal = search.goal
    plan = search.plan(forms)
    costs = search.rejected or search.profiles({"result": plan})
    if goal.objective == "latency" and costs["result"].seconds > costs[FLOAT].seconds:
        forms, slow, given_back = dict.fromkeys(search.layers, FLOAT), tuple(search.layers), ()
        plan, costs = search.plan(forms), _rejection(costs[FLOAT], costs["result"])
    errors = output_errors(search.graph, plan, search.calibration) if plan.weights else {}
    forms = {n.name: forms.get(n.name, FLOAT) for n in linear_nodes(search.graph)}
    plan = replace(plan, errors=errors)
    return Quantization(plan, goal.schemes[0].name, forms, given_back, slow, costs=costs, unfit=search.unfit)
