"""Winograd's minimal filtering F(m x m, 3 x 3): the transforms as vector code and as matrices.

    Y = A^T ((G g G^T) * (B^T d B)) A

Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, equations 8 to 16. A tile of m x m outputs reads
(m + 2) x (m + 2) inputs; the products of one position of all tiles and channels are a matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.emit.emitter import Emitter, Value

_BT: dict[int, list[list[float]]] = {
    2: [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
    4: [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
}
_AT: dict[int, list[list[float]]] = {
    2: [[1, 1, 1, 0], [0, 1, -1, -1]],
    4: [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
}


_G: dict[int, list[list[float]]] = {
    2: [[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]],
    4: [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
}


def transformed_weights(weight: Array, m: int) -> Array:
    """G g G^T of weights [O, I, 3, 3] for F(m, 3), rounded to float32: [(m + 2)^2, O, I]. What a loader makes may differ in

    the last bit (``edgeopt.coding.winograd``).
    """
    taps = np.moveaxis(weight.astype(np.float64), (2, 3), (0, 1)).reshape(9, -1)
    made: Array = np.kron(np.array(_G[m]), np.array(_G[m])) @ taps
    return made.astype(np.float32).reshape((m + 2) ** 2, *weight.shape[:2])


def measured_error(weight: Array, transformed: Array, m: int, tiles: int = 4) -> float:
    """The largest difference to the exact result, relative to its range, on ``tiles`` random tiles in float32."""
    size, (outputs, channels) = m + 2, weight.shape[:2]
    d = np.random.default_rng(0).standard_normal((channels, tiles, size, size)).astype(np.float32)
    bt, at = np.array(_BT[m], np.float32), np.array(_AT[m], np.float32)
    v = np.moveaxis(bt @ d @ bt.T, (2, 3), (0, 1)).reshape(size * size, channels, tiles)
    products = np.moveaxis((transformed @ v).reshape(size, size, outputs, tiles), (0, 1), (2, 3))
    y = at @ products @ at.T
    windows = np.lib.stride_tricks.sliding_window_view(d.astype(np.float64), (3, 3), axis=(2, 3))
    columns = windows.transpose(0, 4, 5, 1, 2, 3).reshape(channels * 9, -1)
    exact = (weight.reshape(outputs, -1).astype(np.float64) @ columns).reshape(y.shape)
    return float(np.abs(y - exact).max() / (np.abs(exact).max() or 1.0))


Line = Callable[[Emitter, Sequence[Value]], list[Value]]


def _input_2(e: Emitter, d: Sequence[Value]) -> list[Value]:
    return [e.sub(d[0], d[2]), e.add(d[1], d[2]), e.sub(d[2], d[1]), e.sub(d[1], d[3])]


def _input_4(e: Emitter, d: Sequence[Value]) -> list[Value]:
    four, five = e.constant(4.0), e.constant(-5.0)
    a, b = e.fma(e.constant(-4.0), d[2], d[4]), e.fma(e.constant(-4.0), d[1], d[3])
    c, f = e.sub(d[4], d[2]), e.sub(d[3], d[1])
    first, last = e.fma(four, d[0], e.fma(five, d[2], d[4])), e.fma(four, d[1], e.fma(five, d[3], d[5]))
    two, minus = e.constant(2.0), e.constant(-2.0)
    return [first, e.add(a, b), e.sub(a, b), e.fma(two, f, c), e.fma(minus, f, c), last]


def _output_2(e: Emitter, m: Sequence[Value]) -> list[Value]:
    return [e.add(m[0], e.add(m[1], m[2])), e.sub(e.sub(m[1], m[2]), m[3])]


def _output_4(e: Emitter, m: Sequence[Value]) -> list[Value]:
    s, d, p, q = e.add(m[1], m[2]), e.sub(m[1], m[2]), e.add(m[3], m[4]), e.sub(m[3], m[4])
    last = e.add(e.fma(e.constant(8.0), q, d), m[5])
    return [e.add(e.add(m[0], s), p), e.fma(e.constant(2.0), q, d), e.fma(e.constant(4.0), p, s), last]


def _weight_2(e: Emitter, g: Sequence[Value]) -> list[Value]:
    outer, inner = e.mul(e.constant(0.5), e.add(g[0], g[2])), e.mul(e.constant(0.5), g[1])
    return [g[0], e.add(outer, inner), e.sub(outer, inner), g[2]]


def _weight_4(e: Emitter, g: Sequence[Value]) -> list[Value]:
    sixth = e.constant(-1 / 6)
    a, b = e.mul(sixth, e.add(g[0], g[2])), e.mul(sixth, g[1])
    c, d = e.fma(e.constant(1 / 24), g[0], e.mul(e.constant(1 / 6), g[2])), e.mul(e.constant(1 / 12), g[1])
    return [e.mul(e.constant(1 / 4), g[0]), e.add(a, b), e.sub(a, b), e.add(c, d), e.sub(c, d), g[2]]


_WEIGHT: dict[int, Line] = {2: _weight_2, 4: _weight_4}
_INPUT: dict[int, Line] = {2: _input_2, 4: _input_4}
_OUTPUT: dict[int, Line] = {2: _output_2, 4: _output_4}


def transform_weights(e: Emitter, m: int, taps: Sequence[Value]) -> list[Value]:
    """G g G^T of the nine ``taps`` of a window, row by row."""
    columns = [_WEIGHT[m](e, [taps[3 * i + j] for i in range(3)]) for j in range(3)]
    return [value for i in range(m + 2) for value in _WEIGHT[m](e, [column[i] for column in columns])]


def transform_input(e: Emitter, m: int, load: Callable[[int, int], Value]) -> list[Value]:
    """B^T d B of the inputs ``load(row, column)``, row by row."""
    columns = [_INPUT[m](e, [load(i, j) for i in range(m + 2)]) for j in range(m + 2)]
    rows = [_INPUT[m](e, [column[i] for column in columns]) for i in range(m + 2)]
    return [value for row in rows for value in row]


def transform_output(e: Emitter, m: int, load: Callable[[int], Value]) -> list[list[Value]]:
    """A^T M A of the products ``load(position)``, as m rows of m values."""
    size = m + 2
    columns = [_OUTPUT[m](e, [load(i * size + j) for i in range(size)]) for j in range(size)]
    return [_OUTPUT[m](e, [column[i] for column in columns]) for i in range(m)]
