"""Lowering: native where a kernel exists, the host elsewhere, concatenations in place, one error for another target."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.ir import Array, Graph
from edgeopt.lower.lowering import lower
from edgeopt.options import Options
from edgeopt.target import host, target
from tests.edgeopt import small_models
from tests.edgeopt.small_models import info, model, weight


def graph_of(name: str) -> Graph:
    return load({"branches": small_models.branches, "convolution": small_models.convolution}[name]())


def concatenation(channels: int) -> Graph:
    """Two convolutions of ``channels`` outputs each, concatenated and convolved again."""
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["p"], "first"),
        helper.make_node("Conv", ["x", "b"], ["q"], "second"),
        helper.make_node("Concat", ["p", "q"], ["c"], "join", axis=1),
        helper.make_node("Conv", ["c", "w"], ["y"], "last", pads=[1, 1, 1, 1]),
    ]
    constants = [weight("a", channels, 16, 1, 1), weight("b", channels, 16, 1, 1), weight("w", 16, 2 * channels, 3, 3)]
    return load(model(nodes, [info("x", [1, 16, 7, 9])], [info("y", [1, 16, 7, 9])], constants))


def run_both(graph: Graph, inputs: dict[str, Array]) -> tuple[Array, Array]:
    from edgeopt.interpret import interpret

    expected = interpret(graph, inputs)
    actual = edgeopt.compile(graph, level=0).run(inputs)
    name = graph.outputs[0].name
    return actual[name], expected[name]


@pytest.mark.parametrize("channels", [32, 20])
def test_concatenation_in_place_and_put_together(channels: int) -> None:
    graph = concatenation(channels)
    program = lower(graph, host())
    copies = [step for step in program.native if step.op == "Concat"]
    assert bool(copies) == (channels % 16 != 0)
    x = np.random.default_rng(1).normal(size=(1, 16, 7, 9)).astype(np.float32)
    actual, expected = run_both(graph, {"x": x})
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.ptp(expected))


def split(part: str) -> Graph:
    """What is cut from a convolution's channels is convolved with a border, and joined with the rest and with ``part``."""
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["p"], "first"),
        helper.make_node("Split", ["p"], ["q", "r"], "cut", axis=1),
        helper.make_node("Conv", ["r", "b"], ["s"], "second", pads=[1, 1, 1, 1]),
        helper.make_node("Concat", ["p", "s", part], ["c"], "join", axis=1),
        helper.make_node("Conv", ["c", "w"], ["y"], "last"),
    ]
    wide = {"x": 16, "q": 32, "r": 32}[part] + 96
    constants = [weight("a", 64, 16, 1, 1), weight("b", 32, 32, 3, 3), weight("w", 16, wide, 1, 1)]
    return load(model(nodes, [info("x", [1, 16, 7, 9])], [info("y", [1, 16, 7, 9])], constants))


@pytest.mark.parametrize("part", ["q", "r", "x"])
def test_channels_are_read_where_they_lie_and_parts_are_brought(part: str) -> None:
    graph = split(part)
    steps = lower(graph, host()).native
    brought = [s for s in steps if s.op == "Concat" and not s.call.function.__qualname__.startswith("_fill")]
    assert len(brought) == 1  # the part that no convolution writes there
    assert not [step for step in steps if step.op == "Split"]
    x = np.random.default_rng(1).normal(size=(1, 16, 7, 9)).astype(np.float32)
    actual, expected = run_both(graph, {"x": x})
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.ptp(expected))


def test_a_plain_part_in_one_piece_needs_no_code() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["p"]),
        helper.make_node("Split", ["p"], ["q", "r"], axis=1),
        helper.make_node("Mul", ["q", "r"], ["y"]),
    ]
    graph = load(model(nodes, [info("x", [1, 6, 5])], [info("y", [1, 3, 5])]))
    assert [step.op for step in lower(graph, host()).native] == ["Relu", "Mul"]
    x = np.random.default_rng(1).normal(size=(1, 6, 5)).astype(np.float32)
    np.testing.assert_array_equal(*run_both(graph, {"x": x}))


def test_an_operator_without_a_kernel_runs_on_the_host_with_a_warning() -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["y"], "choose")]
    compiled = edgeopt.compile(model(nodes, [info("x", [2, 3])], [info("y", [2, None], TensorProto.INT64)]), level=0)
    x = np.asarray([[0, 1, 0], [2, 0, 3]], np.float32)
    with pytest.warns(UserWarning, match="NonZero 'choose' runs on the host"):
        outputs = compiled.run({"x": x})
    np.testing.assert_array_equal(outputs["y"], np.nonzero(x))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_every_level_has_kernels(level: int) -> None:
    assert edgeopt.compile(small_models.convolution(), level=level).manifest["fallbacks"] == []


def test_a_c_library_leaves_no_step_out() -> None:
    with pytest.raises(EdgeoptError, match="no C library can be made: 1 nodes.*'loop'"):
        edgeopt.compile(small_models.loop(), level=0, options=Options(emit="c-library"))


def test_another_target_lists_every_node_without_a_kernel() -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["a"], "one"), helper.make_node("NonZero", ["x"], ["b"], "two")]
    outputs = [info("a", [None, None], TensorProto.INT64), info("b", [None, None], TensorProto.INT64)]
    graph = load(model(nodes, [info("x", [2, 3])], outputs))
    with pytest.raises(EdgeoptError, match="(?s)no kernel for 2 node.*'one'.*'two'"):
        lower(graph, target("cortex-a53"))


def test_an_open_input_shape_names_the_option() -> None:
    graph = graph_of("convolution")
    object.__setattr__(graph.inputs[0].type, "shape", (1, "channels", 8, 8))
    with pytest.raises(EdgeoptError, match="--shape x="):
        lower(graph, host())


def test_the_arena_is_close_to_its_lower_bound() -> None:
    program = lower(concatenation(32), host())
    assert program.arena_bytes <= 1.1 * program.lower_bound
