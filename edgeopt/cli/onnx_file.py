"""``--emit onnx`` of ``compile`` and ``compress``: the model as a file for other runtimes, in the place of an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgeopt.cli.answer import answer
from edgeopt.cli.console import note
from edgeopt.cli.request import Request
from edgeopt.cli.summary import print_notes
from edgeopt.files import refuse_place

if TYPE_CHECKING:
    from edgeopt.ir import Graph
    from edgeopt.pipeline import PrintAfter
    from edgeopt.rewrite import Context
    from edgeopt.search.allowed import Budget

Place = tuple[int, str, Mapping[str, tuple[int, ...]]]
Limits = tuple[Path | None, Path | None, float]  # evaluation data, calibration data, percentage points


def write_onnx(asked: Request, context: Context, shown: PrintAfter | None) -> None:
    """The optimized model, in other forms where the options ask for them."""
    from edgeopt.frontend import load, save
    from edgeopt.frontend.preparation import parse_preparation, prepare_inputs
    from edgeopt.ops.finite import refuse_nan
    from edgeopt.pipeline import optimize
    from edgeopt.search.run import approximate
    from edgeopt.search.unused import note_unused
    from edgeopt.target import target as find_target

    path = asked.output or Path(f"{asked.model.stem}.optimized.onnx")
    _refuse_other_files(path, asked.model)  # before the work, not after it
    graph = load(asked.model, asked.shapes, asked.max_memory, asked.bind)
    prepare_inputs(graph, {name: parse_preparation(text) for name, text in asked.inputs.items()})
    refuse_nan(graph)
    if asked.approximate:
        graph, _ = approximate(graph, _budget(asked), context, find_target(asked.target), "standard", shown)
    else:
        optimize(graph, asked.level, context, asked.passes or None, shown)
        note_unused(graph, _budget(asked), asked.level)
    save(graph, path, portable=asked.portable or asked.approximate)
    _tell(graph, path)


def write_compressed(model: Path, output: Path | None, recipe: str, place: Place, limits: Limits) -> None:
    """The model with weights as a recipe makes them, for a place (level, target, shapes), within limits."""
    from edgeopt.frontend import load, save
    from edgeopt.ops.finite import refuse_nan
    from edgeopt.rewrite import Context
    from edgeopt.search.allowed import Budget
    from edgeopt.search.recipe import read_recipe
    from edgeopt.search.run import approximate
    from edgeopt.target import target as find_target

    path = output or Path(f"{model.stem}.compressed.onnx")
    _refuse_other_files(path, model)  # before the work, not after it
    (level, target, shapes), (data, calibration, max_drop) = place, limits
    budget = Budget(data, calibration, max_drop, recipe=read_recipe(recipe))
    graph = load(model, shapes)
    refuse_nan(graph)
    graph, _ = approximate(graph, budget, Context(level=level), find_target(target), "standard")
    save(graph, path, portable=True)
    _tell(graph, path)


def _tell(graph: Graph, path: Path) -> None:
    from edgeopt.frontend import notes

    print_notes(notes(graph))
    answer({"output": path, "nodes": len(graph.nodes)})
    note(f"wrote {path}: {len(graph.nodes)} nodes")


def _budget(asked: Request) -> Budget:
    from edgeopt.search.allowed import Budget
    from edgeopt.search.pins import Pins

    limits = (asked.data, asked.calibration, asked.max_drop, asked.wanted)
    pins = Pins(asked.keep_float, asked.layer_forms, asked.wanted is None and asked.level < 3)
    return Budget(*limits, asked.objective, asked.method, asked.profile, asked.accept_chance, pins=pins)


def _refuse_other_files(path: Path, model: Path) -> None:
    """Raise EdgeoptError where writing an ONNX file to ``path`` would replace the model itself or a file of another kind."""
    from edgeopt.errors import EdgeoptError

    if path.exists() and path.samefile(model):
        raise EdgeoptError(f"'{path}' is the model itself; give another file with -o")
    if path.is_file() and path.suffix != ".onnx":
        raise EdgeoptError(f"'{path}' exists and is no .onnx file; give another one with -o, or remove it")
    refuse_place(path)
