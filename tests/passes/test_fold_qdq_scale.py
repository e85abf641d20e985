"""fold_qdq_scale: the golden text, a batch norm behind a rounded convolution, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeopt.pipeline import optimize
from tests.passes.building import closed, rounded, sketch
from tests.passes.checks import before_and_after, keeps_numbers, reasons
from tests.passes.graphs import pattern_graph

NAME = "fold_qdq_scale"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_a_batch_norm_between_rounded_maps_stays_in_bytes() -> None:
    draft, x = sketch(15)
    weight = draft.op("DequantizeLinear", draft.constant(np.ones((5, 3, 1, 1)), "int8"), draft.constant(0.1))
    y = rounded(draft, draft.op("Conv", rounded(draft, x), weight))
    y = draft.op("BatchNormalization", y, *(draft.weight(5, low=0.5, high=2.0) for _ in range(4)))
    graph = closed(draft, rounded(draft, draft.op("Relu", y)))
    keeps_numbers(graph, lambda graph, context: optimize(graph, context=context).count)
    assert [node.op for node in graph.nodes] == ["QuantizeLinear", "QuantConv", "QuantScaleShift", "DequantizeLinear"]


def test_leaves_a_result_that_is_read_as_float() -> None:
    draft, x = sketch()
    y = draft.own("FusedConv", rounded(draft, x), draft.weight(3, 1, 1, 1), group=3)
    assert any("read as float" in reason for reason in reasons(closed(draft, y), NAME))
