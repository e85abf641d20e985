"""Without an FPU sums are rounded as a product of floats would be, for every sum that there can be."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.assembly import assemble
from edgeopt.ir import Array
from edgeopt.kernels.channels_last.ending import fixed_factors
from tests.kernels.channels_last.networks import Layer, network, scalar_host

MULTIPLIERS = np.concatenate([np.random.default_rng(3).uniform(1, 2, 40) * 2.0 ** -np.arange(3, 23).repeat(2), [2.0**-9, 0.0]])


def by_floats(sums: Array, multiplier: np.float32) -> Array:
    """Codes before the zero point, limited to 9 bits and a sign."""
    made: Array = np.clip(np.rint(sums.astype(np.float32) * multiplier), -512, 512).astype(np.int64)
    return made


@pytest.mark.parametrize("multiplier", MULTIPLIERS.astype(np.float32))
def test_only_what_is_close_to_halfway_may_differ(multiplier: np.float32) -> None:
    factors = fixed_factors(np.array([multiplier]))
    assert factors is not None
    factor, shift = int(factors[0][0]), int(factors[1][0])
    reach = min(int(300 / max(float(multiplier), 1e-9)), 2**30)
    sums = np.unique(np.linspace(-reach, reach, 200_001).astype(np.int64))
    halves = (np.arange(-256, 256) + 0.5) / max(float(multiplier), 1e-9)
    nearest = np.clip((np.rint(halves)[:, None] + np.arange(-1, 2)).reshape(-1), -reach, reach).astype(np.int64)
    sums = np.concatenate([sums, nearest])
    moved = ((sums * factor) >> 32) + (1 << shift >> 1)
    close = ((moved + 1) & ((1 << shift) - 1)) < 2
    np.testing.assert_array_equal(np.clip(moved >> shift, -512, 512)[~close], by_floats(sums, multiplier)[~close])
    assert close[:200_001].mean() < 0.02 or shift < 8


def test_a_multiplier_that_no_factor_holds_is_left_to_floats() -> None:
    assert fixed_factors(np.array([0.9], np.float32)) is None


def test_codes_are_the_same_with_and_without_an_fpu() -> None:
    graph, x = network([Layer(64), Layer(64, activation="Relu")], (1, 33, 24, 24), seed=5)
    with_, without = (list(assemble(graph, scalar_host(fpu)).run({"x": x}).values()) for fpu in (True, False))
    for one, other in zip(with_, without, strict=True):
        np.testing.assert_array_equal(one, other)
        assert len(np.unique(one)) > 100
