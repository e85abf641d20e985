"""The approximate half of -O3: from a float graph to one inside its budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import onnx
from onnx import version_converter

from edgeopt import arguments
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet, admit, generated, read
from edgeopt.forms.quantize.data_free import ChannelStatistics, batch_norm_statistics, covers, fitted_inputs, matched
from edgeopt.forms.quantize.export_grids import completed, float_nodes
from edgeopt.forms.quantize.profiles import Profile, profile
from edgeopt.forms.quantize.recipe import AUTO
from edgeopt.forms.quantize.sensitivity import outputs, overlay_of
from edgeopt.frontend import export, load
from edgeopt.frontend.compact import compact
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.ops.finite import refuse_infinite
from edgeopt.ops.grid import QuantizationScheme, scheme
from edgeopt.ops.grids import linear_nodes
from edgeopt.pipeline import FORMS, QUANTIZING, PrintAfter, optimize, technique
from edgeopt.rewrite import Context, run_pass
from edgeopt.search.choice import Goal, Objective, Quantization, quantize_within, quantize_without_data
from edgeopt.search.unquantized import note_of, unquantized
from edgeopt.target import Target

DEFAULT = "w8a8"
OPSETS = {"int4": 21, "uint4": 21, "int16": 21, "uint16": 21, "int2": 25, "binary": 25}
DYNAMIC_OPSET = 11
FINER = {"w8a8": ("w8a16",), "w4a8": ("w8a8", "w8a16"), "w4a4": ("w4a8", "w8a8")}
IR_VERSIONS = {11: 6, 21: 10, 25: 13}
DATA_FREE_SAMPLES = 32
Data = DataSet | str | Path
Form = Literal["integer", "standard"]


@dataclass(frozen=True)
class Budget:
    """What the user allows. ``data`` is for evaluation; when ``calibration`` is not given, a seeded half of it calibrates.

    ``quantize`` names a scheme that is wanted in any case. Without one it is int8, where the target does not get slower by it;
    or everywhere, when ``objective`` is ``size``. ``profile`` names the runtime that reads the ``standard`` form.
    With ``accept_chance`` a float model that is right no more often than guessing does not stop the work.
    """

    data: Data | None = None
    calibration: Data | None = None
    max_drop: float = 1.0
    quantize: str | None = None
    objective: Objective = "latency"
    method: str = AUTO
    profile: str | None = None
    accept_chance: bool = False

    def __post_init__(self) -> None:
        arguments.share("max_drop", self.max_drop)


def approximate(
    graph: Graph,
    budget: Budget,
    context: Context,
    target: Target,
    form: Form = "integer",
    print_after: PrintAfter | None = None,
) -> tuple[Graph, Quantization | None]:
    """Optimise ``graph`` exactly and quantise it inside ``budget`` for ``target``.

    ``form`` is what is made of the result: ``integer`` operators for compilation, or ``standard`` operators between
    QuantizeLinear and DequantizeLinear, which other runtimes read. Returns the graph, which is another one when the scheme needs
    a newer opset, and what was decided: None, with a note why, for a graph that has nothing to quantise. Raises EdgeoptError
    when the data does not fit the graph.
    """
    wanted, finer = _schemes(budget, target, form)
    original = clone(graph)
    graph, found = _attempt(graph, (wanted,), budget, context, target, form, print_after)
    if found is not None and found.given_back and finer and _can_have(original, finer):
        # types of 16 bits may need a newer opset, so they are tried only where 8 bits leave layers in float
        graph, found = _attempt(original, (wanted, *finer), budget, context, target, form, print_after)
    if left := unquantized(graph):
        add_note(graph, note_of(left))
    if found is not None:
        _carry_out(graph, found, context, form, budget, print_after)
    return graph, found


def note_unused(graph: Graph, data: Data | None, calibration: Data | None) -> None:
    """Say of data for a graph that is not approximated that nothing is measured on it."""
    given = [name for name, source in (("data", data), ("calibration", calibration)) if source is not None]
    if given:
        add_note(graph, f"nothing is measured on {' and '.join(given)}: below -O3 and without --quantize every number is kept")


def _schemes(budget: Budget, target: Target, form: Form) -> tuple[QuantizationScheme, tuple[QuantizationScheme, ...]]:
    """The scheme that is asked for, and those that layers may take instead when it loses too much."""
    wanted = scheme(budget.quantize or DEFAULT)
    if form == "standard":
        return _reader(budget, target).adapt(wanted), ()
    return scheme_for(wanted.name, target), tuple(scheme_for(name, target) for name in FINER.get(wanted.name, ()))


def scheme_for(name: str, target: Target) -> QuantizationScheme:
    """The scheme called ``name`` with the activations that ``target`` multiplies. Raises EdgeoptError for unknown names."""
    found = scheme(name)
    return found.signed() if target.signed_bytes else found


def _attempt(
    graph: Graph,
    schemes: tuple[QuantizationScheme, ...],
    budget: Budget,
    context: Context,
    target: Target,
    form: Form,
    print_after: PrintAfter | None,
) -> tuple[Graph, Quantization | None]:
    """``graph`` optimised, and what the search finds with ``schemes``."""
    graph = with_opset(graph, *schemes)
    statistics = batch_norm_statistics(graph)
    optimize(graph, context.level, context, print_after=print_after)
    if form == "standard":
        run_pass(graph, FORMS["split_residual"], context)
    reason = _obstacle(graph)
    if reason:
        add_note(graph, f"nothing was quantised: {reason}")
        return graph, None
    refuse_infinite(linear_nodes(graph))
    objective = "size" if budget.quantize is not None else budget.objective
    goal = Goal(schemes, target, context.level, budget.max_drop, budget.method, objective, budget.accept_chance)
    calibration, evaluation = _data(graph, budget)
    if calibration is None:
        return graph, _without_data(graph, goal, statistics)
    found = quantize_within(graph, calibration, evaluation or calibration, goal)
    if form == "standard":
        found = _completed(graph, found, calibration, evaluation or calibration, goal, _reader(budget, target))
    return graph, found


def _carry_out(
    graph: Graph, found: Quantization, context: Context, form: Form, budget: Budget, print_after: PrintAfter | None
) -> None:
    """Make of ``graph`` what was found, in the ``form`` that is wanted."""
    for name in QUANTIZING:
        run_pass(graph, technique(name)(found.plan), context)
    if found.metric == "accuracy":
        add_note(graph, f"the float model is right on {found.before:.2f} % of {found.samples} samples")
    add_note(graph, found.summary())
    if form == "standard":
        run_pass(graph, FORMS["standard_products"], context)
        optimize(graph, context.level, context, only=["dead_code"], print_after=print_after)
        if budget.profile and profile(budget.profile).everything and (left := float_nodes(graph)):
            add_note(graph, f"left in float: {', '.join(left)}")
    else:
        # first of all, or constant folding would widen small weights
        optimize(graph, context.level, context, only=["fold_weight_dequantization"], print_after=print_after)
        optimize(graph, context.level, context, print_after=print_after)
    compact(graph)


def _reader(budget: Budget, target: Target) -> Profile:
    return profile(budget.profile or ("arm" if target.signed_bytes else "x86"))


def _completed(
    graph: Graph, found: Quantization, calibration: DataSet, evaluation: DataSet, goal: Goal, reader: Profile
) -> Quantization:
    """``found`` with the grids that the reader of the file wants besides, verified again."""
    scheme = goal.schemes[0]
    if not scheme.activations or scheme.dynamic:
        return found
    plan = completed(graph, found.plan, calibration, scheme, goal.method, reader.everything)
    result, labels = outputs(graph, evaluation, overlay_of(graph, plan)), evaluation.labels
    agreement = metrics.agreement(result, outputs(graph, evaluation))
    after = agreement if labels is None else metrics.accuracy(result, labels)
    if found.before - after > goal.max_drop >= found.before - found.after:
        lost = f"{found.after:.2f} % to {after:.2f} %"
        add_note(graph, f"rounding what profile {reader.name} wants rounded besides takes the {found.metric} from {lost}")
    return replace(found, plan=plan, after=after, agreement=agreement)


def quantizable(graph: Graph, wanted: QuantizationScheme, level: int) -> Graph:
    """``graph`` optimised exactly, at an opset with the types of the scheme. Raises EdgeoptError when it cannot be quantised."""
    graph = with_opset(graph, wanted)
    optimize(graph, level)
    if reason := _obstacle(graph):
        left = unquantized(graph)
        raise EdgeoptError("; ".join([f"graph '{graph.name}' cannot be quantised: {reason}", *([note_of(left)] if left else [])]))
    return graph


def _obstacle(graph: Graph) -> str:
    return "" if linear_nodes(graph) else "it has no convolution or matrix product with constant float32 weights"


def _without_data(graph: Graph, goal: Goal, statistics: dict[str, ChannelStatistics]) -> Quantization:
    """Activations too where batch normalisation recorded what they look like, else weights alone, rounded to nearest."""
    inputs = generated(graph, DATA_FREE_SAMPLES)
    if covers(graph, statistics):
        inputs = fitted_inputs(graph, inputs, statistics)
        return quantize_without_data(graph, inputs, goal, matched(graph, inputs, statistics))
    narrow = [s if s.dynamic else replace(s, name=f"{s.weights} weights only", activations="") for s in goal.schemes]
    return quantize_without_data(graph, inputs, replace(goal, schemes=tuple(narrow)))


def _data(graph: Graph, budget: Budget) -> tuple[DataSet | None, DataSet | None]:
    data, calibration = _read(budget.data, graph), _read(budget.calibration, graph)
    if data is not None and calibration is None:
        return data.split()
    if data is not None and calibration is not None:
        calibration = replace(calibration, output=data.output)
    return calibration, data


def _read(source: Data | None, graph: Graph) -> DataSet | None:
    if source is None:
        return None
    made = read(source, graph) if isinstance(source, (str, Path)) else admit(source, graph)
    if made.repeated:
        add_note(graph, f"{made.repeated} samples are taken twice to fill the last batch of {next(iter(made.rows.values()))}")
    return made


def _can_have(graph: Graph, schemes: tuple[QuantizationScheme, ...]) -> bool:
    try:
        with_opset(graph, *schemes)
    except EdgeoptError:
        return False
    return True


def with_opset(graph: Graph, *schemes: QuantizationScheme) -> Graph:
    needed = [OPSETS.get(t, 0) for s in schemes for t in (s.weights, s.activations)]
    opset = max(*needed, DYNAMIC_OPSET if any(s.dynamic for s in schemes) else 0)
    if graph.opset >= opset:
        return graph
    try:
        model = version_converter.convert_version(export(graph), opset)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise EdgeoptError(f"the quantised form needs opset {opset}, to which the model cannot be raised: {error}") from error
    model.ir_version = max(model.ir_version, IR_VERSIONS[opset])
    raised = load(model)
    add_note(raised, f"opset raised from {graph.opset} to {opset}, which first has the types of {schemes[-1].name}")
    return raised
