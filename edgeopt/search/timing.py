"""What candidates cost on the target: timed here when this machine runs their code, else estimated by the cost model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from edgeopt.assembly import SYMBOL, assemble
from edgeopt.cost import estimate
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, Node, numpy_dtype
from edgeopt.lower.lowering import lower
from edgeopt.lower.program import Place, Program
from edgeopt.lower.table import kernels_for
from edgeopt.pipeline import finished
from edgeopt.runtime.clock import Clock
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.step_clock import StepClock
from edgeopt.target import Target

ROUNDS = 7  # at least, and for SECONDS for each candidate
SECONDS = 0.3
MOST_ROUNDS = 400  # these three chosen by hand: minima repeat within a few percent


@dataclass(frozen=True)
class LayerCost:
    """One layer of a lowered program: ``seconds`` and ``joule`` (0 where only estimates have it) of an inference, bytes of its

    ``stored`` constants, and ``ram``, the most activations that one of its kernels touches.
    """

    seconds: float = 0.0
    stored: int = 0
    ram: int = 0
    joule: float = 0.0


@dataclass(frozen=True)
class Profile:
    """Costs of one inference on one thread: ``seconds``, and those of each layer by ``layer_name``.

    ``weights`` and ``ram`` are bytes: constants, and the arena of activations. ``measured`` is False for an estimate.
    """

    seconds: float
    weights: int
    ram: int
    measured: bool
    layers: dict[str, LayerCost] = field(default_factory=dict)

    @property
    def joule(self) -> float:
        """Energy of an inference; 0 where it was not estimated."""
        return sum(cost.joule for cost in self.layers.values())

    def with_energy_of(self, other: Profile) -> Profile:
        """The same with the joule of another one's layers."""
        names = {*self.layers, *other.layers}
        return replace(self, layers={name: replace(self.layer(name), joule=other.layer(name).joule) for name in names})

    def layer(self, node: Node | str) -> LayerCost:
        """The cost of one layer; nothing for one that is not there, as where host steps keep layers from being timed."""
        return self.layers.get(layer_name(node), LayerCost())


def layer_name(node: Node | str) -> str:
    """The name under which a layer is known before and after it is rewritten."""
    return (node if isinstance(node, str) else node.name).split("~")[0]


def profiles(graphs: Mapping[str, Graph], target: Target, level: int, energy: bool = False) -> dict[str, Profile]:
    """The Profile of each graph, none of which is changed. Those that are timed take turns, so that all see the same machine.

    Where ``energy`` counts, all of it is estimated. Raises EdgeoptError for a graph that cannot be lowered to ``target``.
    """
    graphs = {name: finished(graph, level) for name, graph in graphs.items()}  # what will be shipped is what is timed
    if energy or not target.runs_here:
        return {name: _estimated(graph, target, level) for name, graph in graphs.items()}
    models = {name: assemble(graph, target, level) for name, graph in graphs.items()}
    runs: dict[str, list[float]] = {name: [] for name in models}
    inputs = {name: _inputs(graph) for name, graph in graphs.items()}
    clocks = {name: Clock(model, inputs[name]) for name, model in models.items()}
    native = [name for name, model in models.items() if not model.manifest["fallbacks"]]
    steps = {name: StepClock(models[name], inputs[name]) for name in native}
    end = time.perf_counter() + SECONDS * len(models)
    while len(next(iter(runs.values()))) < ROUNDS or (time.perf_counter() < end and len(next(iter(runs.values()))) < MOST_ROUNDS):
        for name in models:
            runs[name].append(clocks[name]())
            if name in steps:
                steps[name].sample()
    times = {name: steps[name].seconds() if name in steps else [] for name in models}
    return {name: _measured(graphs[name], model, runs[name], times[name], target, level) for name, model in models.items()}


def _measured(graph: Graph, model: CompiledModel, runs: list[float], steps: list[float], target: Target, level: int) -> Profile:
    seconds: dict[str, float] = {}
    for kernel, took in zip(model.manifest["kernels"], steps, strict=bool(steps)):
        name = layer_name(kernel["node"])
        seconds[name] = seconds.get(name, 0.0) + took
    sizes = _sizes(lower(graph, target, SYMBOL, kernels_for(level))) if steps else {}
    layers = {name: replace(sizes.get(name, LayerCost()), seconds=time) for name, time in seconds.items()}
    return Profile(min(runs), model.manifest["weights_bytes"], model.manifest["arena_bytes"], True, layers)


def _estimated(graph: Graph, target: Target, level: int) -> Profile:
    program = lower(graph, target, SYMBOL, kernels_for(level))
    found, layers = estimate(program, graph, target), _sizes(program)
    for cost in found.layers:
        known = layers[layer_name(cost.name)]
        layers[layer_name(cost.name)] = replace(known, seconds=known.seconds + cost.seconds, joule=known.joule + cost.joule)
    return Profile(found.seconds, program.weights_bytes, program.arena_bytes, False, layers)


def _sizes(program: Program) -> dict[str, LayerCost]:
    """The bytes of each layer; constants that layers share count at each."""
    stored: dict[str, dict[Place, int]] = {}
    ram: dict[str, int] = {}
    for step in program.native:
        name, operands = layer_name(step.node), list(zip(step.places, step.sizes, strict=True))
        stored.setdefault(name, {}).update({place: size for place, size in operands if place.kind == "weights"})
        ram[name] = max(ram.get(name, 0), sum(size for place, size in operands if place.kind != "weights"))
    return {name: LayerCost(stored=sum(places.values()), ram=ram[name]) for name, places in stored.items()}


def _inputs(graph: Graph) -> dict[str, Array]:
    """Random inputs: the kernels take the same time on all numbers."""
    rng, made = np.random.default_rng(0), {}
    for value in graph.inputs:
        if value.type is None or not value.type.static:
            raise EdgeoptError(f"input '{value.name}' has no static shape; bind it with --shape")
        made[value.name] = rng.standard_normal(value.type.dims).astype(numpy_dtype(value.type.dtype))
    return made
