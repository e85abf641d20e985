"""Convolutions of volumes agree with their meaning: strides, dilations, groups, borders, residuals, several images."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest

import edgeopt
from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Graph
from edgeopt.kernels.conv.conv_volume import KERNEL
from edgeopt.runtime.emulate import Emulator
from tests.kernels.harness import check, single, uniform
from tests.kernels.one_node import declined, one_node

CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "3x3x3": ((1, 20, 4, 5, 7), (18, 20, 3, 3, 3), {"pads": [1] * 6, "activation": "Relu"}),
    "two images": ((2, 3, 5, 6, 5), (9, 3, 2, 3, 1), {"pads": [1, 0, 0, 0, 1, 0]}),
    "strided": ((1, 8, 7, 9, 8), (16, 8, 3, 3, 3), {"pads": [1] * 6, "strides": [2, 2, 1]}),
    "dilated": ((1, 5, 7, 6, 6), (8, 5, 3, 2, 2), {"pads": [2, 0, 1, 2, 1, 0], "dilations": [2, 1, 2]}),
    "pointwise": ((1, 33, 2, 4, 4), (17, 33, 1, 1, 1), {"activation": "Silu"}),
    "depth alone": ((1, 16, 6, 3, 3), (16, 16, 3, 1, 1), {"pads": [1, 0, 0, 1, 0, 0]}),
    "groups": ((1, 8, 3, 4, 5), (8, 2, 3, 3, 3), {"pads": [1] * 6, "group": 4}),
}


def volume(name: str, residual: bool) -> tuple[Graph, dict[str, Array]]:
    shape, weight, attributes = CASES[name]
    data = {"x": uniform(*shape)}
    constants = [uniform(*weight), uniform(weight[0])]
    graph = single("FusedConv", data, constants, attributes, OWN_DOMAIN)
    if residual:
        type_ = graph.outputs[0].type
        data["r"] = uniform(*(type_.dims if type_ is not None else ()))
        graph = single("FusedConv", data, constants, attributes, OWN_DOMAIN, (data["r"],))
    return graph, data


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_agrees(name: str, residual: bool) -> None:
    check(*volume(name, residual), [KERNEL])


@pytest.mark.parametrize("name", ["3x3x3", "strided"])
def test_avx2(name: str) -> None:
    check(*volume(name, True), [KERNEL], "x86-64-v3")


@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
def test_arm() -> None:
    graph, data = volume("3x3x3", True)
    expected = next(iter(interpret(graph, data).values()))
    with Emulator(edgeopt.compile(graph, level=0, target="arm")) as emulator:
        np.testing.assert_allclose(next(iter(emulator.run(data).values())), expected, rtol=0, atol=1e-4)


def test_leaves_maps() -> None:
    from edgeopt.kernels.conv import conv_volume

    graph = one_node("Conv", [uniform(1, 3, 4, 5), uniform(2, 3, 1, 1)], constant=[1])
    assert "no volume" in declined(conv_volume, graph)
