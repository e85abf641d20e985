"""Register tiles of look-up products by rule: how many pixels and output vectors a tile has."""

from __future__ import annotations

from edgeopt.kernels.integer.quant_tiling import ENTRY, Tiling
from edgeopt.kernels.lookup.codes import across_words
from edgeopt.target import Target

LATENCY = 10  # issue slots until a sum takes in its next entries, about
FAR = 1.15  # chosen by hand from timings of 4 and of 2 vectors
MOST = 4  # vectors of indices of a tile by rows
BESIDES = 3  # registers for a table, what it gives, and ones or an upper half


def choose(target: Target, width: int, vectors: int, unit: int, steps: int) -> Tiling:
    """The cheapest tiling of rows of ``width`` pixels for ``vectors`` output vectors (``unit`` to a block) of ``steps`` look-ups.

    Registers hold a sum for each pixel and vector, but by rows two for each pixel and four vectors.
    """
    together = 1 if across_words(target) else 4
    counts = range(unit, max(unit, min(vectors, 8)) + 1, unit)
    if together > 1:
        counts = range(min(vectors, together), min(vectors, MOST * together) + 1, together)
    options = [
        Tiling(pixels, count, -(-width // pixels))
        for count in counts
        if _registers(target, -(-count // together)) <= target.vector_registers
        for pixels in range(1, min(width, _fitting(target, -(-count // together))) + 1)
    ]
    return min(options, key=lambda t: _cost(target, t, width, vectors, steps, together))


def _registers(target: Target, rows: int, pixels: int = 1) -> int:
    return pixels * rows * (1 if across_words(target) else 2) + rows + BESIDES


def _fitting(target: Target, rows: int) -> int:
    return max(p for p in range(1, target.vector_registers) if p == 1 or _registers(target, rows, p) <= target.vector_registers)


def _cost(target: Target, tiling: Tiling, width: int, vectors: int, steps: int, together: int) -> float:
    """Issue slots: look-ups and what adds them up, loads of tables and codes, and the end of a tile."""
    rows = -(-tiling.vectors // together)
    each = 2 if across_words(target) else 4 if target.lookup == "pshufb" else 3
    step = max(LATENCY, tiling.pixels * rows * each + 0.3 * (tiling.pixels + rows))
    panel = steps * rows * target.vector_bytes
    if width > 1 and panel > target.l1 // 2:  # the codes of a tile do not stay near beside its tables
        step *= FAR
    return tiling.across * -(-vectors // tiling.vectors) * (steps * step + ENTRY + 3 * tiling.pixels * tiling.vectors)
