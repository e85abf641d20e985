"""FusedAttention agrees with its meaning: odd sizes, masks that broadcast, operands in other orders of axes, other vectors."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest

import edgeopt
from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Graph
from edgeopt.kernels.attention import KERNELS
from edgeopt.runtime.emulate import Emulator
from tests.kernels.harness import check, run, single, uniform

HEADS, SPREAD = (0, 1, 2, 3), (0, 2, 1, 3)
CASES: dict[str, tuple[tuple[int, int, int, int, int], tuple[int, ...] | None, dict[str, Any]]] = {
    "one row": ((3, 1, 9, 20, 20), None, {}),
    "odd": ((2, 13, 37, 17, 33), None, {"scale": 0.3}),
    "long": ((1, 70, 150, 64, 64), (1, 1, 70, 150), {"scale": 0.125}),
    "mask of keys": ((2, 20, 20, 12, 12), (1, 1, 1, 20), {}),
    "mask of heads": ((4, 18, 18, 36, 8), (1, 4, 18, 18), {"scale": 0.5}),
    "heads inside": ((3, 19, 23, 16, 48), None, {n: list(SPREAD) for n in ("q_order", "k_order", "v_order", "y_order")}),
    "keys turned": ((3, 19, 23, 16, 5), None, {"k_order": [0, 1, 3, 2], "scale": 0.25}),
    "keys turned inside": ((3, 19, 23, 6, 5), None, {"k_order": [0, 2, 3, 1], "y_order": list(SPREAD)}),
}


def attention(name: str) -> tuple[Graph, dict[str, Array]]:
    """Operands in the orders that bring them into the form of the case."""
    (heads, rows, keys, depth, width), mask, attributes = CASES[name]
    shapes = {"q": (2, heads, rows, depth), "k": (2, heads, keys, depth), "v": (2, heads, keys, width)}
    data = {}
    for operand, shape in shapes.items():
        order = attributes.get(f"{operand}_order", HEADS)
        data[operand] = 2 * uniform(*(shape[order.index(axis)] for axis in range(4)))
    if mask is not None:
        data["m"] = np.where(uniform(*mask) > 0.4, -np.inf, uniform(*mask)).astype(np.float32)
        data["m"][..., 0] = 0  # one key at least is seen
    graph = single("FusedAttention", data, attributes=attributes, domain=OWN_DOMAIN)
    return graph, data


@pytest.mark.parametrize("where", ["host", "x86-64-v3"])
@pytest.mark.parametrize("name", CASES)
def test_agrees(name: str, where: str) -> None:
    check(*attention(name), KERNELS, where)


@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
@pytest.mark.parametrize("name", ["odd", "heads inside", "keys turned"])
def test_on_arm(name: str) -> None:
    graph, data = attention(name)
    expected = next(iter(interpret(graph, data).values()))
    with Emulator(edgeopt.compile(graph, level=0, target="arm")) as emulator:
        np.testing.assert_allclose(next(iter(emulator.run(data).values())), expected, rtol=0, atol=1e-5)


def test_a_row_without_keys_is_not_a_number() -> None:
    """As in the standard: a softmax of nothing but minus infinity."""
    data = {n: uniform(1, 3, 4) for n in "qkv"} | {"m": np.zeros((3, 3), np.float32)}
    data["m"][1] = -np.inf
    made = run(single("FusedAttention", data, domain=OWN_DOMAIN), data, KERNELS)
    assert np.isnan(made[0, 1]).all() and np.isfinite(made[0, ::2]).all()


def test_two_threads_give_the_bits_of_one() -> None:
    """Blocks that share rows are written by both: what is stored twice must be the same."""
    rng = np.random.default_rng(0)
    data = {name: rng.standard_normal((1, 2, 97, 32)).astype(np.float32) for name in "qkv"}
    model = edgeopt.compile(single("FusedAttention", data, attributes={}, domain=OWN_DOMAIN), level=0)
    (expected,) = model.run(data).values()
    for _ in range(200):
        np.testing.assert_array_equal(next(iter(model.run(data, 2).values())), expected)
