"""Batched runs: the fast operators against onnx.reference, and an overlay against the graph that it stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay, is_samplewise, observe
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph
from edgeopt.ops.grid import from_range
from tests.passes.building import closed
from tests.strategies import Draft, Drawn, Seeded


@st.composite
def windows(draw: st.DrawFn) -> Graph:
    """One convolution or pooling of any form, one sample."""
    choice = Drawn(draw)
    draft = Draft(choice)
    kind = choice.pick(["Conv", "depthwise", "grouped", "MaxPool", "AveragePool"])
    size, strides, dilations = choice.integer(1, 3), (choice.integer(1, 3), choice.integer(1, 2)), (choice.integer(1, 2),) * 2
    channels = 4 if kind in ("grouped", "depthwise") else choice.integer(1, 5)
    x = draft.input((1, channels, choice.integer(6, 9), choice.integer(6, 9)))
    pads = tuple(choice.integer(0, size - 1) for _ in range(4))
    form: dict[str, Any] = {"kernel_shape": (size, size), "strides": strides}
    if kind == "AveragePool":
        return closed(draft, draft.op(kind, x, pads=pads, ceil_mode=choice.integer(0, 1), **form))
    if kind == "MaxPool":
        form.update(pads=pads, dilations=dilations, ceil_mode=choice.integer(0, 1))
        return closed(draft, draft.op(kind, x, **form))
    group = {"Conv": 1, "depthwise": 4, "grouped": 2}[kind]
    width = group * choice.integer(1, 3)
    w = draft.weight(width, channels // group, size, size)
    form.update(group=group, pads=pads, dilations=dilations)
    if not choice.integer(0, 1):
        return closed(draft, draft.op("Conv", x, w, draft.weight(width), **form))
    form.update(activation=choice.pick(["", "Relu", "Clip", "LeakyRelu"]), alpha=-0.5, beta=0.5)
    return closed(draft, draft.own("FusedConv", x, w, draft.weight(width), **form))


def samples(graph: Graph, count: int) -> DataSet:
    (value,) = graph.inputs
    assert value.type is not None
    shape = (count, *value.type.dims[1:])
    return DataSet({value.name: np.random.default_rng(0).normal(size=shape).astype(np.float32)})


def one_by_one(graph: Graph, data: DataSet) -> Array:
    name = graph.outputs[0].name
    return np.concatenate([interpret(graph, data.take(slice(i, i + 1)).arrays)[name] for i in range(len(data))])


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


def test_a_graph_that_mixes_samples_takes_no_overlay() -> None:
    draft = Draft(Seeded(0))
    x = draft.input((1, 3, 6, 5))
    graph = closed(draft, draft.op("ReduceMean", x, axes=(0,)))
    assert not is_samplewise(graph)
    data = samples(graph, 2)
    np.testing.assert_allclose(observe(graph, [graph.outputs[0].name], data)[graph.outputs[0].name], one_by_one(graph, data))
    with pytest.raises(EdgeoptError, match="mixes its samples"):
        observe(graph, [graph.outputs[0].name], data, Overlay())


def test_a_name_that_is_no_value_is_named() -> None:
    draft = Draft(Seeded(0))
    graph = closed(draft, draft.op("Relu", draft.input((1, 3, 6, 5))))
    with pytest.raises(EdgeoptError, match="'nowhere'"):
        observe(graph, ["nowhere"], samples(graph, 1))
