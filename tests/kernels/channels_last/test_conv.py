"""Convolutions of maps that lie channels last give the codes of the kernels for blocks, with an FPU and without."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.assembly import assemble
from edgeopt.ir import Array, Graph
from edgeopt.target import Target, host
from tests.kernels.channels_last.networks import LAYERS, Layer, depthwise, network, scalar_host


def codes(graph: Graph, x: Array, target: Target, kernels: str = "") -> list[Array]:
    """All outputs on ``target``; the layers run by ``kernels``, where they are named."""
    model = assemble(graph, target)
    used = {k["kernel"] for k in model.manifest["kernels"] if k["op"] == "QuantConv"}
    assert not kernels or {k for k in used if not k.startswith("channels_order")} == {kernels}, used
    return list(model.run({"x": x}).values())


@pytest.mark.parametrize(("channels", "dtype", "fpu"), [(3, "int8", False), (8, "uint8", True)])
def test_gathered_windows(channels: int, dtype: str, fpu: bool) -> None:
    graph, x = network(LAYERS, (2, channels, 7, 6), dtype)
    made = codes(graph, x, scalar_host(fpu), "tiles.convolve")
    for found, right in zip(made, codes(graph, x, host()), strict=True):
        np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize(("channels", "dtype", "fpu"), [(5, "int8", False), (16, "uint8", True)])
def test_rings_of_rows(channels: int, dtype: str, fpu: bool) -> None:
    graph, x = network(depthwise(channels), (2, channels, 9, 6), dtype)
    made = codes(graph, x, scalar_host(fpu), "depthwise.convolve_depthwise")
    for found, right in zip(made, codes(graph, x, host()), strict=True):
        np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize(("pixels", "registers"), [((1, 1), 28), ((1, 2), 8)])
def test_few_pixels_and_channels(pixels: tuple[int, int], registers: int) -> None:
    graph, x = network([Layer(1), Layer(7)], (1, 9, *pixels))
    made = codes(graph, x, scalar_host(registers=registers), "tiles.convolve")
    for found, right in zip(made, codes(graph, x, host()), strict=True):
        np.testing.assert_array_equal(found, right)
