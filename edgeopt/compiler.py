"""From a model to a CompiledModel: frontend, passes, lowering, code generation, in that order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from onnx import ModelProto

from edgeopt.codegen.build import build
from edgeopt.frontend import export, load
from edgeopt.ir import Graph
from edgeopt.library import library_files
from edgeopt.lower.lowering import by_rule, lower
from edgeopt.lower.table import kernels_for
from edgeopt.manifest import describe
from edgeopt.pipeline import PrintAfter, optimize
from edgeopt.rewrite import Context
from edgeopt.runtime import CODE, MODEL, WEIGHTS, CompiledModel
from edgeopt.search.approximate import Budget, Data, approximate
from edgeopt.search.approximate import describe as describe_quantization
from edgeopt.search.tuning import Tuner
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
    emit: str | None = None,
    data: Data | None = None,
    calibration: Data | None = None,
    max_drop: float = 1.0,
    quantize: str | None = None,
    tune: bool = False,
) -> CompiledModel:
    """Compile ``model`` at optimisation ``level`` for ``target``.

    ``shapes`` binds symbolic dimensions of inputs. A Graph is changed in place. ``context`` receives what the passes did;
    ``only`` and ``print_after`` are handed to ``edgeopt.pipeline.optimize``. Another target than the host gets a C library
    (``libmodel.a``, ``model.h``, ``example.c``, and ``libmodel.so`` where a linker is installed) instead of code to run in this
    process; ``emit="c-library"`` adds one for the host.
    Level 3, or a scheme named in ``quantize``, approximates within ``max_drop`` percentage points, measured on ``data``;
    ``calibration`` gives the ranges (a part of ``data`` when left out). Both are npz files or DataSets.
    ``tune`` measures which kernel and tiling is fastest for each call, where otherwise a rule decides, and remembers it.
    Raises EdgeoptError for a model that cannot be read, quantised or lowered.
    """
    graph = model if isinstance(model, Graph) else load(model, shapes)
    facts = target if isinstance(target, Target) else find_target(target)
    context, found = context or Context(level=level), None
    if quantize is not None or (level >= 3 and only is None):
        budget = Budget(data, calibration, max_drop, quantize or "w8a8")
        required = quantize is not None
        graph, found = approximate(graph, budget, context, facts.signed_bytes, "integer", required, print_after)
    elif level > 0:
        optimize(graph, level, context, only, print_after)
    symbol = _identifier(model) if emit == "c-library" or not facts.is_host else SYMBOL
    table = kernels_for(level)
    tuner = Tuner(facts, table) if tune else None
    program = lower(graph, facts, symbol, table, tuner or by_rule)
    files: dict[str, bytes | memoryview] = {WEIGHTS: program.weights, MODEL: export(graph).SerializeToString()}
    notes: list[str] = []
    if symbol != SYMBOL:
        made, notes = library_files(program, facts)
        files.update(made)
    if facts.is_host:
        files[CODE] = build(program, facts)
    manifest = describe(graph, program, facts, level, context)
    manifest["notes"] += notes
    if tuner is not None:
        manifest["tuning"] = {"calls": tuner.calls, "measured": tuner.measured}
    if found is not None:
        manifest["quantization"] = describe_quantization(found)
    return CompiledModel(manifest, files, graph)


def _identifier(model: str | Path | ModelProto | Graph) -> str:
    """A C identifier from the model's file name."""
    stem = Path(model).stem if isinstance(model, (str, Path)) else model.name if isinstance(model, Graph) else model.graph.name
    word = re.sub(r"[^0-9A-Za-z]+", "_", stem).strip("_").lower() or "model"
    return f"model_{word}" if word[0].isdigit() else word
