"""Which part of the data calibrates, and which one judges."""

import numpy as np
import pytest

from edgeopt.evaluate.data import HEADS, DataSet
from edgeopt.ir import Array


def counted(calls: int, rows: int = 1) -> DataSet:
    return DataSet({"x": np.arange(calls * rows)}, rows={"x": rows})


@pytest.mark.parametrize(
    ("calls", "calibrating"), [(2, 1), (5, 2), (100, 50), (128, 64), (200, 64), (400, 100), (2048, 512), (9000, 512)]
)
def test_a_quarter_calibrates_or_what_ranges_need(calls: int, calibrating: int) -> None:
    first, second = counted(calls).split()
    assert (len(first), len(second)) == (calibrating, calls - calibrating)


def test_what_heads_are_fitted_on_is_half() -> None:
    assert [len(part) for part in counted(400).split(part=HEADS)] == [200, 200]


def test_samples_of_batches_count() -> None:
    """Eight calls of 16 samples: four hold the 64 that ranges need; of twenty, five are a quarter."""
    assert len(counted(8, 16).split()[0]) == 4 and len(counted(20, 16).split()[0]) == 5


def test_the_parts_are_apart_and_the_seed_draws_them() -> None:
    def both(seed: int) -> list[Array]:
        return [part.arrays["x"] for part in counted(300).split(seed)]

    assert sorted(np.concatenate(both(0))) == list(range(300))
    assert np.array_equal(both(0)[0], both(0)[0]) and not np.array_equal(both(0)[0], both(1)[0])
