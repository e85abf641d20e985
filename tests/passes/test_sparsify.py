"""sparsify: the golden text, what it must leave alone, and that the result runs elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgeopt.frontend import export
from edgeopt.interpret import interpret
from edgeopt.ir import Graph
from edgeopt.ops.contracts import misfit
from edgeopt.passes.sparsify import make
from edgeopt.rewrite import Context
from tests.edgeopt.runtime_oracle import run
from tests.kernels.quant_harness import Grid, codes, conv_graphs
from tests.kernels.sparse_harness import thinned
from tests.passes.building import closed, sketch
from tests.passes.checks import feeds, keeps_numbers, same_numbers
from tests.strategies import Draft, Seeded


def conv() -> Graph:
    """A FusedConv of 20 outputs and 6 inputs with a residual, whose weight has blocks of zeros."""
    draft = Draft(Seeded(0), 13)
    x = draft.input((1, 6, 5, 5))
    random = np.random.default_rng(0)
    weight = thinned(random.uniform(-1, 1, (20, 6, 3, 3)).astype(np.float32), (16, 1), 0.3, random)
    y = draft.own("FusedConv", x, draft.constant(weight), None, draft.input((1, 20, 5, 5)), pads=(1, 1, 1, 1), activation="Relu")
    graph = closed(draft, y)
    graph.nodes[0].name = "layer"
    return graph


def integer() -> Graph:
    """A QuantConv whose codes are centred around 128."""
    weight = thinned(codes("int8", 32, 8, 1, 1), (16, 4), 0.5).astype(int) + 128
    scale, zero = np.full(32, 0.01, np.float32), np.full(32, 128, np.uint8)
    graph, _ = conv_graphs(Grid(0.1, 3), (1, 8, 4, 4), weight.astype(np.uint8), scale, zero, None, Grid(0.5, 9), {})
    graph.nodes[0].name = "layer"
    return graph


def test_golden(golden: Callable[[str, str], None]) -> None:
    graph = conv()
    before = str(graph)
    make({"layer": (16, 1)})(graph)
    golden("sparsify", f"{before}\n\n->\n\n{graph}")


@pytest.mark.parametrize("block", [(16, 1), (16, 4), (4, 1), (1, 1)])
def test_keeps_the_numbers_here_and_in_onnxruntime(block: tuple[int, int]) -> None:
    graph = conv()
    assert keeps_numbers(graph, make({"layer": block})) == 1
    data = feeds(graph)
    same_numbers(interpret(graph, data), run(export(graph), data))


def test_centres_codes() -> None:
    graph = integer()
    data = {"x": codes("uint8", 1, 8, 4, 4)}
    before = interpret(graph, data)
    assert make({"layer": (16, 4)})(graph) == 1
    same_numbers(before, interpret(graph, data))
    data_of = graph.nodes[0].constant(3)
    assert data_of is not None and data_of.dtype == np.int8 and len(data_of) < 4 and graph.nodes[0].input(5) is None


def test_a_weight_that_would_fill_the_memory_is_refused() -> None:
    graph = conv()
    make({"layer": (16, 1)})(graph)
    graph.memory_limit = 4000
    assert "4.2 kB, more than the memory limit" in misfit(graph.nodes[0])


def test_says_why_a_layer_stays_dense() -> None:
    graph, context = conv(), Context()
    assert make({}, {"layer": "it would be slower"})(graph, context) == 0
    assert [reason for _, _, reason in context.declined] == ["it would be slower"]


def test_leaves_codes_that_need_nine_bits() -> None:
    graph, context = integer(), Context()
    graph.nodes[0].set_input(5, graph.constant("zero", np.zeros(32, np.uint8)))
    assert make({"layer": (16, 4)})(graph, context) == 0
    assert "do not fit 8 bits" in context.declined[0][2]


def test_leaves_a_weight_that_is_computed() -> None:
    draft, x = sketch()
    graph = closed(draft, draft.own("FusedConv", x, draft.input((16, 3, 1, 1))))
    context = Context()
    assert make({graph.nodes[0].name: (16, 1)})(graph, context) == 0 and "computed" in context.declined[0][2]
