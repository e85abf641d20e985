"""LayerNormalization and RMSNormalization in vectors against their meaning: rows that fill no vector, other vector widths."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import edgeopt
from edgeopt.kernels.reduce import layer_normalization_vector
from edgeopt.ops import evaluate
from edgeopt.runtime.emulate import Emulator
from tests.kernels.harness import check
from tests.kernels.one_node import agree, declined, normal, one_node


@pytest.mark.parametrize("shape", [(5, 1), (3, 7), (2, 17), (3, 33), (40, 192)])
def test_rows(shape: tuple[int, ...]) -> None:
    inputs = [normal(*shape) * 3 + 1, normal(shape[-1]), normal(shape[-1], seed=1)]
    agree(layer_normalization_vector, "LayerNormalization", inputs, rtol=1e-5, atol=3e-6, threads=2)


def test_a_large_mean_does_not_hide_the_variance() -> None:
    x = normal(4, 50) + np.float32(1000)
    deviation = (x - x.mean(-1, keepdims=True, dtype=np.float64)) / x.std(-1, keepdims=True, dtype=np.float64)
    expected = [deviation.astype(np.float32)]
    agree(layer_normalization_vector, "LayerNormalization", [x, np.ones(50, np.float32)], expected=expected, rtol=1e-3, atol=1e-3)


def test_several_axes_without_bias() -> None:
    inputs = [normal(2, 3, 4, 5), normal(4, 5)]
    agree(layer_normalization_vector, "LayerNormalization", inputs, {"axis": 2, "epsilon": 1e-2}, rtol=1e-5, atol=2e-6)


def test_rms() -> None:
    inputs = [normal(2, 3, 21), normal(21)]
    agree(layer_normalization_vector, "RMSNormalization", inputs, opset=23, rtol=1e-5, atol=2e-6)


def test_reasons() -> None:
    across = one_node("LayerNormalization", [normal(3, 3), normal(3, 1)])
    assert "shape of the normalised axes" in declined(layer_normalization_vector, across)
    graph = one_node("LayerNormalization", [normal(3, 4), normal(4)], outputs=2)
    assert "asked for" in declined(layer_normalization_vector, graph)


def test_avx2() -> None:
    inputs = [normal(9, 45), normal(45), normal(45, seed=1)]
    graph = one_node("LayerNormalization", inputs)
    check(graph, {f"x{i}": a for i, a in enumerate(inputs)}, [layer_normalization_vector.KERNEL], "x86-64-v3")


@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
def test_arm() -> None:
    inputs = [normal(9, 45), normal(45), normal(45, seed=1)]
    graph = one_node("LayerNormalization", inputs, constant=(1, 2))
    expected = evaluate(graph.nodes[0], inputs)[0]
    with Emulator(edgeopt.compile(graph, level=0, target="arm")) as emulator:
        made = next(iter(emulator.run({"x0": inputs[0]}).values()))
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=3e-6)
