"""Adaptive rounding: it loses less than rounding to nearest, and reaches the optimum where that can be enumerated."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.evaluate import rounding
from edgeopt.ir import Array


def problem(seed: int, rows: int, size: int, groups: int = 1) -> tuple[Array, Array]:
    """Weights [groups, rows, size] and correlated second moments [groups, size, size]."""
    generator = np.random.default_rng(seed)
    mixing = generator.normal(size=(groups, size, size)) + 2.0 * np.ones((size, size))
    return generator.normal(size=(groups, rows, size)), rounding.damped(mixing @ mixing.transpose(0, 2, 1) / size)


@given(seed=st.integers(0, 999), size=st.integers(2, 24), limit=st.sampled_from([1, 7, 127]), groups=st.integers(1, 3))
def test_feedback_and_descent_lose_less_than_nearest(seed: int, size: int, limit: int, groups: int) -> None:
    weight, moments = problem(seed, 4, size, groups)
    scale = rounding.best_bound(weight, np.einsum("gkk->gk", moments), limit) / limit
    nearest = rounding.nearest(weight / scale[:, :, None], limit)
    codes = rounding.round_with_feedback(weight, moments, scale, limit)
    better = rounding.descend(weight, codes, moments, scale, limit)
    assert np.abs(better).max() <= limit and np.array_equal(better, np.rint(better))
    assert rounding.loss(weight, better, moments, scale) <= rounding.loss(weight, codes, moments, scale) * (1 + 1e-9)
    descended = rounding.descend(weight, nearest, moments, scale, limit)
    assert rounding.loss(weight, descended, moments, scale) <= rounding.loss(weight, nearest, moments, scale) * (1 + 1e-9)


def test_it_comes_close_to_the_best_of_all_codes() -> None:
    weight, moments = problem(3, 6, 5)
    scale = np.abs(weight).max(axis=2)
    codes = rounding.descend(weight, rounding.round_with_feedback(weight, moments, scale, 1), moments, scale, 1)
    every = np.array(list(itertools.product((-1, 0, 1), repeat=5)), np.float64)
    best = 0.0
    for row, step in zip(weight[0], scale[0], strict=True):
        errors = row - every * step
        best += np.einsum("nk,kl,nl->n", errors, moments[0], errors).min()
    nearest = rounding.loss(weight, rounding.nearest(weight / scale[:, :, None], 1), moments, scale)
    found = rounding.loss(weight, codes, moments, scale)
    assert best <= found * (1 + 1e-9) and found <= 1.5 * best < nearest


@pytest.mark.parametrize("limit", [1, 127])
def test_a_weight_on_the_grid_stays(limit: int) -> None:
    _, moments = problem(0, 3, 8)
    codes = np.random.default_rng(1).integers(-limit, limit + 1, (1, 3, 8)).astype(np.float64)
    scale = np.full((1, 3), 0.25)
    assert np.array_equal(rounding.round_with_feedback(codes * 0.25, moments, scale, limit), codes)


def test_binary_codes_have_no_zero() -> None:
    weight, moments = problem(5, 3, 9)
    codes = rounding.round_with_feedback(weight, moments, np.ones((1, 3)), rounding.BINARY)
    assert set(np.unique(codes)) == {-1.0, 1.0}
