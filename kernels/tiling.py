"""Register tiles by rule: how many pixels and output vectors a tile has, and how a map is covered with tiles."""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.target import Target

ENOUGH = 8.6  # issue slots that the latency of a fused multiply-add takes at least: 8 accumulators reach 93 % of the peak


@dataclass(frozen=True)
class Tiling:
    """``pixels`` x ``vectors`` in a tile, ``across`` tiles in a row; the last tile of a row is moved left to end with it."""

    pixels: int
    vectors: int
    across: int


def choose(target: Target, width: int, vectors: int, unit: int = 1, divided: bool = True) -> Tiling:
    """The cheapest tiling of rows of ``width`` pixels for ``vectors`` output vectors."""
    return ranked(target, width, vectors, unit, divided)[0]


def ranked(target: Target, width: int, vectors: int, unit: int = 1, divided: bool = True) -> list[Tiling]:
    """Tilings of rows of ``width`` pixels for ``vectors`` output vectors, the cheapest by counted issue slots first.

    ``unit`` vectors make a channel block, which a tile never splits. ``divided``: tiles divide the vectors without rest.

    A tile needs pixels * vectors accumulators, a register for each weight vector, and one for the broadcast input or, where
    multiplications take a lane, one for each pixel.
    """
    options = [
        Tiling(pixels, count, -(-width // pixels))
        for count in range(unit, max(unit, min(vectors, 8)) + 1, unit)
        if (vectors % count == 0 or not divided) and (count == unit or _room(target, count) > 0)
        for pixels in range(1, max(1, min(width, _room(target, count))) + 1)
    ]
    return sorted(options, key=lambda t: _cost(t, vectors))


def _room(target: Target, vectors: int) -> int:
    if target.multiplies_by_lane:
        return (target.vector_registers - vectors) // (vectors + 1)
    return (target.vector_registers - vectors - 1) // vectors


def _cost(tiling: Tiling, vectors: int) -> float:
    accumulators = tiling.pixels * tiling.vectors
    loads = tiling.pixels + 2 * tiling.vectors  # weights come from the second cache
    slots = max(accumulators, ENOUGH, loads) + 0.125 * (tiling.pixels + tiling.vectors) + 0.5
    return tiling.across * -(-vectors // tiling.vectors) * slots
