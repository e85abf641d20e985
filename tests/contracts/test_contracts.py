"""The table of contracts is as complete as the table of kernels, and it is asked before anything is computed or emitted."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.lower.lowering import lower
from edgeopt.lower.table import TABLE
from edgeopt.ops.contracts import RULES, misfit
from edgeopt.ops.contracts.modes import MODES
from edgeopt.passes.constant_folding import PASS
from edgeopt.rewrite import Context
from edgeopt.target import target
from tests.contracts import test_elementwise as elementwise
from tests.contracts import test_indexing as indexing
from tests.contracts import test_movement as movement
from tests.contracts import test_own_operators as own_operators
from tests.contracts import test_products as products
from tests.contracts import test_quantization as quantization
from tests.contracts import test_recurrent as recurrent
from tests.contracts import test_reductions as reductions
from tests.contracts import test_sampling as sampling
from tests.contracts import test_views as views
from tests.contracts import test_windows as windows


def test_every_operator_of_a_kernel_has_a_rule() -> None:
    assert {op for kernel in TABLE for op in kernel.ops} - set(RULES) == set()


def test_every_rule_is_tested_on_every_operator() -> None:
    families = (
        elementwise,
        indexing,
        movement,
        own_operators,
        products,
        quantization,
        recurrent,
        reductions,
        sampling,
        views,
        windows,
    )
    assert set(RULES) - {case.op for family in families for case in family.CASES} == set()


def test_no_rule_is_left_of_an_operator_without_a_kernel() -> None:
    assert set(RULES) - {op for kernel in TABLE for op in kernel.ops} == set()


def graph_of(op: str, types: list[TensorType], result: TensorType) -> Graph:
    """A graph of one node whose output is declared as ``result``."""
    graph = Graph("one", opsets={"": 21, "ai.edgeopt": 1})
    graph.inputs = [Value(f"x{i}", t) for i, t in enumerate(types)]
    node = graph.make(op, graph.inputs, [result], name="node")
    graph.outputs = [node.output]
    return graph


def test_lowering_refuses_what_breaks_a_contract() -> None:
    graph = graph_of("Relu", [TensorType("float32", (1, 4))], TensorType("float32", (1, 4096)))
    with pytest.raises(EdgeoptError, match=r"Relu 'node.*output 0 .* is declared as \[1,4096\], \[1,4\] is computed"):
        lower(graph, target("host"))


def test_folding_leaves_a_misfit_alone() -> None:
    graph = Graph("one", opsets={"": 21})
    data, at = graph.constant("data", np.ones((1, 4), np.float32)), graph.constant("at", np.zeros((5, 1), np.int64))
    node = graph.make("GatherElements", [data, at], [TensorType("float32", (5, 1))], attributes={"axis": 1})
    graph.outputs = [node.output]
    context = Context()
    assert PASS(graph, context) == 0
    assert "reaches out of the data" in context.declined[0][2]


def test_what_is_not_known_is_not_judged() -> None:
    open_shape = Node(
        "Gather", [Value("x", TensorType("float32", (None, 4))), Value("i", TensorType("int64", (3,)))], [Value("y")]
    )
    assert misfit(open_shape) == ""
    assert misfit(Node("Relu", [Value("x")], [Value("y")])) == ""


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(
    ("op", "shape", "constant", "says"),
    [
        ("Reshape", (1, 6), np.array([1, 6000]), "cannot be reshaped"),
        ("Gather", (4, 2), np.array([4]), "holds 4, outside of an axis of 4"),
        ("Gather", (4, 2), np.array([-5]), "holds -5, outside of an axis of 4"),
        ("GatherElements", (1, 4), np.zeros((1, 5), np.int64), "reaches out of the data"),
    ],
)
def test_no_level_compiles_a_misfit(level: int, op: str, shape: tuple[int, ...], constant: np.ndarray, says: str) -> None:
    float_type, output = helper.make_tensor_type_proto(1, shape), helper.make_tensor_type_proto(1, None)
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["x"], ["r"]),
            helper.make_node(op, ["r", "c"], ["t"]),
            helper.make_node("Sigmoid", ["t"], ["y"]),
        ],
        "misfit",
        [helper.make_value_info("x", float_type)],
        [helper.make_value_info("y", output)],
        [numpy_helper.from_array(constant, "c")],
    )
    with pytest.raises(EdgeoptError, match=f"{op}.*{says}"):
        edgeopt.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), level=level)


@pytest.mark.parametrize(("op", "name"), [(op, name) for op, names in MODES.items() for name in names])
def test_a_way_that_an_operator_does_not_have(op: str, name: str) -> None:
    node = Node(op, [Value("x")], [Value("y")], {name: MODES[op][name][-1]})
    assert misfit(node) == ""
    node.attributes[name] = "sideways"
    assert f"{name} is 'sideways'" in misfit(node)
