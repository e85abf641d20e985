"""Batched runs: the fast operators against onnx.reference, and an overlay against the graph that it stands for."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import parser

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.bending import BENDING
from edgeopt.evaluate.data import DataSet, generated
from edgeopt.evaluate.native_node import run_natively
from edgeopt.evaluate.observe import Overlay, at_once, observe
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Graph
from edgeopt.ops.grid import from_range
from tests.kernels.harness import single, uniform
from tests.passes.building import closed
from tests.strategies import Draft, Drawn, Seeded


@st.composite
def windows(draw: st.DrawFn) -> Graph:
    """One convolution or pooling of any form, one sample."""
    choice = Drawn(draw)
    draft = Draft(choice)
    kind = choice.pick(["Conv", "depthwise", "grouped", "MaxPool", "AveragePool"])
    axes = choice.integer(1, 3) if "Pool" not in kind else 2
    size, dilations = choice.integer(1, 3), (choice.integer(1, 2),) * axes
    strides = tuple(choice.integer(1, 3) for _ in range(axes))
    channels = 4 if kind in ("grouped", "depthwise") else choice.integer(1, 5)
    x = draft.input((1, channels, *(choice.integer(5, 8) for _ in range(axes))))
    pads = tuple(choice.integer(0, size - 1) for _ in range(2 * axes))
    form: dict[str, Any] = {"kernel_shape": (size,) * axes, "strides": strides}
    if kind == "AveragePool":
        return closed(draft, draft.op(kind, x, pads=pads, ceil_mode=choice.integer(0, 1), **form))
    if kind == "MaxPool":
        form.update(pads=pads, dilations=dilations, ceil_mode=choice.integer(0, 1))
        return closed(draft, draft.op(kind, x, **form))
    group = {"Conv": 1, "depthwise": 4, "grouped": 2}[kind]
    width = group * choice.integer(1, 3)
    w = draft.weight(width, channels // group, *(size,) * axes)
    form.update(group=group, pads=pads, dilations=dilations)
    if not choice.integer(0, 1):
        return closed(draft, draft.op("Conv", x, w, draft.weight(width), **form))
    form.update(
        activation=choice.pick(["", "Relu", "Clip", *BENDING]),
        alpha=-0.5,
        beta=0.5,
    )
    return closed(draft, draft.own("FusedConv", x, w, draft.weight(width), **form))


def samples(graph: Graph, count: int) -> DataSet:
    (value,) = graph.inputs
    assert value.type is not None
    shape = (count, *value.type.dims[1:])
    return DataSet({value.name: np.random.default_rng(0).normal(size=shape).astype(np.float32)})


def one_by_one(graph: Graph, data: DataSet) -> Array:
    name = graph.outputs[0].name
    parts = [data.take(slice(i, i + 1)).arrays for i in range(len(data))]
    return np.concatenate([np.atleast_1d(interpret(graph, part)[name]) for part in parts])


@given(graph=windows())
def test_batches_give_what_the_reference_gives_sample_by_sample(graph: Graph) -> None:
    data = samples(graph, 3)
    actual = observe(graph, [graph.outputs[0].name], data, batch=2)[graph.outputs[0].name]
    np.testing.assert_allclose(actual, one_by_one(graph, data), rtol=1e-5, atol=1e-5)


def test_an_overlay_rounds_as_the_operators_do() -> None:
    draft = Draft(Seeded(0))
    x = draft.input((1, 3, 6, 5))
    y = draft.own("FusedConv", x, draft.weight(4, 3, 3, 3), draft.weight(4), activation="Relu")
    graph = closed(draft, draft.own("FusedConv", y, draft.weight(2, 4, 1, 1), draft.weight(2)))
    grid, data = from_range(0.0, 2.0, "uint8"), samples(graph, 4)
    actual = observe(graph, [graph.outputs[0].name], data, Overlay(quantizers={y.name: grid}))[graph.outputs[0].name]
    constants = draft.constant(float(grid.scale)), draft.constant(int(grid.zero), "uint8")
    rounded = graph.make("QuantizeLinear", [y, *constants], [None], graph.nodes[1])
    real = graph.make("DequantizeLinear", [rounded.output, *constants], [y.type], graph.nodes[2])
    graph.nodes[3].set_input(0, real.output)
    np.testing.assert_allclose(actual, one_by_one(graph, data), rtol=1e-5, atol=1e-5)


MIXING = {
    "batch of four": ("float[4,6] x", "w = Constant<value = float[6,2] {1,2,3,4,5,6,7,8,9,10,11,12}>() y = MatMul(x, w)"),
    "bias of a batch": ("float[2,3] x", "b = Constant<value = float[2,1] {1,2}>() y = Add(x, b)"),
    "product of samples": ("float[2,2] x", "y = MatMul(x, x)"),
    "mean over the batch": ("float[3,2] x", "y = ReduceMean<keepdims = 0>(x)"),
    "softmax over the batch": ("float[3,2] x", "y = Softmax<axis = 0>(x)"),
    "first axis moved": ("float[1,1,5] x", "t = Transpose<perm = [1,0,2]>(x) y = Relu(t)"),
    "axis in front": ("float[1,2,3] x", "s = Constant<value = int64[2] {2,3}>() r = Reshape(x, s) y = Softmax<axis = 0>(r)"),
    "narrow operand": ("float[1,4] x", "s = Constant<value = int64[1] {0}>() t = Squeeze(x, s) y = Mul(x, t)"),
    "split": ("float[2,6] x", "a, b = Split<axis = 1, num_outputs = 2>(x) y = Sub(b, a)"),
    "largest": ("float[1,3,4] x", "i = ArgMax<axis = 2>(x) y = Cast<to = 1>(i)"),
    "resize": ("float[1,2,3,3] x", "n = Constant<value = float[4] {1,1,2,2}>() y = Resize(x, , n)"),
    "sum of two calls' worth": ("float[2,3] x", "y = ReduceSum<keepdims = 1>(x)"),
    "shape of data": ("float[1,6] x", "n = NonZero(x) f = Cast<to = 1>(n) y = ReduceSum<keepdims = 0>(f)"),
    "weight in codes": (
        "float[1,2] x",
        "c = Constant<value = int8[2,2] {1,2,3,4}>() s = Constant<value = float[2] {0.5,2}>() "
        "z = Constant<value = int8[2] {0,0}>() w = DequantizeLinear<axis = 0>(c, s, z) y = Gemm(x, w)",
    ),
    "token in front": ("float[1,2,3] x", "c = Constant<value = float[1,1,3] {7,8,9}>() y = Concat<axis = 1>(c, x)"),
}


@pytest.mark.parametrize("name", MIXING)
def test_whatever_an_operator_does_calls_stay_apart(name: str) -> None:
    inputs, body = MIXING[name]
    graph = load(parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> mixing ({inputs}) => (float y) {{ {body} }}'))
    data = generated(graph, 5)
    expected = one_by_one(graph, data)
    np.testing.assert_allclose(observe(graph, ["y"], data, batch=3)["y"], expected, rtol=1e-5, atol=1e-6)


def test_an_overlay_rounds_in_front_of_an_operator_that_mixes() -> None:
    draft = Draft(Seeded(0))
    x = draft.input((1, 3, 6, 5))
    mean = draft.op("ReduceMean", x, axes=(0,))
    graph, grid = closed(draft, draft.op("Relu", mean)), from_range(-1.0, 1.0, "int8")
    data = samples(graph, 3)
    actual = observe(graph, [graph.outputs[0].name], data, Overlay(quantizers={mean.name: grid}))[graph.outputs[0].name]
    np.testing.assert_allclose(actual, np.maximum(grid.simulate(data.arrays[x.name]), 0), rtol=1e-6)


def test_constants_of_an_overlay_belong_to_one_reader() -> None:
    draft = Draft(Seeded(0))
    x, w = draft.input((1, 4)), draft.weight(4, 4)
    first = draft.own("FusedGemm", x, w)
    graph = closed(draft, draft.own("FusedGemm", first, w))
    data, zero = samples(graph, 2), Overlay(constants={(graph.nodes[1].name, 1): np.zeros((4, 4), np.float32)})
    seen = observe(graph, [first.name, graph.outputs[0].name], data, zero)
    np.testing.assert_allclose(seen[first.name], data.arrays[x.name] @ w.array, rtol=1e-5)
    assert not seen[graph.outputs[0].name].any()


def test_shapes_that_data_decides_run_call_by_call() -> None:
    draft = Draft(Seeded(0))
    graph = closed(draft, draft.op("Relu", draft.input((2, 3))))
    assert at_once(graph)
    graph.outputs[0].type = None
    assert not at_once(graph)


def test_a_name_that_is_no_value_is_named() -> None:
    draft = Draft(Seeded(0))
    graph = closed(draft, draft.op("Relu", draft.input((1, 3, 6, 5))))
    with pytest.raises(EdgeoptError, match="'nowhere'"):
        observe(graph, ["nowhere"], samples(graph, 1))


def test_an_operator_whose_meaning_depends_on_ranks_runs_natively() -> None:
    data = {name: uniform(1, 2, size, 5) for name, size in (("q", 3), ("k", 4), ("v", 4))}
    graph = single("FusedAttention", data, attributes={"scale": 0.5}, domain=OWN_DOMAIN)
    found = run_natively(graph.nodes[0], list(data.values()), 1)
    assert found is not None and found[0] is not None
    np.testing.assert_allclose(found[0], next(iter(interpret(graph, data).values())), rtol=1e-5, atol=1e-6)


def test_infinite_samples_are_nothing_to_warn_of() -> None:
    """Who judges the results says how many there are, and of what."""
    graph = load("examples/digits.onnx")
    name = graph.inputs[0].name
    infinite = DataSet({name: np.full((2, *graph.inputs[0].type.dims[1:]), np.inf, np.float32)})  # type: ignore[union-attr]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = observe(graph, [graph.outputs[0].name], infinite)
    assert not np.isfinite(made[graph.outputs[0].name]).any()
