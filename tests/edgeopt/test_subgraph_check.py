"""If, Loop and Scan whose subgraphs do not fit are refused with a message; outputs that are left out keep the others in place."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import parser

import edgeopt
from edgeopt import EdgeoptError
from edgeopt.frontend import load
from edgeopt.interpret import interpret

pytestmark = pytest.mark.filterwarnings("ignore:.*runs on the host")
HEAD = '<ir_version: 8, opset_import: ["" : 17]> g '
LOOP = "(float[2] x) => (float[a] y, float[b,c] z) <int64 n = {3}> { y, z = Loop(n, , x) <body = %> }"
SCAN = "(float[2] s, float[5,2] x) => (float[a] y, float[b,c] z) { y, z = Scan(s, x) <num_scan_inputs = 1, body = %> }"
IF = "(bool c) => (float[a] y) { y = If(c) <then_branch = %, else_branch = e () => (float[1] q) <float[1] q = {1}> { }> }"


def model(text: str, body: str) -> onnx.ModelProto:
    return parser.parse_model(HEAD + text.replace("%", body))


@pytest.mark.parametrize(
    ("text", "body", "reason"),
    [
        (LOOP, "b (int64 i, bool c, float[2] s, float[2] t) => (bool d, float[2] u, float[2] v) "
               "{ d = Identity(c) u = Neg(s) v = Neg(t) }", "takes 4 inputs, 3 are given"),
        (LOOP, "b (int64 i, bool c, float[2] s) => (bool d, float[2] u) { d = Identity(c) u = Neg(s) }", "gives 2 outputs, 3"),
        (SCAN, "b (float[2] s) => (float[2] t, float[2] u) { t = Neg(s) u = Neg(s) }", "takes 1 inputs, 2 are given"),
        (SCAN.replace("inputs = 1", "inputs = 7"), "b (float[2] s, float[2] v) => (float[2] t, float[2] u) "
                                                   "{ t = Neg(s) u = Neg(v) }", "7 of its 2 inputs"),
        (SCAN.replace("inputs = 1", "inputs = 1, scan_input_axes = [0, 0]"),
         "b (float[2] s, float[2] v) => (float[2] t, float[2] u) { t = Neg(s) u = Neg(v) }", "scan_input_axes names 2 of 1"),
        (IF, "t () => (float[1] q, float[1] r) <float[1] q = {1}, float[1] r = {2}> { }", "gives 2 outputs, 1 are wanted"),
    ],
)  # fmt: skip
def test_a_subgraph_that_does_not_fit_is_refused(text: str, body: str, reason: str) -> None:
    with pytest.raises(EdgeoptError, match=reason):
        edgeopt.compile(model(text, body))


def test_a_left_out_output_of_a_constant_node() -> None:
    """The second output is named '' and is not computed, which constant folding took for a result that is missing."""
    made = parser.parse_model(
        HEAD + "() => (float[a,b,c,d] y) <float[1,1,2,2] x = {1, 2, 3, 4}> { y, i = MaxPool<kernel_shape = [2, 2]>(x) }"
    )
    made.graph.node[0].output[1] = ""
    np.testing.assert_array_equal(edgeopt.compile(made).run({})["y"], np.full((1, 1, 1, 1), 4, np.float32))


@pytest.mark.parametrize("level", [0, 1])
def test_a_left_out_output_in_the_middle(level: int) -> None:
    """Interpreted and compiled: the outputs behind it must not move up."""
    body = "b (int64 i, bool c, float[2] s) => (bool d, float[2] u, float[2] v, float[2] w) "
    body += "{ d = Identity(c) u = Neg(s) v = Identity(s) w = Add(s, s) }"
    made = parser.parse_model(HEAD + "(float[2] x) => (float[a] y, float[b,c] z) <int64 n = {2}> "
                              f"{{ y, m, z = Loop(n, , x) <body = {body}> }}")  # fmt: skip
    made.graph.node[0].output[1] = ""
    x = np.array([1, 2], np.float32)
    for outputs in (edgeopt.compile(made, level=level).run({"x": x}), interpret(load(made), {"x": x})):
        np.testing.assert_array_equal(outputs["y"], x)
        np.testing.assert_array_equal(outputs["z"], [2 * x, -2 * x])
