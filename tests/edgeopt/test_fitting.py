"""The short way for inputs that are just what is wanted: it takes no others, which are looked at one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeopt.runtime.ports import Port, fitting

WANTED = (Port("x", np.dtype(np.float32), (2, 3), True), Port("n", np.dtype(np.int64), (), True))
X, N = np.ones((2, 3), np.float32), np.array(4)
OTHERS: dict[str, dict[str, Any]] = {
    "another name": {"x": X, "m": N},
    "one more": {"x": X, "n": N, "m": N},
    "one less": {"x": X},
    "another type": {"x": X.astype(np.float64), "n": N},
    "another batch": {"x": np.ones((4, 3), np.float32), "n": N},
    "columns first": {"x": np.ones((3, 2), np.float32).T, "n": N},
    "no array": {"x": X.tolist(), "n": N},
    "a kind of array": {"x": X.view(np.matrix), "n": N},
}


def test_what_fits_is_taken_in_the_order_of_the_model() -> None:
    found = fitting({"n": N, "x": X}, WANTED)
    assert found is not None and found[0] is X and found[1] is N


@pytest.mark.parametrize("case", OTHERS)
def test_others_are_not(case: str) -> None:
    assert fitting(OTHERS[case], WANTED) is None


def test_what_never_lies_in_memory_is_not() -> None:
    assert fitting({"x": X}, (Port("x", np.dtype(object), (), False),)) is None
