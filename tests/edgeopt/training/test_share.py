"""Weights of few values: the values follow gradients, and so does which of them a weight takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax", reason="the extra 'tune' is not installed")

import jax

from edgeopt.training.phase import FIXED, Key, State
from edgeopt.training.phases.share import CODES, TABLE, Share

WEIGHT: Key = ("weight", "fc")
VALUES: Key = (TABLE, *WEIGHT)
TAKEN: Key = (CODES, *WEIGHT)


def state() -> State:
    """Two rows, whose values are not in order; the middle weight of the second row is zero."""
    table, codes = np.array([0.5, -1.0, 2.0], np.float32), np.array([[0, 1, 2], [1, -1, 0]], np.int32)
    return State({WEIGHT: np.array([[0.4, 0.6, 1.9], [-0.9, 0.0, 1.5]], np.float32), VALUES: table}, {TAKEN: codes})


def test_weights_are_the_values_that_they_take() -> None:
    made = Share().constants(state())["fc", 1]
    np.testing.assert_array_equal(made, np.array([[0.5, -1.0, 2.0], [-1.0, 0.0, 0.5]], np.float32))


def test_gradients_reach_values_and_weights_but_no_zeros() -> None:
    slope, before = np.array([[1, 2, 3], [4, 5, 6]], np.float32), state()

    def loss(trained: dict[Key, Any]) -> Any:
        return (Share().constants(State(trained, before.bound))["fc", 1] * slope).sum()

    slopes = jax.grad(loss)(before.trained)
    np.testing.assert_array_equal(slopes[VALUES], [1 + 6, 2 + 4, 3])
    np.testing.assert_array_equal(slopes[WEIGHT], [[1, 2, 3], [4, 0, 6]])


def test_the_nearest_values_are_taken_until_they_are_fixed() -> None:
    made = Share().adapted(state(), dict, 0.0, 0.1)
    np.testing.assert_array_equal(made.bound[TAKEN], [[0, 0, 2], [1, -1, 2]])
    np.testing.assert_array_equal(Share().adapted(state(), dict, FIXED, 1.0).bound[TAKEN], state().bound[TAKEN])


def test_tables_have_the_bits_of_the_name_that_is_shown() -> None:
    assert Share((("fc", 3), ("*", 6)))._bits("fc~2", 1) == 3
