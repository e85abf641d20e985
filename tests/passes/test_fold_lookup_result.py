"""What quantises the result of a product of codewords becomes part of it."""

import numpy as np

from edgeopt.interpret import interpret
from edgeopt.ir import Graph, TensorType
from edgeopt.passes.fold_lookup_result import PASS
from edgeopt.rewrite import Context
from tests.kernels.lookup_harness import data_of, lookup_graph


def graph(read_twice: bool) -> Graph:
    made = lookup_graph("LookupConv", (1, 8, 5, 5), 6, (3, 3), {"activation": "Relu"})
    y = made.outputs[0]
    grid = [made.constant("s", np.array(0.2, np.float32)), made.constant("z", np.array(3, np.uint8))]
    made.outputs = [made.make("QuantizeLinear", [y, *grid], [TensorType("uint8", (1, 6, 3, 3))], name="q").output]
    if read_twice:
        made.outputs.append(made.make("Neg", [y], [y.type], name="neg").output)
    return made


def test_becomes_the_grid_of_the_result() -> None:
    subject = graph(False)
    data = data_of(subject)
    before = interpret(subject, data)
    assert PASS(subject) == 1
    assert [n.op for n in subject.nodes] == ["LookupConv"]
    after = interpret(subject, data)
    np.testing.assert_array_equal(next(iter(after.values())), next(iter(before.values())))


def test_a_result_that_is_read_in_float_stays() -> None:
    subject, context = graph(True), Context()
    assert PASS(subject, context) == 0
    assert "stays in float" in context.declined[0][2]
