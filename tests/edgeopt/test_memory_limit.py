"""What a model may take: small files that unfold to gigabytes, or to trips without end, end in one message before it happens."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, parser

import edgeopt
from edgeopt import memory_limit
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.memory_limit import amount, default_limit, machine_memory, parse_amount
from edgeopt.options import Options
from edgeopt.passes import constant_folding
from edgeopt.rewrite import Context

HEAD = '<ir_version: 10, opset_import: ["" : 17, "c" : 1]>'
GROWING = {
    "ConstantOfShape": ("int64[2] s = {65536, 65536}", "c = ConstantOfShape(s)"),
    "Expand": ("int64[2] s = {65536, 65536}", "c = Expand(x, s)"),
    "Tile": ("int64[1] s = {4294967296}", "c = Tile(x, s)"),
    "Pad": ("int64[2] s = {0, 4294967296}", "c = Pad(x, s)"),
    "Range": ("int64 a = {0}, int64 b = {4294967296}, int64 e = {1}", "c = Range(a, b, e)"),
    "OneHot": ("int64[1] i = {1}, int64[1] e = {4294967296}, float[2] v = {0, 1}", "c = OneHot(i, e, v)"),
    "Resize": ("float[1] s = {1000000000}", "c = Resize(x, , s)"),
    "RandomNormal": ("float k = {1}", "c = RandomNormal<shape = [65536, 65536]>()"),
    "MatMul": ("int64[2] a = {65536, 1}, int64[2] b = {1, 65536}", "e = Expand(x, a) f = Expand(x, b) c = MatMul(e, f)"),
    "Add": ("int64[2] a = {65536, 1}, int64[2] b = {1, 65536}", "e = Expand(x, a) f = Expand(x, b) c = Add(e, f)"),
    "Gather": (
        "int64[2] a = {1, 65536}, int64[1] b = {65536}",
        "e = Expand(x, a) i = ConstantOfShape(b) j = Cast<to = 7>(i) c = Gather(e, j)",
    ),
}


def text(constants: str, body: str, inputs: str = "float[1] x", outputs: str = "float y") -> ModelProto:
    return parser.parse_model(f"{HEAD} g ({inputs}) => ({outputs}) <{constants}> {{ {body} }}")


def reduced(constants: str, body: str) -> ModelProto:
    return text(constants, f"{body} d = Cast<to = 1>(c) y = ReduceSum<keepdims = 0>(d)")


def doubled(times: int) -> ModelProto:
    steps = [f"t{i + 1} = Concat<axis = 0>(t{i}, t{i})" for i in range(times)]
    return text(
        "float[1] t0 = {1}", " ".join(steps) + f" r = ReduceSum<keepdims = 0>(t{times}) y = Mul(x, r)", outputs="float[1] y"
    )


def loop(trips: str, body: str, outputs: str = "v = Loop(t, k)") -> ModelProto:
    made = f"{outputs} <body = b (int64 i, bool c) => (bool c2, float[n] s) {{ c2 = Identity(c) {body} }}>"
    return text(f"int64 t = {{{trips}}}, bool k = {{1}}, int64[1] n = {{1048576}}", f"{made} y = ReduceSum<keepdims = 0>(v)")


def sparse(dims: list[int]) -> ModelProto:
    model = text("float k = {1}", "r = ReduceSum<keepdims = 0>(w) y = Mul(x, r)", outputs="float[1] y")
    model.graph.sparse_initializer.add(
        values=numpy_helper.from_array(np.ones(1, np.float32), "w"),
        indices=numpy_helper.from_array(np.zeros(1, np.int64), "i"),
        dims=dims,
    )
    return model


def calls(fan: int, deep: int, body: Callable[[str], list[NodeProto]], wrapped: int = 0) -> ModelProto:
    """``deep`` functions, each of which calls the one below ``fan`` times, inside ``wrapped`` Ifs."""
    model = text("float k = {1}", f"y = c.F{deep - 1}(x)", outputs="float[1] y")
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("c", 1)]
    for index in range(deep):
        names = ["a", *(f"t{i}" for i in range(fan - 1)), "b"]
        nodes = [
            node
            for one, two in zip(names, names[1:], strict=False)
            for node in (
                body(two) if index == 0 else within(helper.make_node(f"F{index - 1}", [one], [two], domain="c"), wrapped)
            )
        ]
        model.functions.append(helper.make_function("c", f"F{index}", ["a"], ["b"], nodes, imports))
    return model


def within(node: NodeProto, depth: int) -> list[NodeProto]:
    """``node`` in an If in an If, ``depth`` of them."""
    condition = helper.make_node("Constant", [], ["p"], value=numpy_helper.from_array(np.asarray(True)))
    for _ in range(depth):
        name = node.output[0]
        branch = helper.make_graph([node], "g", [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])
        other = helper.make_graph([helper.make_node("Identity", ["p"], [name])], "e", [], list(branch.output))
        node = helper.make_node("If", ["p"], [f"{name}_"], then_branch=branch, else_branch=other)
    last = helper.make_node("Identity", list(node.output), [node.output[0].rstrip("_")])
    return [condition, node, last] if depth else [node]


@pytest.mark.parametrize("op", GROWING)
def test_an_operator_that_makes_gigabytes_of_nothing_is_named(op: str) -> None:
    with pytest.raises(EdgeoptError, match=rf"^{op} '.*': its result 'c' of .* takes [\d.]+ GB, more than the memory limit"):
        load(reduced(*GROWING[op]))


def test_the_limit_is_raised_by_its_option() -> None:
    model = text("int64[1] s = {1048576}", "c = Expand(x, s) y = ReduceSum<keepdims = 0>(c)")
    with pytest.raises(EdgeoptError, match=r"Expand .* takes 4\.0 MB, more than the memory limit of 1\.0 MB.*--max-memory"):
        edgeopt.compile(model, options=Options(max_memory=1 << 20))
    compiled = edgeopt.compile(model, options=Options(max_memory=1 << 23))
    assert compiled.run({"x": np.full(1, 2, np.float32)})["y"] == 2 << 20


def test_buffers_count_together() -> None:
    with pytest.raises(EdgeoptError, match=r"the model \(buffers .*the largest value is .*more than the memory limit"):
        body = "a = Expand(x, s) b = Neg(a) c = Softmax(b) d = Add(a, b) e = Mul(d, c) y = ReduceSum<keepdims = 0>(e)"
        edgeopt.compile(text("int64[1] s = {65536}", body), level=0, options=Options(max_memory=400_000))


def test_doubled_constants_are_not_folded_beyond_the_bound() -> None:
    graph = load(doubled(22))
    constant_folding.PASS(graph)
    assert max(constant.array.nbytes for constant in graph.constants) <= 2 << 20
    assert interpret(graph, {"x": np.ones(1, np.float32)})["y"] == 1 << 22
    with pytest.raises(EdgeoptError, match="Concat"):
        load(doubled(60))


def test_many_constants_together_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constant_folding, "TOTAL_LIMIT", 8000)
    made = [f"e{i} = Expand(w, s) y{i} = Add(x, e{i})" for i in range(9)]
    outputs = ", ".join(f"float[256] y{i}" for i in range(9))
    graph = load(text("float[1] w = {1}, int64[1] s = {256}", " ".join(made), outputs=outputs))
    context = Context()
    assert constant_folding.PASS(graph, context) == 7
    assert "constants have grown by 7084 bytes" in context.declined[0][2]


@pytest.mark.parametrize(
    ("trips", "body", "message"),
    [
        ("4611686018427387904", "s = Cast<to = 1>(i)", "makes 4611686018427387904 trips"),
        ("1000000", "s = ConstantOfShape(n)", "the stack of its results takes 7.6 TB"),
    ],
)
def test_a_loop_without_end_is_refused_before_it_runs(trips: str, body: str, message: str) -> None:
    with pytest.raises(EdgeoptError, match=rf"^Loop .*{message}"):
        load(loop(trips, body))


def test_a_loop_that_stacks_too_much_ends_at_run_time() -> None:
    model = loop("0", "s = ConstantOfShape(n)")
    model.graph.input.append(helper.make_tensor_value_info("t", TensorProto.INT64, []))
    model.graph.initializer.remove(next(t for t in model.graph.initializer if t.name == "t"))
    graph = load(model, max_memory=64 << 20)
    feed = {"x": np.ones(1, np.float32), "t": np.asarray(1 << 40)}
    with pytest.raises(EdgeoptError, match="^Loop .*the stack of its results takes 72.0 MB"):
        interpret(graph, feed)
    assert interpret(graph, {**feed, "t": np.asarray(4)})["y"] == 0


def test_a_node_that_grows_by_data_ends_at_run_time() -> None:
    graph = load(text("float k = {1}", "c = Expand(x, s) y = ReduceSum<keepdims = 0>(c)", "float[1] x, int64[1] s"))
    feed = {"x": np.ones(1, np.float32), "s": np.asarray([1 << 40])}
    with pytest.raises(EdgeoptError, match="^Expand .* takes 4.0 TB"):
        interpret(graph, feed)
    assert interpret(graph, {**feed, "s": np.asarray([8])})["y"] == 8


def test_sparse_constants_are_bounded_in_bytes() -> None:
    assert interpret(load(sparse([1000])), {"x": np.ones(1, np.float32)})["y"] == 1
    with pytest.raises(EdgeoptError, match=r"sparse constants up to initializer 'w'.*made dense takes 6\.0 GB"):
        load(sparse([1 << 28]))


def test_functions_unfold_within_bounds() -> None:
    relu = lambda out: [helper.make_node("Relu", ["a"], [out])]  # noqa: E731
    assert len(load(calls(3, 3, relu)).nodes) == 27
    with pytest.raises(EdgeoptError, match=r"unfold to 1\d{9} nodes"):
        load(calls(10, 9, relu))
    with pytest.raises(EdgeoptError, match="more than 24 graphs in each other"):
        load(calls(1, 90, relu, wrapped=5))


def test_constants_of_functions_count_as_often_as_they_are_called() -> None:
    big = numpy_helper.from_array(np.zeros(1 << 18, np.float32))
    with pytest.raises(EdgeoptError, match="constants of the functions of the model unfold to takes 24.0 GB"):
        load(calls(8, 4, lambda out: [helper.make_node("Constant", [], [out], value=big)]))


def test_graphs_nest_within_bounds() -> None:
    model = text("float k = {1}", "y = Relu(x)", outputs="float[1] y")
    model.graph.node.extend(within(helper.make_node("Relu", ["x"], ["r"]), 25)[:2])
    with pytest.raises(EdgeoptError, match="inside 25 others"):
        load(model)


def test_the_default_is_the_machine_or_what_the_model_can_account_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert default_limit(1000) == min(machine_memory(), memory_limit.ANY_MODEL)
    assert default_limit(1 << 50) == machine_memory()
    (tmp_path / "memory.max").write_text("123456789\n")
    monkeypatch.setattr(memory_limit, "_CGROUPS", tmp_path)
    assert machine_memory() == 123456789
    (tmp_path / "memory.max").write_text("max\n")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1 << 10, 1 << 10))
    assert machine_memory() == 0


@pytest.mark.parametrize(("given", "meant"), [("1000", 1000), ("2G", 2 << 30), ("512 MiB", 512 << 20), ("3kb", 3 << 10)])
def test_amounts_are_read(given: str, meant: int) -> None:
    assert parse_amount(given) == meant


@pytest.mark.parametrize("given", ["", "0", "-1", "2.5G", "many", "1P"])
def test_other_amounts_are_refused(given: str) -> None:
    with pytest.raises(EdgeoptError, match="no amount of memory"):
        parse_amount(given)


def test_amounts_are_shown() -> None:
    assert [amount(size) for size in (7, 1 << 10, 3 << 29)] == ["7 bytes", "1.0 kB", "1.5 GB"]
