"""quantize_recurrent: what a plan with grids makes of a layer, which codes it reads, what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.quantize.recurrent import rounded_weights
from edgeopt.frontend import export
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Attribute, Graph, Node, TensorType, Value
from edgeopt.ops import infer_types
from edgeopt.ops.grid import from_range, scheme
from edgeopt.ops.grids import QuantizationPlan
from edgeopt.ops.quantized_recurrent import integer_misfit
from edgeopt.ops.recurrent import GATES
from edgeopt.passes import quantize_recurrent
from edgeopt.rewrite import Context, run_pass
from tests.edgeopt.runtime_oracle import run

HIDDEN, WIDTH = 12, 6
UNITS = from_range(-1.0, 1.0, "uint8")
X = from_range(-2.0, 2.5, "uint8")


def network(op: str, how: dict[str, Attribute] | None = None, codes: bool = False) -> tuple[Graph, dict[str, Array]]:
    """One layer on numbers, or on codes that a DequantizeLinear makes real, and an input."""
    random, rows = np.random.default_rng(3), GATES[op] * HIDDEN
    graph = Graph("recurrent", opsets={"": 21, "ai.edgeopt": 1})
    x = Value("x", TensorType("uint8" if codes else "float32", (4, 2, WIDTH)))
    graph.inputs = [x]
    arrays = [random.uniform(-0.5, 0.5, s).astype(np.float32) for s in ((1, rows, WIDTH), (1, rows, HIDDEN), (1, 2 * rows))]
    real = graph.make("DequantizeLinear", [x, *_grid(graph)], [None]).output if codes else x
    inputs = [real, *(graph.constant(f"c{i}", a) for i, a in enumerate(arrays))]
    node = graph.make(op, inputs, [None] * 2, name="layer", attributes={"hidden_size": HIDDEN, **(how or {})})
    graph.outputs = list(node.outputs)
    infer_types(graph)
    data = random.integers(0, 256, (4, 2, WIDTH)).astype(np.uint8) if codes else random.uniform(-2, 2.5, (4, 2, WIDTH))
    return graph, {"x": data if codes else data.astype(np.float32)}


def _grid(graph: Graph) -> list[Value]:
    return [graph.constant("scale", np.array(0.017, np.float32)), graph.constant("zero", np.array(120, np.uint8))]


def planned(node: Node) -> QuantizationPlan:
    weights = rounded_weights(node, scheme("w8a8"), Overlay())
    return QuantizationPlan(recurrent={node.name: weights}, recurrent_grids={node.name: (X, UNITS)}, errors={node.name: 0.25})


@pytest.mark.parametrize("op", GATES)
def test_integers_near_the_numbers(op: str) -> None:
    graph, data = network(op)
    before = interpret(graph, data)
    assert run_pass(graph, quantize_recurrent.make(planned(graph.nodes[0])), Context()) == 1
    assert [n.op for n in graph.nodes] == ["QuantizeLinear", f"Quant{op}"]
    assert graph.nodes[1].metadata[quantize_recurrent.ERROR] == "0.25"
    after, elsewhere = interpret(graph, data), run(export(graph), data)
    for name, expected in before.items():
        np.testing.assert_allclose(after[name], expected, atol=0.03)
        np.testing.assert_allclose(elsewhere[name], after[name], atol=1e-5)


def test_codes_that_are_there_are_read() -> None:
    graph, data = network("GRU", codes=True)
    before = interpret(graph, data)
    run_pass(graph, quantize_recurrent.make(planned(graph.nodes[1])), Context())
    assert graph.nodes[-1].input(0) is graph.inputs[0]
    for name, expected in before.items():
        np.testing.assert_allclose(interpret(graph, data)[name], expected, atol=0.03)


def test_a_bias_beyond_32_bits() -> None:
    graph, _ = network("LSTM")
    bias = graph.nodes[0].input(3)
    assert bias is not None and bias.array is not None
    graph.nodes[0].set_input(3, graph.constant("large", np.full(bias.array.shape, 1e9, np.float32)))
    context = Context()
    assert run_pass(graph, quantize_recurrent.make(planned(graph.nodes[0])), context) == 0
    assert "32 bits" in context.declined[0][2]


def test_a_layer_without_grids_is_left() -> None:
    graph, _ = network("RNN")
    assert run_pass(graph, quantize_recurrent.make(QuantizationPlan()), Context()) == 0


@pytest.mark.parametrize(
    ("how", "reason"),
    [({}, ""), ({"activations": ["Sigmoid", "Relu"]}, "not the usual ones"), ({"clip": 1.0}, "clipped")],
)
def test_reasons(how: dict[str, Attribute], reason: str) -> None:
    found = integer_misfit(network("GRU", how)[0].nodes[0])
    assert reason in found and bool(reason) == bool(found)
