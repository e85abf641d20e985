"""Networks that training was not made for: it works, or one message says why not."""

from __future__ import annotations

import pytest
from onnx import parser

from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.pipeline import optimize

pytest.importorskip("jax", reason="the extra 'tune' is not installed")

from edgeopt.training.network import require_trainable

HEAD = '<ir_version: 10, opset_import: ["" : 21]> small '
REFUSED = {
    "(float16[1,4] x) => (float16[1,2] y) <float16[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}> { y = MatMul(x, w) }": "compute in float16",
    "(double[1,2] x) => (double[1,2] y) <double[2,2] w = {1, 2, 3, 4}> { y = MatMul(x, w) }": "compute in float64",
    "(float[1,2] x) => (float[1,2] y) <float s = {0.1}, uint8 z = {128}, int8[2,2] w = {1, 2, 3, 4}, int8 o = {0}>"
    "{ q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) v = DequantizeLinear(w, s, o) y = MatMul(d, v) }": (
        "have a form already"
    ),
    "(float[1,2] x) => (float[1,2] y) { y = Relu(x) }": "no convolution or matrix product",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_has_no_layers_to_train_says_what_it_has(text: str) -> None:
    graph = load(parser.parse_model(HEAD + text))
    optimize(graph)
    with pytest.raises(EdgeoptError, match=REFUSED[text]):
        require_trainable(graph)
