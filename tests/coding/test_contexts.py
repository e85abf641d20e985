"""Maps of small integers come back from their bits; damage is noticed, and nothing beyond the data is read."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeopt.coding.contexts import LEVELS, SIZE, Tables, fitted
from edgeopt.coding.frequencies import entropy_bits

Array = np.ndarray[Any, Any]
GROUPS, ZERO, COUNTS = np.array([0, 0, 1, 1]), np.array([2, 0]), np.array([5, 9])


def maps(count: int, seed: int, rows: int = 6, columns: int = 7) -> Array:
    """Smooth maps, so that neighbours tell something: two channels of -2 to 2, two of 0 to 8."""
    rng = np.random.default_rng(seed)
    smooth = np.cumsum(rng.integers(-1, 2, (count, 4, rows, columns)), axis=3)
    return np.asarray(np.clip(smooth + ZERO[GROUPS][:, None, None], 0, COUNTS[GROUPS][:, None, None] - 1), np.uint8)


@cache
def known() -> Tables:
    return fitted(list(maps(40, 0)), GROUPS, ZERO, COUNTS)


@pytest.fixture
def tables() -> Tables:
    return known()


def test_every_row_fills_its_table(tables: Tables) -> None:
    assert tables.frequencies.shape == (2, LEVELS, 9)
    assert (tables.frequencies.sum(axis=2) == SIZE).all()
    assert (np.count_nonzero(tables.frequencies, axis=2) == COUNTS[:, None]).all(), "what did not occur can be coded, too"


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=20)
def test_what_was_coded_comes_back(seed: int, rows: int, columns: int) -> None:
    made = known()
    rng = np.random.default_rng(seed)
    symbols = (rng.integers(0, 255, (4, rows, columns)) % COUNTS[GROUPS][:, None, None]).astype(np.uint8)
    found = made.decode(made.encode(symbols), (4, rows, columns))
    assert found is not None
    np.testing.assert_array_equal(found, symbols)


def test_neighbours_save_bits(tables: Tables) -> None:
    fresh = maps(20, 1, 20, 20)
    coded = 8 * sum(len(tables.encode(symbols)) for symbols in fresh)
    alone = sum(entropy_bits(np.bincount(fresh[:, g == GROUPS].reshape(-1))) for g in (0, 1))
    assert coded < 0.9 * alone, "symbols by themselves would take more"


def test_damage_is_noticed_or_gives_symbols_of_the_tables(tables: Tables) -> None:
    data = tables.encode(maps(1, 2)[0])
    assert tables.decode(data[:-1], (4, 6, 7)) is None
    assert tables.decode(data + b"\0", (4, 6, 7)) is None
    assert tables.decode(b"", (4, 6, 7)) is None
    for at in range(8 * len(data)):
        changed = bytearray(data)
        changed[at // 8] ^= 1 << at % 8
        found = tables.decode(bytes(changed), (4, 6, 7))
        assert found is None or (found < COUNTS[GROUPS][:, None, None]).all()
