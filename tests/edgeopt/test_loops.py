"""Columns of a convolution are what its windows read, wherever these lie."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.evaluate.loops import Window, columns
from edgeopt.ir import Array


def read_by(x: Array, window: Window) -> Array:
    """Every window of x as a column, from a map with zeros around it."""
    padded = np.pad(x, ((0, 0), (20, 20), (20, 20)))
    (kh, kw), (sh, sw), (dh, dw), (top, left) = window.kernel, window.strides, window.dilations, window.begins
    height, width = window.outputs(*x.shape[1:])
    places = [(c, p * dh - top + 20, q * dw - left + 20) for c in range(len(x)) for p in range(kh) for q in range(kw)]
    return np.stack([padded[c, i : i + sh * height : sh, j : j + sw * width : sw][:height, :width].ravel() for c, i, j in places])


@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((7, 7), Window((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))),
        ((6, 9), Window((3, 5), (1, 1), (1, 1), (0, 2), (0, 2))),
        ((6, 8), Window((3, 3), (1, 1), (1, 1), (0, 0), (0, 0))),
        ((8, 8), Window((5, 3), (1, 1), (2, 2), (4, 2), (4, 2))),
        ((9, 7), Window((3, 3), (2, 2), (1, 1), (1, 1), (1, 1))),
        ((9, 7), Window((2, 3), (2, 1), (1, 3), (0, 3), (1, 3))),
        ((3, 4), Window((1, 1), (1, 1), (1, 1), (5, 0), (0, 5))),
        ((2, 2), Window((3, 3), (1, 1), (3, 3), (6, 3), (0, 3))),
        ((3, 3), Window((3, 2), (1, 2), (1, 1), (9, 9), (9, 9))),
    ],
)
def test_columns_are_what_windows_read(size: tuple[int, int], window: Window) -> None:
    x = np.random.default_rng(0).standard_normal((3, *size)).astype(np.float32)
    out = np.full((3 * window.kernel[0] * window.kernel[1], np.prod(window.outputs(*size))), np.nan, np.float32)
    np.testing.assert_array_equal(columns(x, window, out), read_by(x, window))
