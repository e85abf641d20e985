"""Grids and calibration rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.calibration import METHODS, Statistic, calibrate, merged
from edgeopt.evaluate.metrics import agreement, divergence, signal_to_noise
from edgeopt.ir import Array
from edgeopt.ops.grid import LIMITS, from_range, scheme, weight_quantizer


def seen(array: Array) -> Statistic:
    statistic = Statistic()
    statistic.add(array.astype(np.float32), array.size, np.random.default_rng(0))
    return statistic


@given(low=st.floats(-1e3, 1e3), width=st.floats(0, 1e3), dtype=st.sampled_from(sorted(LIMITS)[:6]), symmetric=st.booleans())
def test_every_grid_holds_zero_and_its_range(low: float, width: float, dtype: str, symmetric: bool) -> None:
    grid = from_range(low, low + width, dtype, symmetric)
    assert grid.simulate(np.zeros(1, np.float32))[0] == 0.0
    ends = np.array([min(low, 0.0), max(low + width, 0.0)], np.float32)
    ends = ends[1:] if symmetric and dtype.startswith("u") else ends
    assert np.abs(grid.simulate(ends) - ends).max() <= 1.01 * float(grid.scale)


def test_weights_have_a_scale_for_each_channel_and_dead_channels_stay_zero() -> None:
    weight = np.array([[1.0, -2.0], [0.0, 0.0]], np.float32)
    grid = weight_quantizer(np.abs(weight).max(axis=1), "int8", 0)
    assert grid.quantize(weight).tolist() == [[64, -127], [0, 0]]
    np.testing.assert_allclose(grid.simulate(weight), weight, atol=2 / 127)


@pytest.mark.parametrize("method", METHODS)
def test_an_outlier_costs_the_clipping_rules_no_range(method: str) -> None:
    values = np.random.default_rng(0).normal(size=60_000)
    values[0] = 60.0
    statistic = seen(values)
    grid = calibrate(statistic, method, "uint4")
    reach = float(grid.scale) * 15
    assert (reach > 60.0) if method == "minmax" else (reach < 40.0)


def test_mse_is_best_in_its_own_measure() -> None:
    values = np.random.default_rng(0).laplace(size=50_000)
    statistic = seen(values)
    errors = {
        m: np.square(calibrate(statistic, m, "uint4").simulate(statistic.sample) - statistic.sample).mean() for m in METHODS
    }
    assert min(errors, key=lambda m: errors[m]) == "mse"


def test_values_that_share_a_grid_are_covered_together() -> None:
    both = merged([seen(np.array([0.0, 1.0])), seen(np.array([-3.0, 0.5]))])
    assert (both.low, both.high, both.sample.size) == (-3.0, 1.0, 4)


def test_data_that_overflows_is_refused() -> None:
    with pytest.raises(EdgeoptError, match="NaN or infinity"):
        seen(np.array([1.0, np.inf]))


def test_unknown_names_are_listed() -> None:
    with pytest.raises(EdgeoptError, match="minmax, percentile"):
        calibrate(seen(np.ones(3)), "best", "uint8")
    with pytest.raises(EdgeoptError, match="w8a8"):
        scheme("w9")


def test_measures() -> None:
    reference = np.array([[1.0, 2.0], [3.0, 0.0]])
    assert agreement(np.array([[0.0, 1.0], [0.0, 1.0]]), reference) == 50.0
    assert signal_to_noise(reference, reference * 0.9) == pytest.approx(20.0)
    assert divergence(reference, reference) == 0.0 < divergence(reference, reference + 0.1)
