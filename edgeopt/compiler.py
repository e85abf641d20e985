"""From a model to a CompiledModel: frontend, passes, lowering, code generation, in that order."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnx import ModelProto

from edgeopt.codegen.build import build
from edgeopt.frontend import export, load
from edgeopt.ir import Graph
from edgeopt.lower.lowering import lower
from edgeopt.lower.program import Binding, HostStep, Program
from edgeopt.pipeline import PrintAfter, optimize
from edgeopt.rewrite import Context
from edgeopt.runtime import CompiledModel
from edgeopt.target import Target
from edgeopt.target import target as find_target

SYMBOL = "edgeopt_model"


def compile(
    model: str | Path | ModelProto | Graph,
    level: int = 1,
    target: str | Target = "host",
    shapes: Mapping[str, Sequence[int]] | None = None,
    context: Context | None = None,
    only: Sequence[str] | None = None,
    print_after: PrintAfter | None = None,
) -> CompiledModel:
    """Compile ``model`` at optimisation ``level`` for ``target``.

    ``shapes`` binds symbolic dimensions of inputs. A Graph is changed in place. ``context`` receives what the passes did;
    ``only`` and ``print_after`` are handed to ``edgeopt.pipeline.optimize``.
    Raises EdgeoptError for a model that cannot be read or lowered.
    """
    graph = model if isinstance(model, Graph) else load(model, shapes)
    facts = target if isinstance(target, Target) else find_target(target)
    if level > 0:
        context = optimize(graph, level, context, only, print_after)
    program = lower(graph, facts, SYMBOL)
    manifest = _manifest(graph, program, facts, level, context)
    return CompiledModel(manifest, build(program, facts), program.weights, export(graph).SerializeToString(), graph)


def _manifest(graph: Graph, program: Program, target: Target, level: int, context: Context | None) -> dict[str, Any]:
    return {
        "name": program.name,
        "model": graph.name,
        "level": level,
        "target": dataclasses.asdict(target),
        "inputs": [_binding(b) for b in program.inputs],
        "outputs": [_binding(b) for b in program.outputs],
        "arena_bytes": program.arena_bytes,
        "arena_lower_bound": program.lower_bound,
        "scratch_bytes": program.scratch_bytes,
        "weights_bytes": len(program.weights),
        "parts": _parts(program),
        "fallbacks": [{"op": s.node.op, "node": s.node.name, "reason": s.reason} for s in program.fallbacks],
        "kernels": [{"node": s.node, "op": s.op, "kernel": _kernel_label(s.call.function, s.call.label)} for s in program.native],
        "passes": {name: n for name, n in (context.fired if context else {}).items() if n},
        "notes": [*graph.metadata.get("edgeopt.notes", "").splitlines(), *program.notes],
    }


def _kernel_label(function: Any, label: str) -> str:
    return label or f"{function.__module__.rsplit('.', 1)[-1]}.{function.__name__}"


def _parts(program: Program) -> list[dict[str, Any]]:
    """Runs of native steps and single host steps, in order."""
    parts: list[dict[str, Any]] = []
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


def _binding(binding: Binding) -> dict[str, Any]:
    type_ = binding.type
    place = None if binding.place is None else [binding.place.kind, binding.place.offset]
    shape = list(type_.dims) if type_ is not None and type_.static else None
    return {"name": binding.name, "dtype": type_.dtype if type_ is not None else "", "shape": shape, "place": place}
