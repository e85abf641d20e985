"""The manifest: what the runtime, the reports and a reader need to know of a compiled model, as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from edgeopt.ir import Graph
from edgeopt.lower.program import Binding, HostStep, Program
from edgeopt.target import Target

Manifest = dict[str, Any]


def describe(graph: Graph, program: Program, target: Target, level: int, fired: Mapping[str, int]) -> Manifest:
    """The manifest of a program: inputs and outputs, memory, parts to run in order, kernels, passes that ``fired``, notes."""
    return {
        "name": program.name,
        "model": graph.name,
        "level": level,
        "target": dataclasses.asdict(target),
        "inputs": [_binding(b) for b in program.inputs],
        "outputs": [{**_binding(b), **_claim(graph, b)} for b in program.outputs],
        "arena_bytes": program.arena_bytes,
        "arena_lower_bound": program.lower_bound,
        "scratch_bytes": program.scratch_bytes,
        "weights_bytes": len(program.weights),
        "parts": _parts(program),
        "fallbacks": [{"op": s.node.op, "node": s.node.name, "reason": s.reason} for s in program.fallbacks],
        "kernels": [{"node": s.node, "op": s.op, "kernel": _kernel_label(s.call.function, s.call.label)} for s in program.native],
        "passes": {name: n for name, n in fired.items() if n},
        "notes": [*graph.metadata.get("edgeopt.notes", "").splitlines(), *program.notes],
    }


def _kernel_label(function: Any, label: str) -> str:
    return label or f"{function.__module__.rsplit('.', 1)[-1]}.{function.__name__}"


def _parts(program: Program) -> list[Manifest]:
    """Runs of native steps and single host steps, in order."""
    parts: list[Manifest] = []
    native = 0
    for step in program.steps:
        if isinstance(step, HostStep):
            inputs = [None if b is None else _binding(b) for b in step.inputs]
            parts.append({"node": step.node.name, "inputs": inputs, "outputs": [_binding(b) for b in step.outputs]})
            continue
        if not parts or "last" not in parts[-1]:
            parts.append({"first": native, "last": native})
        native += 1
        parts[-1]["last"] = native
    return parts or [{"first": 0, "last": 0}]


def _claim(graph: Graph, binding: Binding) -> Manifest:
    """What the model declares of an output whose shape the data decide; None where it leaves a dimension open."""
    claim = graph.declared.get(binding.name)
    return {} if claim is None else {"declared": [d if isinstance(d, int) else None for d in claim]}


def _binding(binding: Binding) -> Manifest:
    type_ = binding.type
    place = None if binding.place is None else [binding.place.kind, binding.place.offset]
    shape = list(type_.dims) if type_ is not None and type_.static else None
    return {"name": binding.name, "dtype": type_.dtype if type_ is not None else "", "shape": shape, "place": place}
