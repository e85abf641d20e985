"""Register tiles of integer products by rule: how many pixels and output vectors a tile has."""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.kernels.quant_dot import pixels_fitting
from edgeopt.target import Target

ENOUGH = 6  # accumulators that hide the latency of a dot product
ENTRY = 24  # issue slots to enter and leave a tile, about


@dataclass(frozen=True)
class Tiling:
    """``pixels`` x ``vectors`` in a tile, ``across`` tiles in a row; the last tile of a row is moved left to end with it."""

    pixels: int
    vectors: int
    across: int


def choose(target: Target, width: int, vectors: int, unit: int, words: int) -> Tiling:
    """The cheapest tiling of rows of ``width`` pixels for ``vectors`` output vectors (``unit`` to a block) of ``words`` steps.

    A tile keeps pixels * vectors accumulators in registers.
    """
    options = [
        Tiling(pixels, count, -(-width // pixels))
        for count in range(unit, max(unit, min(vectors, 8)) + 1, unit)
        for pixels in range(1, min(width, pixels_fitting(target, count)) + 1)
    ]
    return min(options, key=lambda t: _cost(t, vectors, words))


def _cost(tiling: Tiling, vectors: int, words: int) -> float:
    accumulators, loads = tiling.pixels * tiling.vectors, tiling.pixels + tiling.vectors
    step = max(accumulators, ENOUGH, loads) + 0.05 * loads
    return tiling.across * -(-vectors // tiling.vectors) * (words * step + ENTRY + 3 * accumulators)
