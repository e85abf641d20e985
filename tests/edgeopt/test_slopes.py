"""PRelu with a slope for each channel in whole networks: behind a convolution no step of its own, and the same bits."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from onnx import ModelProto

import edgeopt
from edgeopt import pipeline
from edgeopt.cost.suite import Network
from edgeopt.evaluate.batched import BATCHED_OWN
from edgeopt.frontend import export, load
from edgeopt.interpret import interpret
from edgeopt.ops import evaluate
from edgeopt.pipeline import finish, optimize
from edgeopt.rewrite import Context
from edgeopt.search.timing import profiles
from edgeopt.target import target as find_target
from tests.edgeopt.runtime_oracle import run

X = np.random.default_rng(1).normal(size=(2, 3, 26, 22)).astype(np.float32)


def bent(net: Network, x: str, channels: int, outputs: int, size: int, stride: int = 1, group: int = 1, more: str = "") -> str:
    """A convolution, the sum with ``more`` if there is any, and PRelu."""
    weight, pad = net.weight(outputs, channels // group, size, size), size // 2
    y = net.node("Conv", x, weight, net.weight(outputs), strides=[stride] * 2, pads=[pad] * 4, group=group)
    return net.node("PRelu", net.node("Add", y, more) if more else y, net.weight(outputs, 1, 1))


def face() -> ModelProto:
    """From an image by a stem, depthwise, 1x1, 3x3 and grouped convolutions."""
    net = Network("face")
    x = bent(net, net.input(*X.shape), 3, 40, 3, 2)
    x = bent(net, x, 40, 40, 3, group=40)
    x = bent(net, x, 40, 64, 1)
    x = bent(net, x, 64, 64, 3, more=x)
    net.node("GlobalAveragePool", bent(net, x, 64, 64, 3, group=2))
    return net.model()


def sequence() -> ModelProto:
    """Windows along one axis, then a matrix product, whose PRelu stays."""
    net = Network("sequence")
    x = net.input(1, 12, 20)
    for group in (1, 12):
        y = net.node("Conv", x, net.weight(12, 12 // group, 3), net.weight(12), pads=[1, 1], group=group)
        x = net.node("PRelu", y, net.weight(12, 1))
    flat = net.node("Flatten", x)
    net.node("PRelu", net.dense(flat, 240, 5), net.weight(5))
    return net.model()


@pytest.mark.parametrize("level", [1, 2])
def test_no_step_of_its_own_and_the_same_bits(level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fused, odd = edgeopt.compile(face(), level), X.copy()
    odd[0, 1, 3, 4], odd[1, 2, 5, 6] = np.nan, np.inf
    monkeypatch.setattr(pipeline, "LAST", ())
    apart = edgeopt.compile(face(), level)
    assert Counter(n.op for n in fused.graph.nodes)["PReluConv"] == Counter(n.op for n in apart.graph.nodes)["PRelu"] == 5
    (expected,), (special,) = (apart.run({"x0": x}).values() for x in (X, odd))
    for threads in (1, 2, 2, 2):
        np.testing.assert_array_equal(next(iter(fused.run({"x0": X}, threads=threads).values())), expected)
        np.testing.assert_array_equal(next(iter(fused.run({"x0": odd}, threads=threads).values())), special)
    (meant,) = interpret(load(face()), {"x0": X}).values()
    np.testing.assert_allclose(expected, meant, rtol=0, atol=1e-5 * np.ptp(meant))


def test_windows_of_a_sequence_take_their_slopes_in() -> None:
    made, x = edgeopt.compile(sequence()), np.random.default_rng(2).normal(size=(1, 12, 20)).astype(np.float32)
    assert Counter(n.op for n in made.graph.nodes) >= Counter({"PReluConv": 2, "FusedGemm": 1, "PRelu": 1})
    (expected,), (found,) = interpret(load(sequence()), {"x0": x}).values(), made.run({"x0": x}).values()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.ptp(expected))


def test_other_engines_and_many_samples_get_the_same_numbers() -> None:
    graph = load(face())
    optimize(graph)
    finish(graph, Context())
    (expected,), (found,) = interpret(graph, {"x0": X}).values(), run(export(graph), {"x0": X}).values()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.ptp(expected))
    assert [n.op for n in load(export(graph)).nodes] == [n.op for n in graph.nodes]
    node = next(n for n in graph.nodes if n.op == "PReluConv")
    inputs = [X, *(node.constant(i) for i in range(1, 5))]
    batched = BATCHED_OWN["PReluConv"](node, inputs)
    assert batched is not None
    np.testing.assert_allclose(batched, evaluate(node, inputs)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("target", ["host", "cortex-a72"])
def test_what_is_timed_is_what_is_shipped(target: str) -> None:
    graph = load(sequence())
    optimize(graph)
    before = str(graph)
    layers = profiles({"exact": graph}, find_target(target), 1)["exact"].layers
    assert [name for name in layers if name.startswith("prelu")] == ["prelu6"]
    assert str(graph) == before


def test_level_zero_leaves_it_apart() -> None:
    graph = load(face())
    finish(graph, Context(level=0))
    assert "PReluConv" not in {n.op for n in graph.nodes}
