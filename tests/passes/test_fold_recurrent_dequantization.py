"""fold_recurrent_dequantization: the golden text, what it must leave alone, and that the result runs elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from edgeopt.frontend import export
from edgeopt.interpret import interpret
from edgeopt.ir import Graph, Value
from edgeopt.kernels.call import Declined
from edgeopt.kernels.recurrent.recurrent import _NAMES, Activation, Direction
from edgeopt.kernels.recurrent.recurrent_packed import activations
from edgeopt.ops.recurrent import HYBRID, VECTORISED
from edgeopt.pipeline import optimize
from tests.edgeopt.runtime_oracle import run
from tests.passes.building import closed, shape, sketch
from tests.passes.checks import before_and_after, feeds, load_pass, reasons, same_numbers
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft

NAME = "fold_recurrent_dequantization"
ROWS, HIDDEN = 6, 2


def weight(draft: Draft, depth: int, zero: int = 0, axis: int = 1, dtype: str = "int8") -> Value:
    codes = draft.constant(np.arange(ROWS * depth).reshape(1, ROWS, depth) % 90 + (60 if dtype == "uint8" else 0), dtype)
    count = (1, ROWS, depth)[axis]
    points = draft.constant(np.full(count, zero), dtype)
    return draft.op("DequantizeLinear", codes, draft.weight(count, low=0.001, high=0.01), points, axis=axis)


def layer(
    draft: Draft,
    x: Value,
    w: Value | None = None,
    r: Value | None = None,
    bias: Value | None = None,
    how: dict[str, Any] | None = None,
) -> Graph:
    samples, channels, height, width = shape(x)
    steps = draft.op("Reshape", x, draft.constant([samples * channels, height, width], "int64"))
    w, r = w or weight(draft, width), r or weight(draft, HIDDEN)
    return closed(draft, draft.op("GRU", steps, w, r, bias or draft.weight(1, 2 * ROWS), hidden_size=HIDDEN, **(how or {})))


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


@pytest.mark.parametrize("seed", range(5))
def test_the_result_runs_in_onnxruntime(seed: int) -> None:
    graph = pattern_graph(NAME, seed)
    load_pass(NAME)(graph)
    data = feeds(graph)
    same_numbers(interpret(graph, data), run(export(graph), data))


@pytest.mark.parametrize(("dtype", "zero"), [("int8", 3), ("uint8", 128)])
def test_zero_points_are_subtracted(dtype: str, zero: int) -> None:
    draft, x = sketch()
    graph = layer(draft, x, weight(draft, shape(x)[3], zero, dtype=dtype), weight(draft, HIDDEN, zero, dtype=dtype))
    data = feeds(graph)
    before = interpret(graph, data)
    optimize(graph, 1)
    assert any(n.is_own(*HYBRID.values()) for n in graph.nodes)
    same_numbers(interpret(graph, data), before)


def test_leaves_a_layer_of_which_one_weight_is_float() -> None:
    draft, x = sketch()
    assert reasons(layer(draft, x, r=draft.weight(1, ROWS, HIDDEN)), NAME) == ["its weights are not made of constants"]


def test_leaves_scales_along_the_inputs() -> None:
    draft, x = sketch()
    graph = layer(draft, x, weight(draft, shape(x)[3], axis=2))
    assert any("along the gates" in reason for reason in reasons(graph, NAME))


def test_leaves_codes_that_need_nine_bits() -> None:
    draft, x = sketch()
    graph = layer(draft, x, weight(draft, shape(x)[3], -100))
    assert any("do not fit 8 bits" in reason for reason in reasons(graph, NAME))


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [({"clip": 0.5}, "clipped"), ({"activations": ["Sigmoid", "Softsign"]}, "Softsign"), ({}, "bias")],
    ids=["clip", "activation", "bias"],
)
def test_leaves_what_no_kernel_reads_as_codes(attributes: dict[str, Any], reason: str) -> None:
    draft, x = sketch()
    bias = None if attributes else draft.op("Neg", draft.weight(1, 2 * ROWS))
    graph = layer(draft, x, bias=bias, how=attributes)
    assert any(reason in said for said in reasons(graph, NAME))


def test_kernels_have_the_activations_that_are_folded() -> None:
    for name in _NAMES:
        direction = Direction(0, False, (Activation(name, 0.0, 0.0),))
        with nullcontext() if name in VECTORISED else pytest.raises(Declined):
            assert activations(direction)
