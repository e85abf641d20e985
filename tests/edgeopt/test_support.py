"""Supports: rows are the best on their support, units go in the order of what they cost, in the pattern that is asked for."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from edgeopt.evaluate import support
from edgeopt.evaluate.support import Units, refit, survivals
from edgeopt.ir import Array


def problem(rows: int, size: int, seed: int = 0) -> tuple[Array, Array]:
    """Rows, and second moments of inputs that have much to do with each other."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4 * size, size)) @ rng.normal(size=(size, size))
    return rng.normal(size=(rows, size)), x.T @ x / len(x) + 0.01 * np.eye(size)


def loss(target: Array, h: Array, made: Array) -> float:
    d = target - made
    return float(np.einsum("rk,kl,rl->", d, h, d))


def test_rows_are_the_least_squares_on_their_support() -> None:
    target, h = problem(5, 7)
    kept = np.random.default_rng(1).random(target.shape) < 0.6
    kept[4] = False
    made, root = refit(target, h, kept), np.linalg.cholesky(h).T
    for row, support_of, found in zip(target, kept, made, strict=True):
        best = np.linalg.lstsq(root[:, support_of], root @ row, rcond=None)[0]
        np.testing.assert_allclose(found[support_of], best, rtol=1e-8)
        assert not found[~support_of].any()


def test_the_first_weight_to_go_is_the_cheapest_of_all() -> None:
    target, h = problem(3, 6)
    kept = survivals(target, h, Units(), (17 / 18,)) > 0
    tried = {}
    for at in np.ndindex(target.shape):
        without = np.ones(target.shape, bool)
        without[at] = False
        tried[at] = loss(target, h, refit(target, h, without))
    (gone,) = np.argwhere(~kept)
    assert tuple(gone) == min(tried, key=lambda at: tried[at])


def test_a_unit_of_four_columns_costs_what_its_loss_is() -> None:
    target, h = problem(2, 12)
    kept = survivals(target, h, Units(2, 4), (2 / 3,)) > 0
    losses = []
    for block in range(3):
        without = np.ones(target.shape, bool)
        without[:, 4 * block : 4 * block + 4] = False
        losses.append(loss(target, h, refit(target, h, without)))
    assert [bool(kept[:, 4 * b].any()) for b in range(3)] == [b != int(np.argmin(losses)) for b in range(3)]


def test_taking_out_in_rounds_comes_near_to_the_best_support() -> None:
    target, h = problem(1, 10, seed=3)
    found = survivals(target, h, Units(), (0.7, 0.5, 0.3)) > 2
    best = np.inf
    for chosen in combinations(range(10), 3):
        kept = np.zeros(target.shape, bool)
        kept[:, list(chosen)] = True
        best = min(best, loss(target, h, refit(target, h, kept)))
    plain = np.abs(target) >= np.sort(np.abs(target))[0, -3]
    mine = loss(target, h, refit(target, h, found))
    assert found.sum() == 3 and mine <= 2 * best and mine < loss(target, h, target * plain)


@pytest.mark.parametrize("units", [Units(), Units(16, 1), Units(4, 1), Units(16, 4), Units(4, 4)])
def test_what_goes_goes_in_blocks_and_stays_gone(units: Units) -> None:
    target, h = problem(37, 22)
    survived = survivals(target, h, units, (0.7, 0.5, 0.25))
    for row in range(0, 37, units.rows):
        for column in range(0, 22, units.columns):
            assert len(np.unique(survived[row : row + units.rows, column : column + units.columns])) == 1
    shares = [(survived > i).mean() for i in range(3)]
    assert shares[0] > shares[1] > shares[2] and abs(shares[2] - 0.25) < 0.15


@pytest.mark.parametrize(("window", "stay"), [(4, 2), (8, 3)])
def test_windows_keep_their_number(window: int, stay: int) -> None:
    target, h = problem(5, 24)
    kept = survivals(target, h, Units(window=window), (0.75, stay / window)) > 1
    assert (kept.reshape(5, -1, window).sum(axis=2) == stay).all()


def test_inputs_apart_rank_by_magnitude_and_norm() -> None:
    target, _ = problem(4, 9)
    norms = np.linspace(0.1, 3.0, 9)
    kept = survivals(target, norms**2, Units(), (0.5,)) > 0
    size = np.abs(target) * norms
    assert size[kept].min() > size[~kept].max() and kept.sum() == 18


def test_much_work_is_done_more_simply_and_still_makes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    target, h = problem(8, 30)
    exact = refit(target, h, survivals(target, h, Units(), (0.5,)) > 0)
    monkeypatch.setattr(support, "WORK", 0.0)
    kept = survivals(target, h, Units(), (0.5,)) > 0
    made = refit(target, h, kept)
    assert not made[~kept].any() and kept.mean() == 0.5
    assert loss(target, h, exact) <= loss(target, h, made) < loss(target, h, target * kept)
