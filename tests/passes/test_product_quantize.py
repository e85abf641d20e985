"""Layers that were solved become products of codewords; those whose input is not rounded stay as they are."""

import numpy as np
from onnx import numpy_helper, parser

from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import Graph
from edgeopt.ops.codebooks import LookupWeight
from edgeopt.passes import canonicalize_conv, product_quantize
from edgeopt.rewrite import Context, run_pass

RNG = np.random.default_rng(3)
HEAD = '<ir_version: 10, opset_import: ["" : 21]> codewords (float[1,4,5,5] x) => (float[1,6,5,5] y)'
CONSTANTS = "<float s = {0.02}, uint8 z = {100}>"
ARRAYS = {"w": RNG.standard_normal((6, 4, 3, 3)).astype(np.float32), "b": RNG.standard_normal(6).astype(np.float32)}
ROUNDED = "c = QuantizeLinear(x, s, z) r = DequantizeLinear(c, s, z) y = Conv<pads = [1,1,1,1]>(r, w, b)"


def graph(body: str) -> Graph:
    made = parser.parse_model(f"{HEAD} {CONSTANTS} {{ {body} }}")
    made.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in ARRAYS.items())
    loaded = load(made)
    run_pass(loaded, canonicalize_conv.PASS, Context())
    return loaded


def solution() -> LookupWeight:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 16, (2, 6, 1, 3, 3)).astype(np.uint8)
    books = rng.integers(-90, 90, (2, 1, 16, 4)).astype(np.int8)
    return LookupWeight(codes, books, np.full(6, 0.01, np.float32), 4, 7, np.ones(6, np.float32))


def test_the_node_means_the_weight_of_the_solution() -> None:
    subject, made = graph(ROUNDED), solution()
    (conv,) = [n for n in subject.nodes if n.is_own("FusedConv")]
    x = np.random.default_rng(1).uniform(-1, 1, (1, 4, 5, 5)).astype(np.float32)
    expected = graph(ROUNDED)
    node = next(n for n in expected.nodes if n.is_own("FusedConv"))
    node.set_input(1, expected.constant("v", made.array))
    node.set_input(2, expected.constant("u", np.ones(6, np.float32)))
    assert run_pass(subject, product_quantize.make({conv.name: made}, {conv.name: 0.25}), Context()) == 1
    assert "LookupConv" in [n.op for n in subject.nodes]
    np.testing.assert_allclose(interpret(subject, {"x": x})["y"], interpret(expected, {"x": x})["y"], rtol=1e-5, atol=1e-5)


def test_an_input_in_float_stays() -> None:
    subject, context = graph("y = Conv<pads = [1,1,1,1]>(x, w, b)"), Context()
    name = next(n.name for n in subject.nodes if n.is_own("FusedConv"))
    assert run_pass(subject, product_quantize.make({name: solution()}, {}), context) == 0
    assert "not rounded" in context.declined[0][2]
