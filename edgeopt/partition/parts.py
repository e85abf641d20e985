"""Cutting a graph into one graph for each tier, with named tensors between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeopt.ir import Graph, Value
from edgeopt.ir.clone import clone
from edgeopt.partition.network import Placement
from edgeopt.partition.stages import reads
from edgeopt.runtime.parted import Wire


@dataclass(frozen=True)
class Parts:
    """Graphs by the name of their tier, in the order of the tiers (one without stages has none), and the wires between them."""

    graphs: Mapping[str, Graph]
    wires: tuple[Wire, ...]


def parts(graph: Graph, placement: Placement, names: Sequence[str]) -> Parts:
    """Cut ``graph``, whose node i runs on the tier ``names[placement[i]]``; it is not changed.

    A value made on one tier and read on later ones is an output of its part and an input of each reader under its own name.
    """
    tier_of = {node.name: names[tier] for node, tier in zip(graph.nodes, placement, strict=True)}
    made = {name: _part(graph, {n for n, tier in tier_of.items() if tier == name}, name) for name in names}
    used = {name: part for name, part in made.items() if part.nodes}
    source = {out.name: tier_of[node.name] for node in graph.nodes for out in node.outputs}
    wires = [
        Wire(source[value.name], value.name, name, value.name)
        for name, part in used.items()
        for value in part.inputs
        if value.name in source
    ]
    return Parts(used, tuple(wires))


def _part(graph: Graph, kept: set[str], tier: str) -> Graph:
    """The nodes called ``kept`` alone; what they read becomes inputs, what others read of them outputs."""
    part = clone(graph)
    inside = [node for node in part.nodes if node.name in kept]
    outside = [node for node in part.nodes if node.name not in kept]
    foreign = {value for node in outside for value in reads(node)}
    ends = set(part.outputs)
    part.outputs = [out for node in inside for out in node.outputs if out in ends or out in foreign]
    needed = dict.fromkeys(v for node in inside for v in reads(node) if not v.is_constant)
    for value in needed:
        if value.producer is not None and value.producer in outside:
            _detach(part, value)
    for node in reversed(outside):
        part.erase(node)
    part.inputs = [value for value in part.inputs if value.uses]
    part.constants = [value for value in part.constants if value.uses]
    part.name = f"{graph.name}_{tier}"
    return part


def _detach(part: Graph, value: Value) -> None:
    """Make a computed value an input of the part, under the same name."""
    given = Value(value.name, value.type)
    value.name = part.fresh(value.name)
    part.replace(value, given)
    part.inputs.append(given)
