"""fuse_attention: the golden text, forms that exporters write, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.ir import Graph, Value
from tests.passes.building import closed
from tests.passes.checks import before_and_after, keeps_numbers, load_pass, reasons
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft, Seeded

NAME = "fuse_attention"
CAUSAL = np.tril(np.ones((6, 6), bool))


def written(between: Callable[[Draft, Value], Value], shape: tuple[int, ...] = (4, 2, 6, 3), axis: int = -1) -> Graph:
    """Attention with ``between`` from the product to the softmax."""
    draft = Draft(Seeded(0), 17)
    q, k, v = (draft.input(shape) for _ in range(3))
    rank = len(shape)
    scores = draft.op("MatMul", q, draft.op("Transpose", k, perm=(*range(rank - 2), rank - 1, rank - 2)))
    return closed(draft, draft.op("MatMul", draft.op("Softmax", between(draft, scores), axis=axis), v))


def causal(draft: Draft, scores: Value) -> Value:
    """Scaled, then keys after the query are hidden by a Where, as GPT exporters write it."""
    scaled = draft.op("Div", scores, draft.constant(1.7))
    return draft.op("Where", draft.constant(CAUSAL, "bool"), scaled, draft.constant(float(np.finfo(np.float32).min)))


def windows(draft: Draft, scores: Value) -> Value:
    """A bias of positions, and a mask for each of two windows added under a Reshape, as Swin exporters write it."""
    biased = draft.op("Add", scores, draft.weight(1, 2, 6, 6))
    apart = draft.op("Reshape", biased, draft.ints(2, 2, 2, 6, 6))
    masked = draft.op("Add", apart, draft.weight(1, 2, 1, 6, 6))
    return draft.op("Reshape", masked, draft.ints(-1, 2, 6, 6))


def computed(draft: Draft, scores: Value) -> Value:
    """A mask of keys that is an input, besides a constant one."""
    return draft.op("Add", draft.op("Add", scores, draft.input((4, 1, 1, 6))), draft.weight(6, 6))


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


@pytest.mark.parametrize("between", [causal, windows, computed], ids=lambda f: f.__name__)
def test_what_exporters_write(between: Callable[[Draft, Value], Value]) -> None:
    graph = written(between)
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert "Softmax" not in [n.op for n in graph.nodes if n.output.uses]


@pytest.mark.parametrize("shape", [(6, 3), (5, 6, 3), (2, 1, 2, 6, 3)], ids=str)
def test_any_rank(shape: tuple[int, ...]) -> None:
    assert keeps_numbers(written(lambda draft, scores: scores, shape), load_pass(NAME)) == 1


@given(steps=st.lists(st.sampled_from(["Mul", "Div", "mask", "hidden"]), max_size=4))
def test_any_order_of_scale_and_masks(steps: list[str]) -> None:
    """Whatever stands between, the numbers stay; a scale before all masks is always taken in."""

    def between(draft: Draft, value: Value) -> Value:
        for step in steps:
            if step == "hidden":
                value = causal(draft, value)
            elif step == "mask":
                value = draft.op("Add", value, draft.weight(6, 6))
            else:
                value = draft.op(step, value, draft.constant(0.6))
        return value

    fired = keeps_numbers(written(between), load_pass(NAME))
    kinds = [step in ("Mul", "Div") for step in steps]
    assert fired or "hidden" in steps or kinds != sorted(kinds, reverse=True)


def test_leaves_a_scale_after_the_mask() -> None:
    graph = written(lambda d, s: d.op("Mul", d.op("Add", s, d.weight(6, 6)), d.constant(0.5)))
    assert any("scaled, then masked" in reason for reason in reasons(graph, NAME))


def test_leaves_a_softmax_of_another_axis() -> None:
    assert not reasons(written(lambda d, s: s, axis=1), NAME)


def test_leaves_a_where_that_hides_all_keys_of_a_query() -> None:
    nothing = CAUSAL.copy()
    nothing[2] = False
    graph = written(lambda d, s: d.op("Where", d.constant(nothing, "bool"), s, d.constant(-1e38)))
    assert reasons(graph, NAME)


def test_leaves_a_finite_number_that_hides() -> None:
    graph = written(lambda d, s: d.op("Where", d.constant(CAUSAL, "bool"), s, d.constant(-1e4)))
    assert reasons(graph, NAME)


def test_leaves_operands_that_are_broadcast() -> None:
    draft = Draft(Seeded(0), 17)
    q, k, v = draft.input((4, 6, 3)), draft.input((1, 3, 5)), draft.input((1, 5, 3))
    y = draft.op("MatMul", draft.op("Softmax", draft.op("MatMul", q, k), axis=-1), v)
    assert any("of one stack" in reason for reason in reasons(closed(draft, y), NAME))
