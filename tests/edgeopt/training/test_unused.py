"""Channels whose weights are all zero go, and the network computes the same."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.interpret import interpret
from edgeopt.ir.clone import clone
from tests.edgeopt.training.stripes import exact, network, samples

pytest.importorskip("jax", reason="the extra 'tune' is not installed")

from edgeopt.training.layers import layers_of
from edgeopt.training.unused import without_unused


def test_channels_that_nothing_reads_are_gone() -> None:
    layers = layers_of(exact(network(convolutions=3)))
    first, second, third, last = (n.name for n in layers.nodes)
    for name in (first, second, third, last):
        layers.masks[name] = np.ones(layers.constants[name, 1].shape, bool)
    layers.masks[second][:, [1, 5]] = False
    layers.masks[third][:] = False
    layers.masks[last][2:] = False
    layers.constants.update({(name, 1): layers.constants[name, 1] * mask for name, mask in layers.masks.items()})
    layers.constants[third, 2] = np.arange(8, dtype=np.float32)
    whole = clone(layers.graph)
    for node in whole.nodes:
        for index in (1, 2):
            if (node.name, index) in layers.constants:
                node.set_input(index, whole.constant(f"{node.name}.{index}", layers.constants[node.name, index]))
    without_unused(layers)
    shapes = [layers.constants[name, 1].shape for name in (first, second, third, last)]
    assert shapes == [(6, 1, 3, 3), (1, 6, 3, 3), (2, 1, 3, 3), (2, 3)]
    assert all(layers.masks[name].shape == layers.constants[name, 1].shape for name in layers.masks)
    x = {"x": samples(1).arrays["x"]}
    (expected,), (made,) = (list(interpret(graph, x).values()) for graph in (whole, layers.graph))
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)
