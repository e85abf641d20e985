"""How much of a plain map a tile of single nonzeros walks at a time: positions in registers, and bands of channels.

Nonzeros read the map at places that no processor foresees, so what they read has to lie in the first cache: the channels of a
tile are walked in bands that fit, by some outputs one after the other, whose sums wait in memory between two bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined
from edgeopt.kernels.sparse.csr_planes import PlainMap, Planes
from edgeopt.kernels.sparse.sparse_tiling import SHARE, share_missing
from edgeopt.target import Target

ENOUGH, ROOM = 8, 14  # sums that keep a processor busy, and that several entries at once may have
LEAST, CHUNKS = 128, 4  # outputs of a chunk, which copies what it reads, and chunks for threads
MISS = 1.2  # cycles that a vector takes more which comes from the second cache; fitted to times of a Xeon, as are the next two
BAND, WAITING = 20, 2.0  # cycles of a band of an output besides its nonzeros, and of each vector of sums that wait behind it
COPY = 2.5  # cycles to copy a vector


@dataclass(frozen=True)
class Extent:
    """``vectors`` of a tile; ``together`` entries at once enter sums of their own. ``span`` outputs of a chunk walk ``bands``."""

    planes: Planes
    vectors: int
    together: int
    bands: int
    span: int


def extent_of(target: Target, made: PlainMap, turns: tuple[int, ...], weight: Array, group: int, images: int) -> Extent:
    """The quickest Extent for ``weight``, whose loads have these ``turns``. Raises Declined where no row fits registers."""
    outputs, inputs = weight.shape[:2]
    found = list(_tiles(target, made, turns[-1], inputs * group))
    if not found:
        raise Declined(f"a row of {made.result[1]} positions does not fit registers")
    nonzeros, most = np.count_nonzero(weight) / outputs, inputs if group == 1 else 1  # bands are made where outputs read alike
    options = [(tile, vectors, bands) for tile, vectors in found for bands in range(1, _bands(target, tile, most) + 1)]

    def cycles(option: tuple[Planes, int, int]) -> float:
        tile, vectors, bands = option
        copied = tile.elements / target.lanes * COPY * _spans(tile, images, outputs) / outputs
        return float(tile.tiles * (_cycles(target, tile, vectors, bands, nonzeros, len(turns)) + copied))

    planes, vectors, bands = min(options, key=cycles)
    channels = -(-planes.channels // bands)
    together = next(t for t in (1, 2, 4) if t == 4 or t * vectors >= ENOUGH or 2 * t * vectors > ROOM)
    span = -(-outputs // _spans(planes, images, outputs)) if group == 1 else outputs
    return Extent(replace(planes, channels=channels), vectors, together, -(-planes.channels // channels), span)


def _spans(tile: Planes, images: int, outputs: int) -> int:
    """Parts of the outputs of a tile, so that there are chunks enough."""
    return max(1, min(outputs // LEAST, -(-CHUNKS // (images * tile.tiles))))


def _tiles(target: Target, made: PlainMap, last: int, channels: int) -> Iterator[tuple[Planes, int]]:
    """The planes of tiles that fit registers, each with its vectors; ``last`` lanes are moved out besides."""
    lanes, (height, width) = target.lanes, made.result
    for most in range(1, target.vector_registers - 2):
        if made.flat:  # tiles begin with lines
            rows, columns = 1, min(width, -(-_share(width, most * lanes) // lanes) * lanes)
            yield Planes(made, rows, columns, channels), -(-columns // lanes)
        elif (fitting := (most * lanes - last - width) // made.pitch + 1) > 0:
            rows = _share(height, fitting)
            yield Planes(made, rows, width, channels), -(-((rows - 1) * made.pitch + width + last) // lanes)


def _bands(target: Target, tile: Planes, most: int) -> int:
    """As many bands of channels as make each fit the first cache."""
    return min(most, -(-4 * tile.elements // int(SHARE * target.l1)))


def _cycles(target: Target, tile: Planes, vectors: int, bands: int, nonzeros: float, turns: int) -> float:
    """The time of an output on a tile: two loads a cycle, of a value, of where it reads, and of that; some miss the cache."""
    missing = share_missing(target, 4 * tile.elements / bands)
    entry = (vectors + 2) / 2 + MISS * missing * vectors
    return nonzeros * entry + bands * (BAND + (WAITING + turns - 1) * vectors)


def _share(total: int, most: int) -> int:
    """The size of tiles of no more than ``most``, as equal as they can be."""
    return -(-total // -(-total // most))
