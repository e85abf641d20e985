"""Quantization of a trained network from end to end: the budget holds, the compiled graph decides alike, data is optional."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeopt
from edgeopt.assembly import assemble
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet, read
from edgeopt.evaluate.judge import outputs
from edgeopt.forms.quantize.overlay import overlay_of
from edgeopt.forms.quantize.plan import make_plan
from edgeopt.frontend import export, load
from edgeopt.ir import Graph
from edgeopt.ops.grid import scheme
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.object_code import code_of
from edgeopt.runtime.reading import WEIGHTS
from edgeopt.search import trials
from edgeopt.search.allowed import Budget
from edgeopt.search.run import approximate
from edgeopt.search.why import blame, suggestion
from edgeopt.target import host, target
from tests.edgeopt.quantizing import solved

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MODEL, DATA, CALIBRATION = (EXAMPLES / f"digits.{end}" for end in ("onnx", "eval.npz", "cal.npz"))
INTEGER = ("QuantConv", "QuantGemm", "QuantAdd", "QuantGlobalAveragePool", "QuantAveragePool", "QuantLookup")


def quantized(name: str, **more: object) -> tuple[Graph, DataSet]:
    budget = Budget(DATA, CALIBRATION, forms=name, **more)  # type: ignore[arg-type]
    graph, _ = approximate(load(MODEL), budget, Context(), host())
    return graph, read(DATA, graph)


def accuracy_of(graph: Graph, data: DataSet) -> float:
    assert data.labels is not None
    return metrics.accuracy(outputs(graph, data), data.labels)


@pytest.fixture(scope="module")
def exact() -> tuple[Graph, DataSet]:
    graph = load(MODEL)
    optimize(graph)
    return graph, read(DATA, graph)


@pytest.mark.parametrize("name", ["w8a8", "w4a8", "w8", "w4", "fp16", "w2"])
def test_the_loss_stays_in_the_budget(name: str, exact: tuple[Graph, DataSet]) -> None:
    graph, data = quantized(name)
    assert accuracy_of(graph, data) >= accuracy_of(*exact) - 1.0


@pytest.mark.parametrize(("level", "where"), [(1, "host"), (3, "host"), (2, "x86-64-v3")])
def test_networks_are_judged_by_the_code_that_is_shipped(level: int, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last network that was tried is the one that is compiled: the same machine code and the same weights."""
    tried: list[CompiledModel] = []

    def recorded(*arguments: Any) -> CompiledModel:
        tried.append(assemble(*arguments))
        return tried[-1]

    monkeypatch.setattr(trials, "assemble", recorded)
    if not target(where).runs_here:
        pytest.skip(f"this machine does not run {where}")
    options = edgeopt.Options(quantize="w8a8")
    made = edgeopt.compile(MODEL, level=level, target=where, data=DATA, calibration=CALIBRATION, options=options)
    assert len(tried) >= 2 and code_of(made.files) != code_of(tried[0].files)
    assert any((code_of(made.files), made.files[WEIGHTS]) == (code_of(one.files), one.files[WEIGHTS]) for one in tried)


def test_everything_between_input_and_output_is_integer() -> None:
    graph, _ = quantized("w8a8")
    kinds = {node.op for node in graph.nodes if node.output.type is not None and node.output.type.dtype == "float32"}
    assert [node.op for node in graph.nodes].count("QuantizeLinear") == 1
    assert kinds <= {"QuantGemm", "QuantConv", "Softmax", "Reshape"} and not any(n.op == "DequantizeLinear" for n in graph.nodes)


def test_the_integer_graph_computes_what_the_plan_promised(exact: tuple[Graph, DataSet]) -> None:
    graph, data = exact
    plan = make_plan(graph, read(CALIBRATION, graph), scheme("w8a8"))
    promised = outputs(graph, data, overlay_of(graph, plan))
    integer, _ = quantized("w8a8")
    assert metrics.agreement(outputs(integer, data), promised) >= 99.0


def test_signed_activations_for_arm() -> None:
    graph, _ = approximate(load(MODEL), Budget(DATA, CALIBRATION, forms="w8a8"), Context(), target("arm"))
    types = {n.output.type.dtype for n in graph.nodes if n.op == "QuantizeLinear" and n.output.type is not None}
    assert types == {"int8"}


def test_without_data_it_says_so_and_keeps_the_accuracy(exact: tuple[Graph, DataSet]) -> None:
    graph, found = approximate(load(MODEL), Budget(), Context(), host())
    assert found is not None and "without data" in found.summary()
    assert accuracy_of(graph, exact[1]) >= accuracy_of(*exact) - 1.0


