"""Normalisations as exporters of old opsets spell them out, on sequences, whose means look like global poolings."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.cost.suite import Network
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.pipeline import optimize


def spelled(centred: bool) -> Network:
    """x [1, 5, 8] between two matrix products, normalised over its last axis, with scale and offset."""
    net = Network("norms")
    x = net.node("MatMul", net.input(1, 5, 8), net.weight(8, 8))
    d = net.node("Sub", x, net.node("ReduceMean", x, axes=[-1])) if centred else x
    square = net.node("Pow", d, net.constant(np.float32(2)))
    spread = net.node("Add", net.node("ReduceMean", square, axes=[-1]), net.constant(np.float32(1e-5)))
    y = net.node("Mul", net.node("Div", d, net.node("Sqrt", spread)), net.weight(8))
    net.node("MatMul", net.node("Add", y, net.weight(8)) if centred else y, net.weight(8, 8))
    return net


@pytest.mark.parametrize(("centred", "op"), [(True, "LayerNormalization"), (False, "RMSNormalization")])
def test_a_norm_of_a_sequence_is_one_operator(centred: bool, op: str) -> None:
    graph = load(spelled(centred).model())
    x = np.random.default_rng(0).normal(size=(1, 5, 8)).astype(np.float32)
    (expected,) = interpret(graph, {"x0": x}).values()
    optimize(graph, 1)
    assert op in [node.op for node in graph.nodes]
    assert not {"GlobalAveragePool", "ReduceMean", "Sqrt"} & {node.op for node in graph.nodes}
    (found,) = interpret(graph, {"x0": x}).values()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.ptp(expected))
