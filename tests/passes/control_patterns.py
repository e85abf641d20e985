"""Patterns of the passes on Loop and Scan."""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Graph, TensorType, Value
from tests.passes.building import shape
from tests.strategies import Draft


def _known(value: Value) -> TensorType:
    assert value.type is not None
    return value.type


def refine_loop_types(draft: Draft, x: Value) -> Value:
    """A loop whose state has no shape, which adds an outer value in each turn and stacks the state's negation."""
    graph, type_ = draft.graph, _known(x)
    body = Graph(name="body", parent=graph)
    turn, go = Value("turn", TensorType("int64", ())), Value("go", TensorType("bool", ()))
    state = Value("state", TensorType(type_.dtype))
    body.inputs = [turn, go, state]
    added = body.make("Add", [state, x], [TensorType(type_.dtype)]).output
    negated = body.make("Neg", [added], [TensorType(type_.dtype)]).output
    body.outputs = [body.make("Identity", [go], [go.type]).output, added, negated]
    trips = draft.constant(draft.choice.integer(1, 3), "int64")
    node = graph.make("Loop", [trips, draft.constant(True, "bool"), x], [None, None], attributes={"body": body})
    node.outputs[0].type = TensorType(type_.dtype)
    node.outputs[1].type = TensorType(type_.dtype, (None, *type_.dims))
    return node.outputs[draft.choice.integer(0, 1)]


def canonicalize_scan(draft: Draft, x: Value) -> Value:
    """Cumulative sums along an axis that is not the first, stacked along another."""
    graph, dims = draft.graph, shape(x)
    axis, back = draft.choice.integer(1, 3), draft.choice.integer(1, 3)
    element = (*dims[:axis], *dims[axis + 1 :])
    type_ = TensorType("float32", element)
    body = Graph(name="body", parent=graph)
    state, slice_ = Value("state", type_), Value("slice", type_)
    body.inputs = [state, slice_]
    total = body.make("Add", [state, slice_], [type_]).output
    body.outputs = [total, body.make("Neg", [total], [type_]).output]
    first = draft.constant(np.zeros(element), "float32")
    stacked = (*element[:back], dims[axis], *element[back:])
    axes = {"num_scan_inputs": 1, "scan_input_axes": (axis - 4 * draft.choice.integer(0, 1),), "scan_output_axes": (back,)}
    types = [type_, TensorType("float32", stacked)]
    return graph.make("Scan", [first, x], types, attributes={**axes, "body": body}).outputs[1]