def test_a_budget_of_nothing_gives_layers_back() -> None:
    graph, found = approximate(load(MODEL), Budget(DATA, CALIBRATION, max_drop=0.0, forms="w1"), Context(), host())
    assert found is not None and found.after >= found.before and found.given_back


def test_each_layer_records_its_error() -> None:
    graph, _ = quantized("w8a8")
    layers = [n for n in graph.nodes if n.op in ("QuantConv", "QuantGemm")]
    assert layers and all(float(n.metadata["edgeopt.error"]) >= 0 for n in layers)


@pytest.mark.parametrize("scheme", [None, "w8a8"])
def test_a_graph_without_layers_is_left_with_a_note(scheme: str | None) -> None:
    from tests.passes.building import closed, sketch

    draft, x = sketch()
    graph = closed(draft, draft.op("Relu", x))
    same, found = approximate(graph, Budget(forms=scheme), Context(), host())
    assert same is graph and found is None and "nothing was quantised: it has no" in graph.metadata["edgeopt.notes"]


def test_compiled_the_network_decides_as_reported() -> None:
    model = edgeopt.compile(MODEL, level=3, data=DATA, calibration=CALIBRATION, options=edgeopt.Options(quantize="w8a8"))
    about = model.manifest["quantization"]
    assert about["before"] - about["after"] <= 1.0 and {layer["form"] for layer in about["layers"]} == {"w8a8"}
    given, labels = read(DATA, load(MODEL)), read(DATA, load(MODEL)).labels
    assert labels is not None
    made = model.run(given.arrays)[model.manifest["outputs"][0]["name"]]
    assert about["after"] == metrics.accuracy(made, labels)
    data = read(DATA, load(MODEL)).take(slice(0, 64))
    expected = outputs(quantized("w8a8")[0], data)
    actual = np.asarray(model.run(data.arrays)[model.manifest["outputs"][0]["name"]])
    assert metrics.agreement(actual, expected) >= 98.0


@pytest.mark.parametrize("name", ["host", "cortex-a53", "cortex-a76"])
def test_no_network_becomes_slower(name: str) -> None:
    about = edgeopt.compile(MODEL, level=3, target=name, data=DATA, calibration=CALIBRATION).manifest["quantization"]
    totals, forms = about["totals"], {layer["form"] for layer in about["layers"]}
    assert totals["result"]["seconds"] <= totals["float32"]["seconds"]
    assert ("rejected" in totals) == (forms == {"float32"})
    if "rejected" in totals:
        assert totals["rejected"]["seconds"] > totals["float32"]["seconds"]


def test_standard_form_runs_in_onnxruntime(exact: tuple[Graph, DataSet]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    graph, _ = approximate(load(MODEL), Budget(DATA, CALIBRATION, forms="w8a8"), Context(), host(), "standard")
    model = export(graph, portable=True)
    assert {n.domain for n in model.graph.node} == {""} and "QuantizeLinear" in {n.op_type for n in model.graph.node}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    data = exact[1].take(slice(0, 64))
    name = graph.inputs[0].name
    actual = np.concatenate([session.run(None, {name: x[None]})[0] for x in data.arrays[name]])
    assert metrics.agreement(actual, outputs(graph, data)) >= 98.0


def test_blame_names_the_layer_that_was_spoilt(exact: tuple[Graph, DataSet]) -> None:
    graph, data = exact
    plan = make_plan(graph, read(CALIBRATION, graph), scheme("w8a8"))
    spoilt = list(plan.weights)[1]
    coarse = make_plan(graph, read(CALIBRATION, graph), scheme("w1"), [spoilt])
    plan.weights[spoilt] = coarse.weights[spoilt]
    whole, rows = blame(graph, solved(graph, plan), data.subset(48), target("cortex-a53"), 3)
    assert rows[0].layer == spoilt.split("~")[0] and rows[0].without_ratio > whole + 1.0
    assert rows[0].layer in suggestion(whole, rows) and "dB for" in suggestion(whole, rows)
    assert all(r.seconds_before > 0 and r.seconds_after > 0 for r in rows)


def test_layers_that_hurt_take_a_finer_form_before_float() -> None:
    graph, found = approximate(load(MODEL), Budget(DATA, CALIBRATION, max_drop=0.0, forms="w4a8"), Context(), host())
    assert found is not None and found.after >= found.before
    assert set(found.forms.values()) <= {"w4a8", "w8a8", "w8a16", "float32"}
    if found.given_back:
        assert {found.forms[n] for n in found.given_back} & {"w8a8", "w8a16"}
    assert accuracy_of(graph, read(DATA, graph)) >= found.before - 0.5
