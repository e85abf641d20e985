"""equalize_activations: channels reach alike, the numbers stay, and what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph, Value
from edgeopt.passes.equalize_activations import make
from edgeopt.rewrite import Context
from tests.passes.building import closed, sketch
from tests.strategies import Draft

NAME = "equalize_activations"


def uneven(draft: Draft, x: Value, activation: str = "Relu", channels: int = 4, **more: float) -> Value:
    spread = np.geomspace(0.4, 5.0, channels).reshape(channels, 1, 1, 1)
    weight = draft.constant(spread * draft.weight(channels, 3, 1, 1, low=0.5).array)
    return draft.own("FusedConv", x, weight, draft.weight(channels), activation=activation, **more)


def run(graph: Graph, *names: str) -> dict[str, Array]:
    (value,) = graph.inputs
    assert value.type is not None
    array = np.random.default_rng(0).normal(size=value.type.dims).astype(np.float32)
    return interpret(graph, {value.name: array}, names or [graph.outputs[0].name])


def reaches(graph: Graph) -> dict[str, Array]:
    layers = [n for n in graph.nodes if n.is_own("FusedConv")]
    seen = run(graph, *(n.output.name for n in layers))
    return {n.name: np.abs(seen[n.output.name]).max(axis=(0, 2, 3)) for n in layers}


def applied(graph: Graph) -> int:
    return make(reaches(graph))(graph, Context())


def branches(activation: str) -> Graph:
    """Two layers, one of them pooled twice as it is, whose concatenation two layers read."""
    draft, x = sketch()
    first, second = uneven(draft, x, activation), uneven(draft, x, activation, 5)
    both = draft.op("MaxPool", draft.op("Concat", first, second, axis=1), kernel_shape=(2, 2))
    a = draft.own("FusedConv", both, draft.weight(2, 9, 3, 3), draft.weight(2))
    b = draft.own("FusedConv", both, draft.weight(9, 1, 1, 1), draft.weight(9), group=9)
    return closed(draft, draft.op("Concat", draft.op("GlobalAveragePool", a), draft.op("GlobalAveragePool", b), axis=1))


@pytest.mark.parametrize("activation", ["", "Relu", "LeakyRelu"])
def test_channels_reach_alike_and_numbers_stay(activation: str) -> None:
    graph = branches(activation)
    before = run(graph)[graph.outputs[0].name]
    assert applied(graph) == 2
    np.testing.assert_allclose(run(graph)[graph.outputs[0].name], before, rtol=1e-4, atol=1e-4)
    for reach in list(reaches(graph).values())[:2]:
        assert reach.min() >= 0.99 * reach.max() or reach.min() == 0


def test_a_second_run_changes_nothing() -> None:
    graph = branches("Relu")
    assert applied(graph) == 2 and applied(graph) == 0


def test_a_quiet_channel_is_not_raised_without_bound() -> None:
    graph = branches("")
    found = reaches(graph)
    name = graph.nodes[0].name
    found[name][0] = 0.0
    before = run(graph)[graph.outputs[0].name]
    assert make(found)(graph, Context()) == 2
    np.testing.assert_allclose(run(graph)[graph.outputs[0].name], before, rtol=1e-4, atol=1e-4)


def declined(graph: Graph) -> str:
    context = Context()
    assert make(reaches(graph))(graph, context) == 0
    return " ".join(reason for _, _, reason in context.declined)


def test_leaves_a_clip() -> None:
    draft, x = sketch()
    y = uneven(draft, x, "Clip", alpha=0.0, beta=6.0)
    assert "not positively homogeneous" in declined(closed(draft, draft.own("FusedConv", y, draft.weight(4, 4, 3, 3))))


def test_leaves_what_another_operator_reads() -> None:
    draft, x = sketch()
    y = uneven(draft, x)
    both = draft.op("Concat", draft.own("FusedConv", y, draft.weight(4, 4, 1, 1)), draft.op("Sigmoid", y), axis=1)
    assert "no layer of its kind" in declined(closed(draft, both))


def test_leaves_a_residual() -> None:
    draft, x = sketch()
    y = uneven(draft, x)
    graph = closed(draft, draft.own("FusedConv", y, draft.weight(4, 4, 1, 1), draft.weight(4), y))
    assert "no layer of its kind" in declined(graph)


def test_leaves_even_channels() -> None:
    draft, x = sketch()
    y = draft.own("FusedConv", x, draft.constant(np.ones((4, 3, 1, 1))), draft.constant(np.zeros(4)), activation="Relu")
    assert "reach alike" in declined(closed(draft, draft.own("FusedConv", y, draft.weight(2, 4, 1, 1))))
