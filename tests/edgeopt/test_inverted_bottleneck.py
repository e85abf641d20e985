"""inverted_bottleneck: expanded channels that others can stand for go, with their filters; the projection is fitted again."""

from __future__ import annotations

import numpy as np

from edgeopt.forms.structure.inverted_bottleneck import INVERTED_BOTTLENECK, match
from edgeopt.ir import Graph, Node
from tests.edgeopt.test_fire_module import SAME, narrowed
from tests.passes.building import closed
from tests.strategies import Draft, Seeded


def bottleneck(hidden: int = 32, twins: int = 16, residual: bool = True) -> Graph:
    """An inverted bottleneck whose last ``twins`` channels are those before them."""
    draft, rng = Draft(Seeded(0)), np.random.default_rng(0)
    x = draft.input((1, 8, 6, 6))
    expand, bias = rng.standard_normal((hidden, 8, 1, 1)).astype(np.float32), np.full(hidden, 0.3, np.float32)
    filters = rng.standard_normal((hidden, 1, 3, 3)).astype(np.float32)
    for array in (expand, bias, filters):
        array[hidden - twins :] = array[:twins]
    clip = {"activation": "Clip", "alpha": 0.0, "beta": 6.0}
    h = draft.own("FusedConv", x, draft.constant(expand), draft.constant(bias), kernel_shape=(1, 1), **clip)
    d = draft.own("FusedConv", h, draft.constant(filters), draft.constant(bias), group=hidden, **SAME, **clip)
    more = [draft.weight(8), x] if residual else [draft.weight(8)]
    return closed(draft, draft.own("FusedConv", d, draft.weight(8, hidden, 1, 1), *more, kernel_shape=(1, 1)))


def last(graph: Graph) -> Node:
    return graph.nodes[-1]


def test_channels_that_others_stand_for_cost_nothing() -> None:
    graph = bottleneck()
    changed, error = narrowed(graph, last(graph), "expand-50", INVERTED_BOTTLENECK)
    assert error <= 0.01
    assert [np.asarray(n.constant(1)).shape[:2] for n in changed.nodes] == [(16, 8), (16, 1), (8, 16)]
    assert changed.nodes[1].integer("group", 1) == 16


def test_fewer_channels_lose_more() -> None:
    errors = []
    for key in ("expand-50", "expand-75"):
        graph = bottleneck(twins=0, residual=False)
        errors.append(narrowed(graph, last(graph), key, INVERTED_BOTTLENECK)[1])
    assert 0.01 < errors[1] < errors[0] < 1.0


def test_it_is_known_by_its_projecting_layer() -> None:
    graph = bottleneck()
    assert [n for n in graph.nodes if match(n) is not None] == [last(graph)]
    assert INVERTED_BOTTLENECK.obstacle(graph) == ""


def test_a_map_that_others_read_keeps_its_channels() -> None:
    graph = bottleneck()
    graph.outputs = [*graph.outputs, graph.nodes[0].output]
    assert match(last(graph)) is None
