"""Chains of concatenations, as in dense blocks: each is the first channels of the last, and nothing is copied."""

from __future__ import annotations

import numpy as np
import pytest

import edgeopt
from edgeopt.cost.suite import Network
from edgeopt.interpret import interpret

LAYERS, GROWTH = 4, 32


def dense_block(nested: bool, first: str = "conv") -> Network:
    """Every layer reads all the maps before it: their concatenation, or the last one and what was added (``nested``)."""
    net = Network("dense")
    x = net.input(1, 3 if first == "conv" else 64, 12, 12)
    maps = [net.conv(x, 3, 64, 3) if first == "conv" else x]
    for layer in range(LAYERS):
        whole = maps[0] if len(maps) == 1 else net.node("Concat", *maps, axis=1)
        grown = net.conv(net.conv(whole, 64 + layer * GROWTH, 48, 1), 48, GROWTH, 3)
        maps = [whole, grown] if nested else [*maps, grown]
    whole = net.node("Concat", *maps, axis=1)
    net.conv(net.node("AveragePool", whole, kernel_shape=[2, 2], strides=[2, 2]), 64 + LAYERS * GROWTH, 32, 1)
    return net


@pytest.mark.parametrize("nested", [False, True])
def test_a_dense_block_copies_nothing(nested: bool) -> None:
    model = edgeopt.compile(dense_block(nested).model())
    assert not [k for k in model.manifest["kernels"] if k["op"] == "Concat"]
    x = np.random.default_rng(0).normal(size=(1, 3, 12, 12)).astype(np.float32)
    (expected,), (found,) = (list(r.values()) for r in (interpret(model.graph, {"x0": x}), model.run({"x0": x})))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.ptp(expected))


def test_a_part_that_lies_elsewhere_is_brought_once() -> None:
    model = edgeopt.compile(dense_block(False, "input").model())
    brought = [k["kernel"] for k in model.manifest["kernels"] if k["op"] == "Concat" and "fill" not in k["kernel"]]
    assert len(brought) == 1
    x = np.random.default_rng(0).normal(size=(1, 64, 12, 12)).astype(np.float32)
    (expected,), (found,) = (list(r.values()) for r in (interpret(model.graph, {"x0": x}), model.run({"x0": x})))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.ptp(expected))


def test_two_continuations_of_one_concatenation() -> None:
    """Only one of them begins where the parts lie; the other one copies them."""
    net = Network("two")
    image = net.input(1, 3, 12, 12)
    a, b, c, d = (net.conv(image, 3, 32, 3) for _ in range(4))
    ab = net.node("Concat", a, b, axis=1)
    ends = [net.node("Concat", a, b, c, axis=1), net.node("Concat", ab, d, axis=1), net.node("Concat", b, a, axis=1)]
    for channels, end in zip((96, 96, 64), ends, strict=True):
        net.conv(end, channels, 32, 1)
    net.conv(ab, 64, 32, 3)
    model = edgeopt.compile(net.model())
    x = np.random.default_rng(0).normal(size=(1, 3, 12, 12)).astype(np.float32)
    expected, found = interpret(model.graph, {"x0": x}), model.run({"x0": x})
    assert len(found) == 4
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-5 * np.ptp(array))
