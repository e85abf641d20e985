"""The parts of a graph, run one after the other, give what the graph gives; for every placement that moves data outwards."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph, Value, verify
from edgeopt.partition.layer_costs import LayerCosts
from edgeopt.partition.network import INPUT
from edgeopt.partition.parts import Parts, parts
from edgeopt.partition.stages import network, reads
from tests.edgeopt.small_models import convolution
from tests.strategies import graphs

NAMES = ("device", "edge", "cloud")


def run(cut: Parts, inputs: dict[str, Array]) -> dict[str, Array]:
    known = dict(inputs)
    for graph in cut.graphs.values():
        known |= interpret(graph, {value.name: known[value.name] for value in graph.inputs})
    return known


def _dims(value: Value) -> tuple[int, ...]:
    assert value.type is not None and value.type.dtype == "float32"
    return value.type.dims


@st.composite
def placed(draw: st.DrawFn) -> tuple[Graph, list[int]]:
    """A graph, and a tier of each node that is no nearer than those of the nodes it reads."""
    graph = draw(graphs())
    tiers: dict[str, int] = {}
    for node in graph.nodes:
        least = max((tiers[v.producer.name] for v in reads(node) if v.producer is not None), default=0)
        tiers[node.name] = draw(st.integers(least, 2))
    return graph, list(tiers.values())


@given(placed(), st.integers(0, 2**16))
def test_parts_compute_what_the_graph_does(case: tuple[Graph, list[int]], seed: int) -> None:
    graph, placement = case
    rng = np.random.default_rng(seed)
    inputs = {v.name: rng.standard_normal(_dims(v)).astype(np.float32) for v in graph.inputs}
    expected = interpret(graph, inputs)
    cut = parts(graph, placement, NAMES)
    for part in cut.graphs.values():
        verify(part)
    found = run(cut, inputs)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
    assert all(wire.output == wire.input for wire in cut.wires)


def test_the_network_of_a_graph() -> None:
    graph = load(convolution())
    made = network(graph, [LayerCosts({"conv": 3.0, "gemm": 1.0}), LayerCosts({"conv": 1.0})])
    assert [(s.name, s.seconds) for s in made.stages] == [
        ("conv", (3.0, 1.0)), ("relu", (0.0, 0.0)), ("pool", (0.0, 0.0)), ("flatten", (0.0, 0.0)), ("gemm", (1.0, 0.0)),
    ]  # fmt: skip
    assert [(t.name, t.size, t.producer, t.consumers, t.output) for t in made.tensors] == [
        ("x", 768, INPUT, (0,), False), ("c", 1024, 0, (1,), False), ("r", 1024, 1, (2,), False),
        ("p", 256, 2, (3,), False), ("f", 256, 3, (4,), False), ("y", 20, 4, (), True),
    ]  # fmt: skip
