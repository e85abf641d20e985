"""Latency, energy, RAM and flash of every layer of a program on a target, before it runs there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeopt.codegen.build import build
from edgeopt.codegen.driver import call_name
from edgeopt.codegen.elf import Elf
from edgeopt.codegen.entry import arena_bytes
from edgeopt.cost.census import census
from edgeopt.cost.core import Core, core
from edgeopt.cost.energy import energy
from edgeopt.cost.traffic import operand_bytes, traffic
from edgeopt.ir import Graph
from edgeopt.lower.program import Place, Program, Step
from edgeopt.ops.macs import macs
from edgeopt.target import Target


@dataclass
class LayerCost:
    """One node: ``seconds`` and ``joule`` of an inference, ``ram`` bytes in use, ``flash`` bytes of weights and code.

    Weights and code that layers share count at the first. ``macs`` is None where a dimension is unknown.
    """

    name: str
    op: str
    kernels: list[str]
    macs: int | None
    seconds: float = 0.0
    joule: float = 0.0
    ram: int = 0
    flash: int = 0


@dataclass
class Estimate:
    """The layers in order; ``ram`` is arena and scratch of one thread, ``flash`` the weight file and the code."""

    target: str
    layers: list[LayerCost]
    ram: int
    flash: int

    @property
    def seconds(self) -> float:
        """Latency of one inference."""
        return sum(layer.seconds for layer in self.layers)

    @property
    def joule(self) -> float:
        """Energy of one inference."""
        return sum(layer.joule for layer in self.layers)


def estimate(program: Program, graph: Graph, target: Target, rates: Core | None = None) -> Estimate:
    """The cost of ``program``, which ``graph`` was lowered to, by ``rates`` (those of the target when left out)."""
    rates, counted = rates or core(target), census(program, target)
    moved = traffic(program, target, counted)
    seconds = rates.cycles(counted, moved) / rates.frequency
    joule = energy(program, target, counted, moved) * 1e-12
    code = Elf(build(program, target, library=True))
    sizes = {s.name: s.size for s in code.symbols() if s.is_function}
    products = {node.name: macs(node) for node in graph.nodes}
    layers: dict[str, LayerCost] = {}
    known: set[Place | str] = set()
    for index, step in enumerate(program.native):
        layer = layers.setdefault(step.node, LayerCost(step.node, step.op, [], products.get(step.node, 0)))
        layer.kernels.append(step.call.label or step.call.function.__module__.rsplit(".", 1)[-1])
        layer.seconds += float(seconds[index])
        layer.joule += float(joule[index])
        layer.ram = max(layer.ram, operand_bytes(step)[1])
        layer.flash += _new({**_stored(step), call_name(step): sizes.get(call_name(step), 0)}, known)
    flash = program.weights_bytes + code.loaded_bytes
    return Estimate(target.name, list(layers.values()), arena_bytes(program), flash)


def _stored(step: Step) -> dict[Place | str, int]:
    return {place: size for place, size in zip(step.places, step.sizes, strict=True) if place.kind == "weights"}


def _new(sizes: Mapping[Place | str, int], known: set[Place | str]) -> int:
    """Bytes of what is not known yet; it is from now on."""
    fresh = {key: size for key, size in sizes.items() if key not in known}
    known |= set(fresh)
    return sum(fresh.values())
