"""What is a model made of, and what does it cost?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeopt import arguments
from edgeopt.cost import Estimate, estimate
from edgeopt.cost.core import load as load_rates
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.lower.lowering import lower
from edgeopt.lower.table import kernels_for
from edgeopt.pipeline import finish, optimize
from edgeopt.report.layers import Layer, Totals, layers, totals
from edgeopt.runtime.artifact import load as load_compiled
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import Target
from edgeopt.target import target as find_target

SIZES = ("weights_bytes", "arena_bytes", "arena_lower_bound", "scratch_bytes")


@dataclass(frozen=True)
class Inspection:
    """``layers`` and their ``totals``; ``sizes`` in bytes of a compiled model.

    Where a target was named, ``costs`` estimates every layer on it, ``host_steps`` are (operator, node) without a kernel, which
    the estimate leaves out, and ``calibrated`` says whether the rates of this machine were measured ('edgeopt calibrate').
    """

    layers: tuple[Layer, ...]
    totals: Totals
    sizes: dict[str, int] = field(default_factory=dict)
    costs: Estimate | None = None
    host_steps: tuple[tuple[str, str], ...] = ()
    calibrated: bool = True


def inspect(
    model: str | Path | CompiledModel,
    level: int = 1,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    target: str | Target | None = None,
) -> Inspection:
    """Operators, output shapes, multiply-accumulates and parameter bytes of an ONNX file or a compiled model, layer by layer.

    With ``target`` what each layer of the optimized model (at ``level``; a compiled model has its own) would cost on that
    processor, which need not be at hand. Raises EdgeoptError for wrong arguments and a model that cannot be read or lowered.
    """
    arguments.instance("model", model, (str, Path, CompiledModel))
    arguments.whole("level", level, 0, 3)
    arguments.shapes(shapes)
    arguments.instance("target", target, (str, Target, type(None)))
    facts = target if isinstance(target, Target) else None if target is None else find_target(target)
    if isinstance(model, CompiledModel) or Path(model).is_dir():
        compiled = model if isinstance(model, CompiledModel) else load_compiled(model)
        if facts is not None:
            return _estimated(compiled.graph, int(compiled.manifest["level"]), facts)
        return _counted(compiled.graph, {key: compiled.manifest[key] for key in SIZES})
    graph = load(model, shapes)
    if facts is None:
        return _counted(graph, {})
    if level:
        finish(graph, optimize(graph, level))
    return _estimated(graph, level, facts)


def _counted(graph: Graph, sizes: dict[str, int]) -> Inspection:
    rows = layers(graph)
    return Inspection(tuple(rows), totals(rows), sizes)


def _estimated(graph: Graph, level: int, facts: Target) -> Inspection:
    program = lower(graph, facts, "edgeopt_model", kernels_for(level))
    rows, costs = layers(graph), estimate(program, graph, facts)
    host_steps = tuple((step.node.op, step.node.name) for step in program.fallbacks)
    calibrated = facts.name != "host" or load_rates(facts) is not None
    return Inspection(tuple(rows), totals(rows), {}, costs, host_steps, calibrated)
