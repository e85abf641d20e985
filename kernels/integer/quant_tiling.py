"""Register tiles of integer products by rule: how many pixels and output vectors a tile has."""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.kernels.integer.quant_dot import dot_form, pixels_fitting
from edgeopt.target import Target

# Counted in the loops' assembly and chosen by hand, as are the factors in ``_step``; `python -m benchmarks.layers MODEL` shows
# what they are worth.
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
    return min(options, key=lambda t: slots(target, t, vectors, words))


def slots(target: Target, tiling: Tiling, vectors: int, words: int) -> float:
    """Issue slots of a row of pixels, about."""
    accumulators = tiling.pixels * tiling.vectors
    tile = words * _step(dot_form(target), tiling.pixels, tiling.vectors) + ENTRY + 3 * accumulators
    return tiling.across * -(-vectors // tiling.vectors) * tile


def _step(form: str, pixels: int, vectors: int) -> float:
    """Issue slots of a step of four: products of all sums, loads and spreads of x for each pixel, loads of weights."""
    accumulators, loads = pixels * vectors, pixels + vectors
    if form == "words":  # both halves multiplied and added; weights may have to be widened
        return 4 * accumulators + 0.3 * pixels + 0.8 * vectors
    if form == "long":
        return 3 * accumulators + 2 * pixels + 0.5 * vectors
    if form == "lane":
        return max(accumulators, ENOUGH) + 0.05 * (pixels / 2 + vectors)
    return max(accumulators, ENOUGH, loads) + 0.05 * loads
