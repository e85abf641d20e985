"""Register tiles by rule: how many pixels and output vectors a tile has, and how a map is covered with tiles."""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.target import Target

# Chosen by hand, and checked against the percent of the peak that `python -m benchmarks.layers MODEL` shows, as are the
# fractions in ``_slots``.
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


def ranked(target: Target, width: int, vectors: int, unit: int = 1, divided: bool = True, reading: float = 0.0) -> list[Tiling]:
    """Tilings of rows of ``width`` pixels for ``vectors`` output vectors, the cheapest by counted issue slots first.

    ``unit`` vectors make a channel block, which a tile never splits. ``divided``: tiles divide the vectors without rest.
    ``reading`` is the time, in slots, in which a weight vector arrives from memory when the first tile of a row asks for it.

    A tile needs pixels * vectors accumulators, a register for each weight vector, and one for the broadcast input or, where
    multiplications take a lane, one for each pixel.
    """
    options = [
        Tiling(pixels, count, -(-width // pixels))
        for count in range(unit, max(unit, min(vectors, 8)) + 1, unit)
        if (vectors % count == 0 or not divided) and (count == unit or _room(target, count) > 0)
        for pixels in range(1, max(1, min(width, _room(target, count))) + 1)
    ]
    return sorted(options, key=lambda t: cost(t, vectors) + stall(t, vectors, reading))


def _room(target: Target, vectors: int) -> int:
    if target.multiplies_by_lane:
        return (target.float_registers - vectors) // (vectors + 1)
    return (target.float_registers - vectors - 1) // vectors


def stall(tiling: Tiling, vectors: int, reading: float) -> float:
    """Slots in which the first tile of a row waits for its weights, for one step of k over all ``vectors``.

    Few wide tiles wait less than many narrow ones, which compute for a shorter time with each weight.
    """
    return -(-vectors // tiling.vectors) * max(0.0, tiling.vectors * reading - _slots(tiling))


def cost(tiling: Tiling, vectors: int) -> float:
    """Issue slots of a row of tiles over all ``vectors``, for one step of k."""
    return tiling.across * -(-vectors // tiling.vectors) * _slots(tiling)


def _slots(tiling: Tiling) -> float:
    accumulators = tiling.pixels * tiling.vectors
    loads = tiling.pixels + 2 * tiling.vectors  # weights come from the second cache
    return max(accumulators, ENOUGH, loads) + 0.125 * (tiling.pixels + tiling.vectors) + 0.5
