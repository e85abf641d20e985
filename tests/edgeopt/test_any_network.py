"""Networks of every kind are calibrated and quantised; what cannot be is named with its reason."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import parser

from edgeopt.evaluate.data import DataSet, generated
from edgeopt.evaluate.judge import outputs
from edgeopt.forms.quantize.overlay import overlay_of
from edgeopt.forms.quantize.plan import make_plan
from edgeopt.forms.quantize.unquantized import unquantized
from edgeopt.frontend import load
from edgeopt.frontend.notes import notes
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph
from edgeopt.ops.grid import scheme
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.result import Decision
from edgeopt.search.run import approximate
from edgeopt.search.trials import compiled_outputs
from edgeopt.target import host
from tests.edgeopt.quantizing import variant

LEAST_DECIBEL = 25.0
SAMPLES = 10


def constant(name: str, shape: tuple[int, ...], seed: int = 0, deviation: float = 0.5) -> str:
    numbers = np.random.default_rng(seed).normal(0, deviation, shape).round(3).reshape(-1)
    return f"{name} = Constant<value = float[{','.join(map(str, shape))}] {{{','.join(map(str, numbers))}}}>()"


NETWORKS = {
    "one product": ("float[1,8] x", [constant("w", (8, 3)), "y = MatMul(x, w)"]),
    "one axis": ("float[1,3,20] x", [constant("w", (4, 3, 5)), "y = Conv<pads = [2,1], strides = [2]>(x, w)"]),
    "three axes": ("float[1,2,4,5,4] x", [constant("w", (3, 2, 2, 3, 2)), "y = Conv<pads = [1,0,1,0,2,0]>(x, w)"]),
    "batch of four": ("float[4,3,6,6] x", [constant("w", (4, 3, 3, 3)), "a = Conv(x, w)", "y = Relu(a)"]),
    "resized": (
        "float[1,3,4,4] x",
        [
            constant("v", (3, 3, 1, 1)),
            constant("w", (2, 3, 3, 3), 1),
            "n = Constant<value = float[4] {1,1,2,2}>()",
            'a = Conv(x, v) r = Resize<mode = "linear">(a, , n) y = Conv(r, w)',
        ],
    ),
    "transposed": (
        "float[1,3,5,4] x",
        [
            *(
                constant("v", (8, 3, 3, 3)),
                constant("w", (8, 6, 3, 3), 1),
                constant("b", (6,), 2),
                constant("u", (2, 6, 1, 1), 3),
            ),
            "a = Conv<pads = [1,1,1,1]>(x, v) r = Relu(a)",
            "t = ConvTranspose<strides = [2,2], pads = [1,0,1,1], output_padding = [1,0]>(r, w, b) y = Conv(t, u)",
        ],
    ),
    "transposed in groups": (
        "float[1,3,5,4] x",
        [
            *(
                constant("v", (8, 3, 3, 3)),
                constant("w", (8, 3, 2, 4), 1),
                constant("b", (6,), 2),
                constant("u", (2, 6, 1, 1), 3),
            ),
            "a = Conv<pads = [1,1,1,1]>(x, v) t = ConvTranspose<strides = [2,3], group = 2, dilations = [1,2]>(a, w, b)",
            "r = Relu(t) y = Conv(r, u)",
        ],
    ),
    "transposed along one axis": (
        "float[2,3,9] x",
        [constant("w", (3, 4, 4)), "y = ConvTranspose<strides = [2], pads = [1,1]>(x, w)"],
    ),
    "sequence first": (
        "float[5,1,4] x",
        [
            *(constant("w", (1, 9, 4)), constant("r", (1, 9, 3), 1), constant("v", (3, 6), 2)),
            "q = Constant<value = int64[1] {1}>()",
            "h = GRU<hidden_size = 3>(x, w, r) s = Squeeze(h, q) y = MatMul(s, v)",
        ],
    ),
    "split and reduced": (
        "float[1,6,4,4] x",
        [
            *(constant("w", (6, 6, 1, 1)), constant("v", (3, 5), 1), "k = Constant<value = int64[2] {2,3}>()"),
            "a = Conv(x, w) b, c = Split<axis = 1, num_outputs = 2>(a)",
            "d = Min(b, c) m = ReduceMax<keepdims = 0>(d, k) e = MatMul(m, v) y = LogSoftmax(e)",
        ],
    ),
}


def network(name: str) -> Graph:
    inputs, body = NETWORKS[name]
    return load(parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> net ({inputs}) => (y) {{ {" ".join(body)} }}'))


def quantised(graph: Graph, form: str, data: DataSet | None) -> tuple[Graph, Decision]:
    made, found = approximate(graph, Budget(data, data, max_drop=100.0, forms=form), Context(level=3), host())
    assert found is not None
    return made, found


def decibel(expected: Array, actual: Array) -> float:
    assert expected.shape == actual.shape
    return 10.0 * float(np.log10(np.square(expected).sum() / np.square(expected - actual).sum()))


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_quantised_and_stays_close(name: str) -> None:
    graph = network(name)
    data = generated(graph, SAMPLES)
    calls = [data.take(slice(i, i + 1)).arrays for i in range(SAMPLES)]
    expected = np.concatenate([interpret(graph, call)["y"] for call in calls])
    made, found = quantised(graph, "w8a8", data)
    assert found.changed == list(found.forms)
    assert any(node.op.startswith("Quant") or node.is_op("QuantizeLinear") for node in made.nodes)
    assert decibel(expected, compiled_outputs(made, data, host(), 3)) > LEAST_DECIBEL


@pytest.mark.parametrize("form", ["w8", "w8a8-dynamic", "w8a16"])
@pytest.mark.parametrize("name", ["one axis", "three axes"])
def test_other_schemes_serve_convolutions_of_any_rank(name: str, form: str) -> None:
    graph = network(name)
    data = generated(graph, 4)
    expected = np.concatenate([interpret(graph, data.take(slice(i, i + 1)).arrays)["y"] for i in range(4)])
    made, _ = quantised(graph, form, None if form == "w8" else data)
    assert decibel(expected, compiled_outputs(made, data, host(), 3)) > LEAST_DECIBEL


@pytest.mark.parametrize("name", ["batch of four", "sequence first", "transposed"])
def test_a_run_that_rounds_on_the_way_foretells_the_code(name: str) -> None:
    graph = network(name)
    optimize(graph)
    data = generated(graph, 4)
    plan = make_plan(graph, data, scheme("w8a8"))
    foretold = outputs(graph, data, overlay_of(graph, plan))
    compiled = compiled_outputs(variant(graph, plan, 3), data, host(), 3)
    assert decibel(outputs(graph, data), compiled) < 60.0 < decibel(compiled, foretold)


def test_samples_fill_the_batch_that_the_model_takes() -> None:
    graph = network("batch of four")
    given = np.random.default_rng(0).normal(size=(10, 3, 6, 6)).astype(np.float32)
    made, found = quantised(graph, "w8a8", DataSet({"x": given}))
    assert found.samples == 12 and "2 samples are taken twice to fill the last batch of 4" in notes(made)


def test_two_layers_of_one_weight_get_codes_of_their_own() -> None:
    weight = constant("w", (4, 4))
    body = f"{weight} a = MatMul(x, w) b = Relu(a) c = MatMul(b, w) y = Add(c, x)"
    graph = load(parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> net (float[1,4] x) => (y) {{ {body} }}'))
    data = generated(graph, SAMPLES)
    expected = np.concatenate([interpret(graph, {"x": x[None]})["y"] for x in data.arrays["x"]])
    made, found = quantised(graph, "w8a8", data)
    assert len(found.changed) == 2
    assert decibel(expected, compiled_outputs(made, data, host(), 3)) > LEAST_DECIBEL


def test_a_table_that_a_product_reads_too_keeps_its_rows() -> None:
    table = constant("t", (6, 4))
    body = f"{table} e = Gather(t, x) u = Transpose<perm = [1,0]>(t) y = MatMul(e, u)"
    graph = load(parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> net (int64[1,3] x) => (y) {{ {body} }}'))
    data = generated(graph, 4)
    assert data.arrays["x"].max() < 6
    expected = np.concatenate([interpret(graph, {"x": x[None]})["y"] for x in data.arrays["x"]])
    made, _ = quantised(graph, "w8a8", data)
    assert decibel(expected, compiled_outputs(made, data, host(), 3)) > LEAST_DECIBEL


def test_what_has_no_integer_form_is_named() -> None:
    transposed, recurrent = constant("w", (3, 2, 2, 2, 2)), network("sequence first")
    body = f"{transposed} a = ConvTranspose<strides = [2,2,2]>(x, w) t = Transpose<perm = [0,1,2,4,3]>(a) y = MatMul(a, t)"
    head = '<ir_version: 10, opset_import: ["" : 21]> net (float[1,3,4,4,4] x) => (y)'
    graph = load(parser.parse_model(f"{head} {{ {body} }}"))
    made, found = approximate(graph, Budget(forms="w8a8"), Context(level=3), host())
    (line,) = [n for n in notes(made) if n.startswith("left in float")]
    assert found is None and "ConvTranspose" in line and "both factors are computed" in line
    assert [node.op for node, _ in unquantized(recurrent)] == ["MatMul"]  # weights of recurrent layers become codes
