"""The approximate half of -O3: from a float graph to one inside its budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from onnx import version_converter

from edgeopt.accuracy.data import DataSet, generated, read
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import export, load
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph
from edgeopt.ops.quantization import QuantizationScheme, scheme
from edgeopt.pipeline import PrintAfter, optimize, technique
from edgeopt.rewrite import Context, run_pass
from edgeopt.search.data_free import ChannelStatistics, batch_norm_statistics, covers, fitted_inputs, matched
from edgeopt.search.quantization import Quantization, quantize_within, quantize_without_data
from edgeopt.search.sensitivity import sensitivities

OPSETS = {"int4": 21, "uint4": 21, "int2": 25, "binary": 25}
IR_VERSIONS = {21: 10, 25: 13}
DATA_FREE_SAMPLES = 32
Data = DataSet | str | Path


@dataclass(frozen=True)
class Budget:
    """What the user allows. ``data`` is for evaluation; when ``calibration`` is not given, a seeded half of it calibrates."""

    data: Data | None = None
    calibration: Data | None = None
    max_drop: float = 1.0
    quantize: str = "w8a8"
    method: str = "mse"


def approximate(
    graph: Graph,
    budget: Budget,
    context: Context,
    signed: bool = False,
    fold: bool = True,
    level: int = 1,
    print_after: PrintAfter | None = None,
) -> tuple[Graph, Quantization]:
    """Optimise ``graph`` exactly, quantise it inside ``budget`` and, with ``fold``, make integer operators of the result.

    ``signed`` asks for signed activations. Returns the graph, which is another one when the scheme needs a newer opset. Raises
    EdgeoptError when the graph cannot be quantised or the data does not fit it.
    """
    wanted = scheme(budget.quantize)
    wanted = wanted.signed() if signed else wanted
    graph = _with_opset(graph, max(OPSETS.get(t, 0) for t in (wanted.weights, wanted.activations)))
    statistics = batch_norm_statistics(graph)
    optimize(graph, level, context, print_after=print_after)
    calibration, evaluation = _data(graph, budget)
    if calibration is None:
        found = _without_data(graph, wanted, statistics)
    else:
        found = _with_data(graph, calibration, evaluation, wanted, budget)
    run_pass(graph, technique("quantize")(found.plan), context)
    add_note(graph, found.summary())
    if fold:
        optimize(graph, level, context, print_after=print_after)
    return graph, found


def _without_data(graph: Graph, wanted: QuantizationScheme, statistics: dict[str, ChannelStatistics]) -> Quantization:
    """Activations too where batch normalisation recorded what they look like, else weights alone, rounded to nearest."""
    inputs = generated(graph, DATA_FREE_SAMPLES)
    if covers(graph, statistics):
        inputs = fitted_inputs(graph, inputs, statistics)
        return quantize_without_data(graph, inputs, wanted, matched(graph, inputs, statistics))
    return quantize_without_data(graph, inputs, replace(wanted, name=f"{wanted.weights} weights only", activations=""), None)


def _with_data(
    graph: Graph, calibration: DataSet, evaluation: DataSet | None, wanted: QuantizationScheme, budget: Budget
) -> Quantization:
    found = quantize_within(graph, calibration, evaluation or calibration, wanted, budget.max_drop, budget.method)
    errors = sensitivities(graph, found.plan, calibration)
    return replace(found, plan=replace(found.plan, errors=errors))


def _data(graph: Graph, budget: Budget) -> tuple[DataSet | None, DataSet | None]:
    data, calibration = _read(budget.data, graph), _read(budget.calibration, graph)
    if data is not None and calibration is None:
        return data.split()
    return calibration, data


def _read(source: Data | None, graph: Graph) -> DataSet | None:
    return read(source, graph) if isinstance(source, (str, Path)) else source


def _with_opset(graph: Graph, opset: int) -> Graph:
    if graph.opset >= opset:
        return graph
    try:
        model = version_converter.convert_version(export(graph), opset)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise EdgeoptError(f"the quantised form needs opset {opset}, to which the model cannot be raised: {error}") from error
    model.ir_version = max(model.ir_version, IR_VERSIONS[opset])
    raised = load(model)
    add_note(raised, f"opset raised from {graph.opset} to {opset}, which first has the element type of the weights")
    return raised
