"""Models that bring operators of ours are raised to newer opsets like all others."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import edgeopt
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.search.newer_opset import with_opset


def test_operators_of_ours_are_raised_as_what_they_are_made_of() -> None:
    rng = np.random.default_rng(3)
    weight, x = (rng.standard_normal(shape).astype(np.float32) for shape in ((4, 3, 3, 3), (1, 3, 8, 8)))
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], "conv"), helper.make_node("Relu", ["c"], ["y"], "relu")]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", (1, 3, 8, 8)), ("y", (1, 4, 6, 6)))]
    graph = helper.make_graph(nodes, "own", ports[:1], ports[1:], [numpy_helper.from_array(weight, "w")])
    plain = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    own = load(edgeopt.compile(plain, 1).onnx())
    assert any(node.domain for node in own.nodes)
    raised = with_opset(own, 21, "w4a8")
    assert raised.opset == 21
    np.testing.assert_array_equal(interpret(raised, {"x": x})["y"], interpret(own, {"x": x})["y"])
