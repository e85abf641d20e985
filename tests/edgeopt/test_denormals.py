"""Products take numbers below 1.2e-38 as zero where the processor is slow with them; what hands numbers on keeps them."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.codegen.denormals import flushes, mode_declarations
from edgeopt.lower.table import TABLE
from edgeopt.target import host, target
from tests.kernels.harness import run, single

DENORMAL = np.array([1e-40, -3e-39, 1.0, 2e-38], np.float32)
needs_x86 = pytest.mark.skipif(host().architecture != "x86_64", reason="only x86 has the mode")


@needs_x86
def test_a_product_takes_them_as_zero_and_keeps_the_normal_ones() -> None:
    data = {"x": DENORMAL}
    made = run(single("Mul", data, [np.full(4, 2, np.float32)]), data, TABLE)
    np.testing.assert_array_equal(made, np.array([0, 0, 2, 4e-38], np.float32))


@pytest.mark.parametrize("op", ["Neg", "Abs", "Identity", "Relu"])
def test_what_hands_numbers_on_keeps_them(op: str) -> None:
    data = {"x": DENORMAL}
    expected = {"Neg": -DENORMAL, "Abs": np.abs(DENORMAL), "Identity": DENORMAL, "Relu": np.maximum(DENORMAL, 0)}[op]
    np.testing.assert_array_equal(run(single(op, data), data, TABLE), expected)


def test_the_mode_of_the_caller_comes_back() -> None:
    data = {"x": DENORMAL}
    run(single("Mul", data, [np.full(4, 2, np.float32)]), data, TABLE)
    assert (DENORMAL * np.float32(0.5) != 0).all()


def test_arm_needs_no_mode() -> None:
    assert not flushes("Conv", target("cortex-a76"))
    assert mode_declarations(target("cortex-a76")) == ""
