"""The scheme w8a8-dynamic: no calibration, the standard form that onnxruntime runs, and what it costs real networks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

import edgeopt
from edgeopt.evaluate.data import read
from edgeopt.evaluate.metrics import accuracy
from edgeopt.frontend import export, load
from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Graph
from edgeopt.ops.grids import QuantizationPlan, linear_nodes, round_weight
from edgeopt.passes import quantize_dynamic
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context, run_pass
from edgeopt.search.allowed import Budget
from edgeopt.search.run import approximate
from edgeopt.target import host
from tests.edgeopt.command_line import DIGITS, EVALUATION
from tests.edgeopt.runtime_oracle import SATURATES
from tests.passes.building import closed
from tests.strategies import Draft, Seeded

SCHEME = "w8a8-dynamic"


def layer(activation: str, residual: bool) -> Graph:
    draft = Draft(Seeded(4), 13)
    x = draft.input((1, 5, 6, 7))
    weights = [draft.weight(5, 5, 3, 3), draft.weight(5), *([x] if residual else [])]
    y = draft.own("FusedConv", x, *weights, pads=(1, 1, 1, 1), activation=activation, alpha=-0.3, beta=0.4)
    matrix = draft.own("FusedGemm", draft.op("Flatten", y), draft.weight(210, 9), activation="Relu")
    return closed(draft, matrix)


@pytest.mark.parametrize("activation", ["", "Relu", "Clip", "HardSwish", "Silu", "Gelu", "LeakyRelu"])
@pytest.mark.parametrize("residual", [False, True])
def test_the_standard_form_means_the_layer_and_folds(activation: str, residual: bool) -> None:
    graph = layer(activation, residual)
    nodes = linear_nodes(graph)
    plan = QuantizationPlan({n.name: round_weight(n, "int8", True) for n in nodes}, dynamic=frozenset(n.name for n in nodes))
    x = np.random.default_rng(0).standard_normal((1, 5, 6, 7)).astype(np.float32)
    feeds = {graph.inputs[0].name: x}
    (before,) = interpret(graph, feeds).values()
    assert run_pass(graph, quantize_dynamic.make(plan), Context()) == 2
    assert not any(n.is_own("FusedConv", "FusedGemm") for n in graph.nodes)
    (standard,) = interpret(graph, feeds).values()
    assert 0 < np.abs(standard - before).max() < 0.05 * np.abs(before).max()
    optimize(graph)
    assert {n.op for n in graph.nodes if n.domain == OWN_DOMAIN} >= {"DynamicConv", "DynamicGemm"}
    (folded,) = interpret(graph, feeds).values()
    np.testing.assert_allclose(folded, standard, rtol=1e-5, atol=1e-4)


def test_codes_of_another_type_are_declined() -> None:
    graph, context = layer("", False), Context()
    weights = {n.name: round_weight(n, "int4", True) for n in linear_nodes(graph)}
    assert run_pass(graph, quantize_dynamic.make(QuantizationPlan(weights, dynamic=frozenset(weights))), context) == 0
    assert "int4" in context.declined[0][2]


def outputs(model: Path | str | ModelProto, data: Mapping[str, Array], quantize: str | None = None) -> Array:
    return next(iter(edgeopt.compile(model, level=1, options=edgeopt.Options(quantize=quantize)).run(dict(data)).values()))


def test_digits_without_data() -> None:
    held = np.load(EVALUATION)
    made = edgeopt.compile(DIGITS, level=1, options=edgeopt.Options(quantize=SCHEME))
    assert any(SCHEME in note and "6 of 6 layers" in note for note in made.manifest["notes"])
    plain = outputs(DIGITS, {"image": held["image"]})
    result = made.run({"image": held["image"]})["logits"]
    assert accuracy(result, held["labels"]) >= accuracy(plain, held["labels"]) - 0.5


@pytest.mark.skipif(SATURATES, reason="onnxruntime saturates sums of two products of bytes on this processor")
def test_onnxruntime_runs_the_standard_form() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    graph, _ = approximate(load(DIGITS), Budget(forms=SCHEME), Context(level=1), host(), "standard")
    assert {n.op for n in graph.nodes} >= {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"}
    session = onnxruntime.InferenceSession(export(graph).SerializeToString(), providers=["CPUExecutionProvider"])
    images = np.load(EVALUATION)["image"][:40]
    theirs = np.concatenate([session.run(None, {"image": image[None]})[0] for image in images])
    ours = outputs(export(graph), {"image": images})
    # a code of a later layer may differ where a float before it does in its last bit
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.02 * float(np.abs(theirs).max()))


@pytest.mark.parametrize("name, loss", [("lenet300_100_mnist", 0.5), ("lenet5_mnist", 0.5), ("mlperf_kws_dscnn", 1.0)])
def test_real_networks(models: Path, name: str, loss: float) -> None:
    path, held = models / "models" / f"{name}.onnx", Path(os.environ.get("EDGEOPT_DATA", "")) / f"{name}.eval.npz"
    if not held.is_file():
        pytest.skip(f"EDGEOPT_DATA does not name a folder with {held.name}")
    data = read(held, load(path)).subset(400)
    assert data.labels is not None
    plain = accuracy(outputs(path, data.arrays), data.labels)
    assert accuracy(outputs(path, data.arrays, quantize=SCHEME), data.labels) >= plain - loss
