"""widen_codes: the golden text, and codes of few bits wherever a network may have them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.interpret import interpret
from edgeopt.ir import Graph
from edgeopt.ir.match import dtype_of
from edgeopt.ops.code_limits import WIDER
from edgeopt.pipeline import optimize
from tests.passes.building import closed, rounded, sketch
from tests.passes.checks import before_and_after, feeds, keeps_numbers, load_pass
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft, Seeded

NAME = "widen_codes"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 2), NAME))


@given(bits=st.integers(0, 2**32 - 1), exponent=st.integers(-100, 100), dtype=st.sampled_from(sorted(WIDER)))
def test_every_float_gets_the_same_code(bits: int, exponent: int, dtype: str) -> None:
    """Halves, infinities and numbers of no normal size among them; what is no number has no code."""
    scale = np.float32(1.37 * 2.0**exponent)
    near = np.arange(-20, 20, 0.5, dtype=np.float32) * scale
    x = np.concatenate([near, np.nextafter(near, np.inf), np.array([bits], np.uint32).view(np.float32), [np.inf, -np.inf]])
    x = x[~np.isnan(x)].astype(np.float32)
    draft = Draft(Seeded(0), 25)
    value = draft.input(x.shape)
    codes = draft.op("QuantizeLinear", value, draft.constant(float(scale)), draft.constant(1, dtype))
    graph = closed(draft, codes)
    before = interpret(graph, {value.name: x})
    load_pass(NAME)(graph)
    after = interpret(graph, {value.name: x})
    (name,) = before
    assert np.array_equal(before[name].astype(int), after[name].astype(int))


def _widened(graph: Graph) -> list[str]:
    """The operators after all passes, on the same numbers; none is left that works on fewer than 8 bits."""
    keeps_numbers(graph, lambda g, context: optimize(g, context=context).count)
    kept = [v for node in graph.nodes for v in node.outputs if dtype_of(v) in WIDER]
    assert all(graph.is_output(value) for value in kept)
    return [node.op for node in graph.nodes]


@pytest.mark.parametrize("dtype", ["uint4", "int4"])
def test_what_moves_codes_or_picks_the_largest_stays_in_codes(dtype: str) -> None:
    draft, x = sketch(21)
    y = rounded(draft, x, 0.2, 3, dtype)
    y = rounded(draft, draft.op("MaxPool", y, kernel_shape=(2, 2)), 0.2, 3, dtype)
    y = draft.op("Concat", y, y, axis=1)
    y = rounded(draft, draft.op("Transpose", y, perm=(0, 2, 3, 1)), 0.2, 3, dtype)
    assert _widened(closed(draft, y)) == ["QuantizeLinear", "Clip", "MaxPool", "Concat", "Transpose", "DequantizeLinear"]


def test_graph_inputs_and_outputs_keep_their_type() -> None:
    draft = Draft(Seeded(0), 21)
    codes, grid = draft.input((1, 3, 4, 5), "uint4"), (draft.constant(0.3), draft.constant(2, "uint4"))
    y = draft.op("Relu", draft.op("DequantizeLinear", codes, *grid))
    graph = closed(draft, draft.op("QuantizeLinear", y, *grid))
    assert _widened(graph) == ["Cast", "QuantLookup", "Cast"]
    assert dtype_of(graph.inputs[0]) == dtype_of(graph.outputs[0]) == "uint4"


def test_several_scales_and_a_zero_point_left_out() -> None:
    draft, x = sketch(21)
    scales = draft.weight(3, low=0.1, high=0.3)
    y = draft.op("QuantizeLinear", x, scales, axis=1, output_dtype=22)  # int4
    y = draft.op("DequantizeLinear", y, scales, axis=1)
    _widened(closed(draft, y))


def test_a_zero_point_that_is_computed() -> None:
    draft, x = sketch(21)
    scale, zero = draft.constant(0.1), draft.op("Cast", draft.input((), "uint8"), to=21)
    y = draft.op("QuantizeLinear", x, scale, zero)
    graph = closed(draft, draft.op("DequantizeLinear", y, scale, zero))
    keeps_numbers(graph, load_pass(NAME))


def test_a_cast_that_drops_bits_stays() -> None:
    draft = Draft(Seeded(0), 21)
    codes = draft.op("Cast", draft.input((64,), "uint8"), to=21)
    graph = closed(draft, draft.op("DequantizeLinear", codes, draft.constant(0.1), draft.constant(0, "uint4")))
    data = {graph.inputs[0].name: np.arange(64, dtype=np.uint8)}
    before = interpret(graph, data)
    optimize(graph)
    for name, expected in before.items():
        assert np.array_equal(interpret(graph, data)[name], expected)
    assert feeds(graph).keys() == data.keys()
