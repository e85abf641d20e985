"""Weights as rows of blocks: what goes in comes out, and only what is not zero is kept."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.ir.block_rows import decode, density, encode


@given(st.data())
def test_decodes_what_it_encodes(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 20), min_size=2, max_size=2)) + data.draw(st.sampled_from([[], [3, 2], [1]])))
    block = data.draw(st.tuples(st.sampled_from([1, 4, 16]), st.sampled_from([1, 3, 4])))
    random = np.random.default_rng(data.draw(st.integers(0, 9)))
    weight = random.integers(-3, 4, shape) * (random.random(shape) < data.draw(st.sampled_from([0, 0.1, 1])))
    stored = encode(weight.astype(np.int8), block)
    np.testing.assert_array_equal(decode(stored, shape), weight)
    assert (np.diff(stored.indptr) > 0).all()
    rows = np.split(weight, range(block[0], shape[0], block[0]))
    assert (~stored.data.any(axis=(1, 2))).sum() == sum(not row.any() for row in rows)


def test_density_counts_blocks_that_are_not_zero() -> None:
    weight = np.zeros((32, 8, 1, 1), np.float32)
    weight[3, 5] = weight[4, 4] = weight[20, 0] = 1
    assert density(weight, (16, 4)) == 0.5
    assert density(weight, (1, 1)) == 3 / 256
