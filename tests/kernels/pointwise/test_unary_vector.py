"""Activations in vectors against their meaning: sizes that fill no vector, all magnitudes, other vector widths."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import edgeopt
from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph
from edgeopt.kernels.pointwise import unary_vector
from edgeopt.ops import evaluate
from edgeopt.runtime.emulate import Emulator
from tests.kernels.one_node import compiled, kernels, one_node

OPS: dict[str, tuple[str, dict[str, Attribute], str]] = {
    "Sigmoid": ("Sigmoid", {}, ""),
    "Tanh": ("Tanh", {}, ""),
    "Erf": ("Erf", {}, ""),
    "Silu": ("Silu", {}, OWN_DOMAIN),
    "Gelu": ("Gelu", {}, OWN_DOMAIN),
    "Gelu tanh": ("Gelu", {"approximate": "tanh"}, OWN_DOMAIN),
}


def _graph(name: str, x: Array) -> Graph:
    op, attributes, domain = OPS[name]
    return one_node(op, [x], attributes, domain=domain)


def _values(count: int) -> Array:
    return np.concatenate([np.linspace(-12, 12, count - count // 3), np.geomspace(1e-6, 200, count // 3)]).astype(np.float32)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("count", [1, 17, 4096, 9000])
def test_values(name: str, count: int) -> None:
    x = _values(count)
    graph = _graph(name, x)
    expected = evaluate(graph.nodes[0], [x])[0]
    for threads in (1, 2):
        made = next(iter(compiled(graph, kernels(unary_vector)).run({"x0": x}, threads).values()))
        np.testing.assert_allclose(made, expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", OPS)
def test_limits(name: str) -> None:
    x = np.array([np.nan, 1e30, -1e30, 0.0, 1e-30], np.float32)
    graph = _graph(name, x)
    made = next(iter(compiled(graph, kernels(unary_vector)).run({"x0": x}).values()))
    limits = {"Sigmoid": [1.0, 0.0], "Tanh": [1.0, -1.0], "Erf": [1.0, -1.0]}.get(name, [1e30, 0.0])
    assert np.isnan(made[0])
    np.testing.assert_allclose(made[1:3], limits, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(made[3:], 0.5 if name == "Sigmoid" else 0.0, atol=1e-7)


@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
@pytest.mark.parametrize("name", OPS)
def test_arm(name: str) -> None:
    x = _values(101)
    graph = _graph(name, x)
    expected = evaluate(graph.nodes[0], [x])[0]
    with Emulator(edgeopt.compile(graph, level=0, target="arm")) as emulator:
        np.testing.assert_allclose(next(iter(emulator.run({"x0": x}).values())), expected, rtol=2e-6, atol=1e-6)
