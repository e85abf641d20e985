"""LSTM, GRU and RNN of the reference evaluator, in forms that its own leave out, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import Array
from tests.edgeopt.runtime_oracle import run

STEPS, BATCH, WIDTH, HIDDEN = 4, 3, 5, 6
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
BOTH = {"direction": "bidirectional"}
FORMS: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {"clip": 0.4}),
    ("LSTM", {"input_forget": 1, "direction": "reverse"}),
    ("LSTM", {"activations": ["HardSigmoid", "Softsign", "Elu"], "activation_alpha": [0.3, 0.5], "activation_beta": [0.4]}),
    ("GRU", {"clip": 0.4, "linear_before_reset": 1}),
    ("GRU", {"activations": ["Sigmoid", "ScaledTanh"], "activation_alpha": [0.7], "activation_beta": [0.9]}),
    ("RNN", {"activations": ["ThresholdedRelu", "LeakyRelu"], "activation_alpha": [0.1, 0.2], **BOTH}),
    ("RNN", {"activations": ["Softplus", "Affine"], "activation_alpha": [0.6], "activation_beta": [0.1], **BOTH}),
]


def layer(op: str, attributes: dict[str, Any]) -> tuple[Any, dict[str, Array]]:
    """A layer whose sequences end early, and what it is fed."""
    random = np.random.default_rng(len(op))
    rows, count = GATES[op] * HIDDEN, 2 if attributes.get("direction") == "bidirectional" else 1
    shapes = {"W": (count, rows, WIDTH), "R": (count, rows, HIDDEN), "B": (count, 2 * rows)}
    shapes |= {"P": (count, 3 * HIDDEN)} if op == "LSTM" and "input_forget" not in attributes else {}
    state = (count, BATCH, HIDDEN)
    fed = {"x": (STEPS, BATCH, WIDTH), "h": state} | ({"c": state} if op == "LSTM" else {})
    real = {n: random.uniform(-0.8, 0.8, s).astype(np.float32) for n, s in (shapes | fed).items()}
    known = [numpy_helper.from_array(real[n], n) for n in shapes]
    known.append(numpy_helper.from_array(np.array([2, STEPS, 1], np.int32), "ends"))
    names = ["x", "W", "R", "B", "ends", "h", *(n for n in ("c", "P") if n in real)]
    outputs = ["y", "last", "cells"][: 3 if op == "LSTM" else 2]
    node = helper.make_node(op, names, outputs, hidden_size=HIDDEN, **attributes)
    ins = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in fed.items()]
    outs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
    graph = helper.make_graph([node], "g", ins, outs, known)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9), {n: real[n] for n in fed}


@pytest.mark.parametrize(("op", "attributes"), FORMS, ids=str)
def test_agrees_with_onnxruntime(op: str, attributes: dict[str, Any]) -> None:
    model, data = layer(op, attributes)
    expected = run(model, data)
    for name, array in interpret(load(model), data).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op", GATES)
def test_samples_in_front_are_steps_in_front_turned(op: str) -> None:
    model, data = layer(op, {"direction": "bidirectional"} if op != "LSTM" else {})
    expected = interpret(load(model), data)
    model.graph.node[0].attribute.append(helper.make_attribute("layout", 1))
    for value in model.graph.input:
        axes = value.type.tensor_type.shape.dim
        axes[0].dim_value, axes[1].dim_value = axes[1].dim_value, axes[0].dim_value
    turned = interpret(load(model), {n: np.ascontiguousarray(a.swapaxes(0, 1)) for n, a in data.items()})
    for name, array in expected.items():
        np.testing.assert_array_equal(turned[name], array.transpose(2, 0, 1, 3) if name == "y" else array.swapaxes(0, 1))
