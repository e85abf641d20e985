"""What the layers of a graph cost on one tier: measured there, or estimated by the cost model of its processor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgeopt.cost import estimate
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph
from edgeopt.lower.lowering import lower
from edgeopt.lower.table import kernels_for
from edgeopt.partition.tiers import Tier
from edgeopt.target import Target
from edgeopt.target import target as find_target


@dataclass(frozen=True)
class LayerCosts:
    """``seconds`` and ``joule`` of one inference by the name of the node; ``origin`` says where they come from."""

    seconds: Mapping[str, float]
    joule: Mapping[str, float] = field(default_factory=dict)
    origin: str = ""


def estimated(graph: Graph, tier: Tier, level: int = 1) -> LayerCosts:
    """Costs by the model of the tier's processor. Raises EdgeoptError where it is unknown, or lacks a kernel."""
    facts = _target(tier)
    program = lower(graph, facts, "edgeopt_part", kernels_for(level))
    if program.fallbacks:
        nodes = ", ".join(f"{step.node.op} '{step.node.name}'" for step in program.fallbacks[:3])
        raise EdgeoptError(f"tier '{tier.name}': no kernel for {nodes}; give times measured there ('profile = FILE')")
    found = estimate(program, graph, facts)
    seconds = {layer.name: layer.seconds for layer in found.layers}
    return LayerCosts(seconds, {layer.name: layer.joule for layer in found.layers}, f"estimated for {facts.name}")


def _target(tier: Tier) -> Target:
    try:
        return find_target(tier.target)
    except EdgeoptError as error:
        raise EdgeoptError(f"tier '{tier.name}': {error}") from error
