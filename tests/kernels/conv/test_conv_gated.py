"""GatedConv: weights are scaled by the gate, on whole and on broken blocks of channels; elsewhere the map is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeopt.ir import OWN_DOMAIN, Attribute, Graph
from edgeopt.kernels.call import KernelCall, Site
from edgeopt.kernels.conv import conv_gated
from tests.kernels.harness import check, single, uniform

BLOCKED, PLAIN = conv_gated.KERNELS
SHAPES = [((1, 32, 7, 9), 16), ((1, 24, 5, 8), 88), ((1, 40, 12, 5), 33), ((1, 7, 6, 6), 3), ((1, 300, 14, 14), 130)]


def gated(shape: tuple[int, ...], outputs: int, residual: bool, **attributes: Attribute) -> tuple[Graph, dict[str, np.ndarray]]:
    x, gate = uniform(*shape), uniform(*shape[:2], 1, 1)
    r = uniform(shape[0], outputs, *shape[2:])
    data = {"x": x, "r": r, "g": gate} if residual else {"x": x, "g": gate}
    constants = [uniform(outputs, shape[1], 1, 1), uniform(outputs), *([] if residual else [None])]
    graph = single("GatedConv", data, constants, attributes, OWN_DOMAIN, [r, gate] if residual else [gate])
    return graph, data


@pytest.mark.parametrize("shape, outputs", SHAPES)
@pytest.mark.parametrize("where", ["host", "x86-64-v3"])
def test_scales_its_weights(shape: tuple[int, ...], outputs: int, where: str) -> None:
    for residual in (False, True):
        graph, data = gated(shape, outputs, residual, activation="HardSwish")
        check(graph, data, [BLOCKED], where)


def test_other_tilings() -> None:
    graph, data = gated((1, 40, 12, 5), 130, True)

    def last(site: Site) -> tuple[KernelCall, ...]:
        assert BLOCKED.choices is not None
        return BLOCKED.select(replace(site, choice=BLOCKED.choices(site)[-1]))

    check(graph, data, [replace(BLOCKED, select=last)])


def test_strides() -> None:
    graph, data = gated((1, 24, 9, 8), 12, False, strides=[2, 2])
    check(graph, data, [BLOCKED])


@pytest.mark.parametrize("shape", [(2, 5, 4, 6), (1, 5, 7)])
def test_elsewhere_the_map_is_multiplied(shape: tuple[int, ...]) -> None:
    x, gate = uniform(*shape), uniform(*shape[:2], *[1] * (len(shape) - 2))
    weight = uniform(3, shape[1], *[1] * (len(shape) - 2))
    graph = single("GatedConv", {"x": x, "g": gate}, [weight, uniform(3), None], {"activation": "Relu"}, OWN_DOMAIN, [gate])
    check(graph, {"x": x, "g": gate}, [PLAIN])
