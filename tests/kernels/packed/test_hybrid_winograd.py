from __future__ import annotations

import pytest

from edgeopt.ir import Attribute
from edgeopt.kernels.packed.hybrid_winograd import KERNEL
from tests.kernels.harness import check, run
from tests.kernels.hybrid_harness import KINDS, hybrid, weights

PADS: dict[str, Attribute] = {"pads": [1, 1, 1, 1]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 32, 44, 41), (2, 32, 14, 13)], ids=["blocks of tiles", "one block"])
def test_agrees_with_meaning(shape: tuple[int, ...], kind: str) -> None:
    check(*hybrid("HybridConv", shape, weights(kind, 48, 32, 3, 3), PADS), [KERNEL], tolerance=1e-4)


def test_residual_and_activation_in_a_batch() -> None:
    attributes: dict[str, Attribute] = {**PADS, "activation": "Relu"}
    graph, data = hybrid("HybridConv", (2, 36, 28, 28), weights("int4", 32, 36, 3, 3), attributes, (2, 32, 28, 28))
    check(graph, data, [KERNEL], tolerance=1e-4)


def test_grouped_with_narrower_vectors() -> None:
    graph, data = hybrid("HybridConv", (1, 64, 40, 40), weights("int8", 64, 32, 3, 3), {**PADS, "group": 2})
    check(graph, data, [KERNEL], "x86-64-v3", tolerance=1e-4)


def test_declines_small_maps() -> None:
    graph, data = hybrid("HybridConv", (1, 64, 4, 4), weights("int8", 64, 64, 3, 3), PADS)
    with pytest.raises(AssertionError, match="too small to make up|as fast"):
        run(graph, data, [KERNEL])


def test_declines_weights_that_outgrow_the_maps() -> None:
    graph, data = hybrid("HybridConv", (1, 448, 40, 40), weights("int8", 448, 448, 3, 3), PADS)
    with pytest.raises(AssertionError, match="too much memory"):
        run(graph, data, [KERNEL])
