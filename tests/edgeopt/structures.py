"""Convolutions and products of every shape, and what becomes of them when a technique of structure stands in."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from edgeopt.forms.structure.layer import Layer, layer_of
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph, Node
from edgeopt.ir.clone import clone
from edgeopt.ops import infer_types
from edgeopt.ops.chain import Chains
from edgeopt.passes import factorize
from edgeopt.rewrite import Context
from tests.passes.building import closed
from tests.strategies import Draft, Seeded


@st.composite
def convolutions(draw: st.DrawFn, axes: tuple[int, ...] = (1, 2, 3)) -> Graph:
    """One FusedConv of odd sizes, with strides, dilations, uneven pads and groups; bias, residual and activation or not."""
    rank, groups = draw(st.sampled_from(axes)), draw(st.sampled_from((1, 1, 2)))
    inputs, outputs = (groups * draw(st.integers(1, 4)) for _ in range(2))
    kernel, strides, dilations = ([draw(st.integers(low, high)) for _ in range(rank)] for low, high in ((1, 3), (1, 2), (1, 2)))
    pads = [draw(st.integers(0, 2)) for _ in range(2 * rank)]
    places = [draw(st.integers(5, 7)) for _ in range(rank)]
    window = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads, "group": groups}
    shape = (draw(st.integers(1, 2)), inputs, *places)
    kind, more = draw(st.sampled_from(("", "Relu"))), draw(st.tuples(st.booleans(), st.booleans()))
    return convolution(shape, outputs, window, kind, *more, seed=draw(st.integers(0, 99)))


def convolution(
    shape: tuple[int, ...], outputs: int, window: dict[str, Any], kind: str, bias: bool, residual: bool, seed: int = 0
) -> Graph:
    """A graph of one FusedConv of an input of ``shape``; the residual is another one of the same input."""
    draft = Draft(Seeded(seed))
    x, group = draft.input(shape), window.get("group", 1)
    size = (outputs, shape[1] // group, *window["kernel_shape"])
    added = draft.own("FusedConv", x, draft.weight(*size), **window) if residual else None
    operands = [x, draft.weight(*size), draft.weight(outputs) if bias else None, added]
    while operands[-1] is None:
        operands.pop()
    return closed(draft, draft.own("FusedConv", *operands, **window, **({"activation": kind} if kind else {})))


def last(graph: Graph) -> Node:
    """The layer that is changed."""
    node = graph.outputs[0].producer
    assert node is not None
    return node


def layer(graph: Graph) -> Layer:
    """The last layer as techniques see it."""
    found = layer_of(last(graph))
    assert found is not None
    return found


def difference(graph: Graph, made: Chains) -> float:
    """How far the chains are from the last layer: the largest difference relative to the largest result."""
    changed = clone(graph)
    assert factorize.make({last(graph).name: made})(changed, Context()) == 1
    infer_types(changed, strict=True)
    before, after = result(graph), result(changed)
    return float(np.abs(after - before).max() / max(1e-6, float(np.abs(before).max())))


def result(graph: Graph) -> Array:
    """What the graph computes of a random input."""
    rng = np.random.default_rng(0)
    feeds = {v.name: rng.standard_normal(v.type.dims).astype(np.float32) for v in graph.inputs if v.type is not None}
    return next(iter(interpret(graph, feeds).values()))
