"""Weights of 3x3 convolutions as Winograd's F(4,3) and F(2,3) multiply them, made of the weights of the model.

    U = G g G^T

Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016. They take 4 or 1.8 times the memory, so a file holds
the weights and this makes of them what the kernels read. Every operation is one IEEE operation on float64, in one order, so that
the results are the same bits wherever it runs.
"""

from __future__ import annotations

from typing import Any

from edgeopt.coding.frequencies import Array
from edgeopt.coding.words import called, load_real, store_real
from edgeopt.compiled import compiled

TAPS = 9


def put_transformed(
    source: Array, room: Array, to: int, size: int, m: int, outputs: int, inputs: int, width: int, depth: int
) -> None:
    """What ``transform`` makes of the bytes ``source``, in ``size`` bytes of ``room`` (uint8) from ``to`` on that are zero."""
    tiles = size // (4 * (m + 2) ** 2 * width * depth)
    _transform(source, room, to, m, outputs, inputs, tiles, width, depth)


@called
def transform(source: Any, room: Any, to: int, m: int, outputs: int, inputs: int, tiles: int, width: int, depth: int) -> None:
    """From ``source`` [outputs][inputs][9] to ``room`` [(m + 2)^2][tiles][depth][width] from byte ``to`` on, float32 in bytes.

    Output o is number o % width of tile o // width. What lies beyond the outputs and inputs is left alone.
    """
    across = 4 * tiles * depth * width  # bytes from one position to the next
    for output in range(outputs):
        for channel in range(inputs):
            g = 4 * TAPS * (output * inputs + channel)
            u = to + 4 * ((output // width * depth + channel) * width + output % width)
            if m == 4:
                _four(source, g, room, u, across)
            else:
                _two(source, g, room, u, across)


@called
def _four(source: Any, g: int, room: Any, u: int, across: int) -> None:
    a = _line_of_six(load_real(source, g), load_real(source, g + 12), load_real(source, g + 24))
    b = _line_of_six(load_real(source, g + 4), load_real(source, g + 16), load_real(source, g + 28))
    c = _line_of_six(load_real(source, g + 8), load_real(source, g + 20), load_real(source, g + 32))
    for row in range(6):
        line = _line_of_six(a[row], b[row], c[row])
        for column in range(6):
            store_real(room, u + (6 * row + column) * across, line[column])


@called
def _two(source: Any, g: int, room: Any, u: int, across: int) -> None:
    a = _line_of_four(load_real(source, g), load_real(source, g + 12), load_real(source, g + 24))
    b = _line_of_four(load_real(source, g + 4), load_real(source, g + 16), load_real(source, g + 28))
    c = _line_of_four(load_real(source, g + 8), load_real(source, g + 20), load_real(source, g + 32))
    for row in range(4):
        line = _line_of_four(a[row], b[row], c[row])
        for column in range(4):
            store_real(room, u + (4 * row + column) * across, line[column])


@called
def _line_of_six(a: Any, b: Any, c: Any) -> Any:
    outer, inner = (a + c) * (-1 / 6), b * (-1 / 6)
    far, near = a * (1 / 24) + c * (1 / 6), b * (1 / 12)
    return a * 0.25, outer + inner, outer - inner, far + near, far - near, c


@called
def _line_of_four(a: Any, b: Any, c: Any) -> Any:
    outer, inner = (a + c) * 0.5, b * 0.5
    return a, outer + inner, outer - inner, c


@compiled
def _transform(source: Any, room: Any, to: int, m: int, outputs: int, inputs: int, tiles: int, width: int, depth: int) -> None:
    transform(source, room, to, m, outputs, inputs, tiles, width, depth)
