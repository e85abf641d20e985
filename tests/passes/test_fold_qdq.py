"""fold_qdq: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.passes.building import closed, rounded, sketch
from tests.passes.checks import before_and_after, keeps_numbers, load_pass, reasons
from tests.passes.graphs import pattern_graph

NAME = "fold_qdq"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_float_input() -> None:
    draft, x = sketch()
    weight = draft.op("DequantizeLinear", draft.constant(np.full((3, 1, 1, 1), 3), "int8"), draft.constant(0.1))
    y = draft.op("Conv", x, draft.op("Reshape", weight, draft.ints(1, 3, 1, 1)))
    assert reasons(closed(draft, y), NAME) == []  # its weight is not a quantised constant, so nothing was to fold
    z = draft.op("Conv", x, draft.op("DequantizeLinear", draft.constant(np.full((1, 3, 1, 1), 3), "int8"), draft.constant(0.1)))
    assert any("input is not quantised" in reason for reason in reasons(closed(draft, z), NAME))


def test_leaves_scales_along_the_input_channels() -> None:
    draft, x = sketch()
    codes, scales = draft.constant(np.ones((3, 3, 1, 1)), "int8"), draft.weight(3, low=0.1)
    weight = draft.op("DequantizeLinear", codes, scales, axis=1)
    y = draft.op("Conv", rounded(draft, x), weight)
    assert any("along the output channels" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_bias_of_another_scale() -> None:
    draft, x = sketch()
    weight = draft.op("DequantizeLinear", draft.constant(np.ones((3, 3, 1, 1)), "int8"), draft.constant(0.1))
    bias = draft.op("DequantizeLinear", draft.constant([1, 2, 3], "int32"), draft.constant(0.7))
    y = draft.op("Conv", rounded(draft, x), weight, bias)
    assert any("bias is neither int32" in reason for reason in reasons(closed(draft, y), NAME))


def test_weights_of_two_bits_become_integer_products() -> None:
    draft, x = sketch(25)
    codes = draft.constant(np.array([-1, 0, 1]).reshape(1, 3, 1, 1), "int2")
    y = draft.op("Conv", rounded(draft, x), draft.op("DequantizeLinear", codes, draft.constant(0.1)))
    graph = closed(draft, rounded(draft, y, 0.02, 128))
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert [node.op for node in graph.nodes if node.domain] == ["QuantConv"]


def test_transposed_convolutions_keep_their_shape() -> None:
    draft, x = sketch()
    codes, scales = draft.constant(np.arange(-9, 9).reshape(3, 2, 3, 1), "int8"), draft.weight(2, low=0.1)
    y = draft.op("ConvTranspose", rounded(draft, x), draft.op("DequantizeLinear", codes, scales, axis=1), strides=[2, 2])
    graph = closed(draft, rounded(draft, draft.op("Relu", y), 0.02, 128))
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert [node.op for node in graph.nodes if node.domain] == ["QuantConvTranspose"]


def test_groups_of_a_transposed_convolution_share_their_scales() -> None:
    draft, x = sketch()
    codes, scale = draft.constant(np.arange(-9, 9).reshape(3, 2, 3, 1), "int8"), np.array([0.125, 0.25], np.float32)
    weight = draft.op("DequantizeLinear", codes, draft.constant(scale), axis=1)
    steps = draft.constant(np.tile(0.5 * scale, 3).astype(np.float32))
    bias = draft.op("DequantizeLinear", draft.constant(np.arange(-3, 3) * 7, "int32"), steps, axis=0)
    graph = closed(draft, draft.op("ConvTranspose", rounded(draft, x, 0.5, 128), weight, bias, group=3))
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert [node.op for node in graph.nodes if node.domain] == ["QuantConvTranspose"]
