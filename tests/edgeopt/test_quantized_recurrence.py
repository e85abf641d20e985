"""Recurrent layers in schemes of few bits: their codes are kept, what has no form is said, and files for others run there."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import edgeopt
from edgeopt import Options
from edgeopt.evaluate.data import DataSet
from edgeopt.forms.quantize.recurrent import NO_TILES, TOO_FEW
from edgeopt.frontend import export, load
from edgeopt.ir import Array
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.run import approximate
from edgeopt.target import host
from tests.edgeopt.runtime_oracle import run

STEPS, WIDTH, HIDDEN = 6, 8, 20
RANDOM = np.random.default_rng(4)


def network(op: str, head: bool = True) -> onnx.ModelProto:
    """A recurrent layer in both directions, and a product of its last step where a ``head`` is wanted."""
    rows = {"LSTM": 4, "GRU": 3}[op] * HIDDEN
    reach = 1 / np.sqrt(HIDDEN)
    shapes = {"W": (2, rows, WIDTH), "R": (2, rows, HIDDEN), "B": (2, 2 * rows), "head": (HIDDEN, 5)}
    arrays = {n: RANDOM.uniform(-reach, reach, s).astype(np.float32) for n, s in shapes.items()}
    arrays |= {"end": np.array(-1, np.int64)}
    nodes = [helper.make_node(op, ["x", "W", "R", "B"], ["states"], "layer", hidden_size=HIDDEN, direction="bidirectional")]
    last = [
        helper.make_node("Gather", ["states", "end"], ["last"]),
        helper.make_node("MatMul", ["last", "head"], ["y"], "product"),
    ]
    made, result = ([*nodes, *last], [2, 1, 5]) if head else (nodes, [STEPS, 2, 1, HIDDEN])
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [STEPS, 1, WIDTH]), ("y", result)))
    if not head:
        nodes[0].output[0] = "y"
    known = [numpy_helper.from_array(a, n) for n, a in arrays.items() if head or n in "WRB"]
    graph = helper.make_graph(made, "recurrent", [x], [y], known)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def sequence() -> dict[str, Array]:
    """One input."""
    return {"x": RANDOM.standard_normal((STEPS, 1, WIDTH)).astype(np.float32)}


@pytest.mark.parametrize(("op", "scheme", "share", "near"), [("LSTM", "w8", 0.4, 0.02), ("GRU", "w4", 0.3, 0.2)])
def test_codes_take_the_place_of_weights(op: str, scheme: str, share: float, near: float) -> None:
    model, data = network(op), sequence()
    plain, small = edgeopt.compile(model), edgeopt.compile(model, level=3, options=Options(quantize=scheme))
    assert {k["op"] for k in small.manifest["kernels"]} >= {f"Hybrid{op}", "HybridGemm"}
    assert small.manifest["weights_bytes"] < share * plain.manifest["weights_bytes"]
    np.testing.assert_allclose(small.run(data)["y"], plain.run(data)["y"], atol=near)


def test_a_network_of_nothing_else_within_a_budget() -> None:
    model = network("GRU", head=False)
    samples = RANDOM.standard_normal((12 * STEPS, 1, WIDTH)).astype(np.float32)
    made = edgeopt.compile(model, level=3, data=DataSet({"x": samples}), options=Options(quantize="w8a8"))
    assert "QuantGRU" in {k["op"] for k in made.manifest["kernels"]}
    assert not any("left in float" in note for note in made.manifest.get("notes", []))
    data = sequence()
    expected = edgeopt.compile(model).run(data)["y"]
    np.testing.assert_allclose(made.run(data)["y"], expected, atol=0.03 * np.abs(expected).max())


def test_what_keeps_float_products_is_said() -> None:
    model = network("LSTM", head=False)
    model.graph.node[0].attribute.append(helper.make_attribute("activations", ["Sigmoid", "Tanh", "Relu"] * 2))
    samples = RANDOM.standard_normal((12 * STEPS, 1, WIDTH)).astype(np.float32)
    made = edgeopt.compile(model, level=3, data=DataSet({"x": samples}), options=Options(quantize="w8a8"))
    assert {k["op"] for k in made.manifest["kernels"]} == {"HybridLSTM"}
    assert any("its activations are not the usual ones" in note for note in made.manifest["notes"])


def test_a_target_without_integer_tiles_for_them_keeps_them_in_float() -> None:
    data = DataSet({"x": RANDOM.standard_normal((4 * STEPS, 1, WIDTH)).astype(np.float32)})
    made = edgeopt.compile(network("LSTM"), 3, "cortex-m4", data=data, options=Options(quantize="w8a8"))
    assert {layer["layer"]: layer["form"] for layer in made.manifest["quantization"]["layers"]} == {
        "layer": "float32",
        "product": "w8a8",
    }
    assert made.manifest["quantization"]["layers"][0]["reason"] == NO_TILES
    assert "LSTM" in {kernel["op"] for kernel in made.manifest["kernels"]}


def test_signs_are_refused_with_the_reason() -> None:
    made = edgeopt.compile(network("LSTM"), level=3, options=Options(quantize="w1"))
    assert "LSTM" in {k["op"] for k in made.manifest["kernels"]}
    assert TOO_FEW in str(made.manifest)


def test_a_file_for_other_runtimes_says_the_same() -> None:
    model, data = network("LSTM"), sequence()
    graph, _ = approximate(load(model), Budget(forms="w8"), Context(level=3), host(), "standard")
    written = export(graph)
    layer = next(n for n in written.graph.node if n.op_type == "LSTM")
    makers = {o: n.op_type for n in written.graph.node for o in n.output}
    assert [makers[name] for name in layer.input[1:3]] == ["DequantizeLinear"] * 2
    expected = edgeopt.compile(model, level=3, options=Options(quantize="w8")).run(data)["y"]
    np.testing.assert_allclose(run(written, data)["y"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("clip", "form", "reason"), [(0.5, "w8", "that can be codes"), (0.0, "w1", "cannot become 'w1'")])
def test_a_form_that_a_layer_cannot_have_is_refused(clip: float, form: str, reason: str) -> None:
    model = network("GRU", head=False)
    model.graph.node[0].attribute.append(helper.make_attribute("clip", clip))
    with pytest.raises(edgeopt.EdgeoptError, match=reason):
        edgeopt.compile(model, level=3, options=Options(layer_forms={"layer": form}))
