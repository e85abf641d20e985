"""Codebooks: few values, the nearest to the responses; zeros stay zero and grids are kept."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.evaluate.codebook import NONE, Codebook, k_means, shared
from edgeopt.ir import Array
from tests.edgeopt.test_support import loss, problem


@pytest.mark.parametrize("start", ["linear", "density", "random"])
def test_every_start_finds_clear_groups(start: str) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([centre + 0.01 * rng.normal(size=50) for centre in (-2.0, 0.5, 3.0)])
    found = k_means(values, np.ones(values.size), 3, start)
    if start == "random":  # may start twice in one group; what it ends in is no worse than its start
        assert 1 <= len(found) <= 3 and (np.diff(found) > 0).all()
    else:
        np.testing.assert_allclose(found, [-2.0, 0.5, 3.0], atol=0.01)


def test_importance_draws_centroids() -> None:
    values, importance = np.array([0.0, 1.0, 10.0]), np.array([1.0, 99.0, 1.0])
    np.testing.assert_allclose(k_means(values, importance, 2), [0.99, 10.0])


def nearest(target: Array, kept: Array, count: int) -> Array:
    centroids = k_means(target[kept], np.ones(int(kept.sum())), count)
    return np.asarray(centroids[np.abs(target[..., None] - centroids).argmin(axis=-1)] * kept)


@pytest.mark.parametrize("density", [1.0, 0.4])
def test_error_feedback_beats_the_nearest_value(density: float) -> None:
    target, h = problem(12, 40)
    kept = np.random.default_rng(2).random(target.shape) < density
    made = shared(target[None], h[None], kept[None], 8)
    assert len(made.centroids) <= 8 and (np.diff(made.centroids) > 0).all()
    assert ((made.codes == NONE) == ~kept).all() and not made.array[0][~kept].any()
    assert loss(target, h, made.array[0]) < 0.7 * loss(target, h, nearest(target, kept, 8))


def test_groups_share_one_table() -> None:
    target, h = problem(6, 10)
    pair, moments = np.stack([target, 2 * target]), np.stack([h, h])
    made = shared(pair, moments, np.ones(pair.shape, bool), 4)
    assert made.codes.shape == pair.shape and np.unique(made.array).size <= 4


def test_values_stay_on_a_grid() -> None:
    target, h = problem(6, 10)
    codes = np.rint(20 * target)
    made = shared(codes[None], h[None], codes[None] != 0, 7, snap=np.rint)
    np.testing.assert_array_equal(made.array, np.rint(made.array))
    assert np.unique(made.array[made.codes != NONE]).size <= 7


def test_nothing_is_kept_of_nothing() -> None:
    target, h = problem(2, 3)
    made = shared(target[None], h[None], np.zeros((1, 2, 3), bool), 4)
    assert isinstance(made, Codebook) and not made.array.any()


def test_small_rows_are_served_like_large_ones() -> None:
    target, h = problem(2, 40)
    target[1] *= 0.01
    made = shared(target[None], h[None], np.ones((1, *target.shape), bool), 8, snap=lambda values: values).array[0]
    lost = [loss(t[None], h, m[None]) / loss(t[None], h, 0 * t[None]) for t, m in zip(target, made, strict=True)]
    assert max(lost) < 0.3
