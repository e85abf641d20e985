"""Graphs as exporters write them: none of their products is left to a kernel that computes by definition, without saying why.

Each network is small and holds one habit of an exporter.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from edgeopt.frontend import load
from edgeopt.ir import Graph, Value
from edgeopt.lower.lowering import lower
from edgeopt.lower.program import Program
from edgeopt.lower.table import TABLE, kernels_for
from edgeopt.pipeline import optimize
from edgeopt.target import target
from tests.passes.building import closed, shape, sketch
from tests.passes.checks import keeps_numbers
from tests.strategies import Draft

BY_DEFINITION = {op: {k.name for k in TABLE if k.by_definition and op in k.ops} for k in TABLE for op in k.ops}
Habit = Callable[[Draft, Value], Value]


def _weight(draft: Draft, x: Value, outputs: int = 24, size: int = 3, group: int = 1) -> Value:
    return draft.weight(outputs, shape(x)[1] // group, size, size)


def _expanded_bias(draft: Draft, x: Value) -> Value:
    weight = _weight(draft, x)
    size = draft.op("Expand", draft.op("Shape", weight, start=0, end=1), draft.ints(1))
    return draft.op("Conv", x, weight, draft.op("Expand", draft.op("CastLike", draft.constant(0.5), x), size))


def _added_bias(draft: Draft, x: Value) -> Value:
    return draft.op("Add", draft.op("Conv", x, _weight(draft, x)), draft.op("Unsqueeze", draft.weight(24), draft.ints(0, 2, 3)))


def _batch_norm(draft: Draft, x: Value) -> Value:
    numbers = [draft.weight(24, low=0.5, high=1.0) for _ in range(4)]
    return draft.op("Relu", draft.op("BatchNormalization", draft.op("Conv", x, _weight(draft, x)), *numbers))


def _automatic_pads(draft: Draft, x: Value) -> Value:
    return draft.op("Conv", x, _weight(draft, x), auto_pad="SAME_UPPER", strides=(2, 2))


def _quantised_weight(draft: Draft, x: Value) -> Value:
    codes = draft.op("QuantizeLinear", _weight(draft, x), draft.constant(0.01), draft.constant(0, "int8"))
    return draft.op("Conv", x, draft.op("DequantizeLinear", codes, draft.constant(0.01), draft.constant(0, "int8")))


def _computed_shape(draft: Draft, x: Value) -> Value:
    rows = draft.op("Concat", draft.op("Shape", x, start=0, end=1), draft.ints(-1), axis=0)
    y = draft.op("Reshape", draft.op("Conv", x, _weight(draft, x)), rows)
    return draft.op("MatMul", y, draft.weight(24 * 10 * 9, 40))


def _split_in_two(draft: Draft, x: Value) -> Value:
    node = draft.op("Split", draft.op("Conv", x, _weight(draft, x)), draft.ints(8, 16), outputs=2, axis=1).producer
    assert node is not None
    return draft.op("Conv", node.outputs[1], draft.weight(16, 16, 1, 1))


def _transposed(draft: Draft, x: Value) -> Value:
    return draft.op("ConvTranspose", x, draft.weight(shape(x)[1], 24, 2, 2), draft.weight(24), strides=(2, 2))


def _sequence(draft: Draft, x: Value) -> Value:
    row = draft.op("Reshape", x, draft.ints(1, shape(x)[1], -1))
    return draft.op(
        "PRelu", draft.op("Conv", row, draft.weight(24, shape(x)[1], 5), pads=(8, 0), dilations=(2,)), draft.weight(24, 1)
    )


def _narrow_groups(draft: Draft, x: Value) -> Value:
    y = draft.op("Conv", draft.op("Conv", x, _weight(draft, x, 32)), draft.weight(32, 4, 3, 3), group=8)
    return draft.op("Conv", y, draft.weight(64, 8, 1, 1), group=4)


def _depthwise_residual(draft: Draft, x: Value) -> Value:
    y = draft.op("Conv", x, _weight(draft, x))
    return draft.op("Relu", draft.op("Add", draft.op("Conv", y, draft.weight(24, 1, 3, 3), group=24, pads=(1, 1, 1, 1)), y))


HABITS: dict[str, Habit] = {
    "bias expanded from a number": _expanded_bias,
    "bias added": _added_bias,
    "batch norm kept": _batch_norm,
    "automatic pads": _automatic_pads,
    "weight quantised": _quantised_weight,
    "computed shape": _computed_shape,
    "split in two": _split_in_two,
    "transposed": _transposed,
    "sequence": _sequence,
    "narrow groups": _narrow_groups,
    "depthwise with a residual": _depthwise_residual,
}


def _left_by_definition(program: Program) -> list[str]:
    """The nodes that a kernel by definition serves and no note gives a reason for."""
    steps = [s for s in program.native if _module(s.call.function) in BY_DEFINITION.get(s.op, ())]
    return [f"{s.op} '{s.node}'" for s in steps if not any(f"'{s.node}'" in note for note in program.notes)]


def _module(function: Callable[..., None]) -> str:
    return function.__module__.rsplit(".", 1)[-1]


@pytest.mark.parametrize("where", ["x86-64-v4", "cortex-a53"])
@pytest.mark.parametrize("habit", HABITS)
def test_no_product_runs_by_definition(habit: str, where: str) -> None:
    draft = sketch(18)[0]
    graph = closed(draft, HABITS[habit](draft, draft.input((1, 16, 12, 11))))
    keeps_numbers(graph, lambda g, c: optimize(g, context=c).count)
    program = lower(graph, target(where))
    assert _left_by_definition(program) == []
    assert program.notes == []


def test_a_product_that_does_is_noted_with_the_reasons() -> None:
    draft = sketch(18)[0]
    graph: Graph = closed(draft, draft.op("Conv", draft.input((1, 16, 12, 11)), draft.input((8, 16, 3, 3))))
    optimize(graph)
    notes = lower(graph, target("x86-64-v4")).notes
    assert len(notes) == 1 and "not a constant" in notes[0] and "by its definition" in notes[0]


def test_real_graphs_say_why() -> None:
    folder = Path(os.environ.get("EDGEOPT_MODELS", "")) / "exported"
    paths = sorted(folder.glob("*.onnx")) if folder.is_absolute() else []
    if not paths:
        pytest.skip("no folder of exported graphs")
    for path in paths:
        graph = load(onnx.load(path))
        optimize(graph)
        assert _left_by_definition(lower(graph, target("x86-64-v4"), table=kernels_for(1))) == [], path.name
