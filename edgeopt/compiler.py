"""From a model to a CompiledModel: frontend, passes, lowering, code generation, in that order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from onnx import ModelProto

from edgeopt.assembly import SYMBOL, assemble
from edgeopt.codegen.tuned import Tuner
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.lower.lowering import by_rule
from edgeopt.lower.table import kernels_for
from edgeopt.pipeline import PrintAfter, optimize
from edgeopt.rewrite import Context
from edgeopt.runtime.model import CompiledModel
from edgeopt.search.choice import Objective
from edgeopt.search.result import record
from edgeopt.search.run import Budget, Data, approximate
from edgeopt.search.timing import layer_name
from edgeopt.target import Target
from edgeopt.target import target as find_target


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
    objective: Objective = "latency",
    method: str = "auto",
) -> CompiledModel:
    """Compile ``model`` at optimisation ``level`` for ``target``.

    ``shapes`` binds symbolic dimensions of inputs. A Graph is changed in place. ``context`` receives what the passes did;
    ``only`` and ``print_after`` are handed to ``edgeopt.pipeline.optimize``. Another target than the host gets a C library
    (``libmodel.a``, ``model.h``, ``example.c``, and ``libmodel.so`` where a linker is installed) instead of code to run in this
    process; ``emit="c-library"`` adds one for the host.
    Level 3, or a scheme named in ``quantize``, approximates within ``max_drop`` percentage points, measured on ``data``;
    ``calibration`` gives the ranges (a part of ``data`` when left out). Both are npz files or DataSets. Level 3 leaves in float
    what would be slower, unless the ``objective`` is ``size``.
    ``method`` is the rule of the ranges (``edgeopt.forms.quantize.grids``).
    ``tune`` measures which kernel and tiling is fastest for each call, where otherwise a rule decides, and remembers it.
    Raises EdgeoptError for a model that cannot be read, quantised or lowered.
    """
    graph = model if isinstance(model, Graph) else load(model, shapes)
    facts = target if isinstance(target, Target) else find_target(target)
    context, found = context or Context(level=level), None
    if quantize is not None or (level >= 3 and only is None):
        budget = Budget(data, calibration, max_drop, quantize, objective, method)
        graph, found = approximate(graph, budget, context, facts, "integer", print_after)
    elif level > 0:
        optimize(graph, level, context, only, print_after)
    library = emit == "c-library" or not facts.is_host
    tuner = Tuner(facts, kernels_for(level)) if tune else None
    made = assemble(graph, facts, level, context, _identifier(model) if library else SYMBOL, library, tuner or by_rule)
    if tuner is not None:
        made.manifest["tuning"] = {"calls": tuner.calls, "measured": tuner.measured}
    if found is not None:
        made.manifest["quantization"] = record(found)
        known = {layer["layer"] for layer in made.manifest["quantization"]["layers"]}
        made.manifest["islands"] = [i for i in made.manifest["islands"] if layer_name(i["node"]) not in known]
    return made


def _identifier(model: str | Path | ModelProto | Graph) -> str:
    """A C identifier from the model's file name."""
    stem = Path(model).stem if isinstance(model, (str, Path)) else model.name if isinstance(model, Graph) else model.graph.name
    word = re.sub(r"[^0-9A-Za-z]+", "_", stem).strip("_").lower() or "model"
    return f"model_{word}" if word[0].isdigit() else word
