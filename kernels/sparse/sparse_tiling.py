"""Register tiles of sparse products by rule: rows and columns of positions that share each block of weights that is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeopt.kernels.call import Declined
from edgeopt.target import Target

ENTRY = 30  # issue slots to enter and leave a tile, about; counted in the loops' assembly, as are the numbers below
END = 3  # issue slots to finish an accumulator
BLOCK = 2.0  # issue slots of a block of weights besides its products: its offset, and the loop
ENOUGH = 8  # accumulators that hide most of the latency of their products, on two pipes of five cycles
SHARE = 0.75  # of the first cache that what a tile reads may fill; chosen by hand, as is the next one
MISS = 1.0  # issue slots that a read takes more which comes from the second cache
Missing = Callable[[int, int], float]  # rows and columns of a tile -> the share of its reads that leave the first cache


@dataclass(frozen=True)
class SparseTiling:
    """``rows`` x ``columns`` positions in a tile, ``down`` x ``across`` tiles on a map; the last ones are moved back inside.

    ``together`` blocks are summed side by side where a tile has too few positions to keep a processor busy.
    """

    rows: int
    columns: int
    down: int
    across: int
    together: int

    @property
    def positions(self) -> int:
        """Positions of a tile."""
        return self.rows * self.columns


def share_missing(target: Target, size: float) -> float:
    """The share of reads at random places of ``size`` bytes that leave the first cache."""
    return max(0.0, 1 - SHARE * target.l1 / size)


def choose(
    size: tuple[int, int], vectors: int, room: int, blocks: float, product: float, missing: Missing | None = None
) -> SparseTiling:
    """The cheapest tiling of a map of ``size`` (height, width) for rows of ``blocks`` blocks of ``vectors`` output vectors.

    ``room`` positions have registers; ``product`` is what adding the products of a block to one accumulator takes.
    Without ``missing`` all reads come from the first cache. Raises Declined where no position has.
    """
    height, width = size
    options = {
        (rows, columns)
        for across in range(1, width + 1)
        for columns in (-(-width // across),)
        if columns <= room
        for rows in range(1, min(height, max(1, room // columns)) + 1)
    }
    if not options:
        raise Declined(f"{vectors} vectors of a block of weights leave no registers for sums")
    most = room * vectors
    tilings = [SparseTiling(r, c, -(-height // r), -(-width // c), _together(r * c * vectors, most)) for r, c in options]
    shares = {t: missing(t.rows, t.columns) if missing else 0.0 for t in tilings}
    return min(tilings, key=lambda t: (_cost(t, vectors, blocks, product, shares[t]), t.rows))


def _together(accumulators: int, most: int) -> int:
    """A power of two, so that rows of blocks are filled up little."""
    together = 1
    while together * accumulators < ENOUGH and 2 * together * accumulators <= most:
        together *= 2
    return together


def _cost(tiling: SparseTiling, vectors: int, blocks: float, product: float, missing: float) -> float:
    accumulators = tiling.positions * vectors
    block = max(accumulators * product, ENOUGH / tiling.together) + 0.3 * (tiling.positions + vectors) + BLOCK
    block += MISS * missing * tiling.positions
    return tiling.down * tiling.across * (blocks * block + ENTRY + END * accumulators)
