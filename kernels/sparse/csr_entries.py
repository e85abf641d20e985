"""Single nonzero weights as the planar kernel reads them: for each output its weights, in groups of one alignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.sparse.csr_planes import Planes


@dataclass(frozen=True, eq=False)
class CsrEntries:
    """``values`` and ``offsets`` (uint32, elements of the planes); those of output r begin at ``starts[r]`` of ``values``.

    Each group of an output is preceded, in ``offsets`` alone, by how many rounds of ``together`` entries it has: output r
    begins at ``starts[r] + r * groups`` there. What fills up a round has the value zero. Loads of group g are ``turns[g]``
    elements in front of what its weights multiply.
    """

    values: Array
    offsets: Array
    starts: Array
    turns: tuple[int, ...]


def pack(weight: Array, group: int, planes: Planes, line: int, together: int) -> CsrEntries:
    """The nonzeros of ``weight`` [outputs, inputs of a group, height, width]; loads begin at multiples of ``line`` elements."""
    outputs, inputs = weight.shape[:2]
    matrix = weight.reshape(outputs, inputs, -1)
    shifts = planes.shift(np.arange(matrix.shape[2]))
    turns = tuple(sorted({int(turn) for turn in shifts % line}))
    values, offsets, starts = [], [], [0]
    for output in range(outputs):
        channels, taps = np.nonzero(matrix[output])
        first = output // (outputs // group) * inputs
        places = planes.base(taps, channels + first) + shifts[taps] - shifts[taps] % line
        weights = matrix[output, channels, taps]
        for turn in turns:
            found = np.flatnonzero(shifts[taps] % line == turn)
            found = found[np.argsort(places[found], kind="stable")]
            rounds = -(-max(1, found.size) // together)
            filled = np.zeros(rounds * together, np.float32)
            filled[: found.size] = weights[found]
            reads = np.zeros(rounds * together + 1, np.uint32)
            reads[0], reads[1 : found.size + 1] = rounds, places[found]
            values.append(filled)
            offsets.append(reads)
        starts.append(sum(map(len, values[-len(turns) :])) + starts[-1])
    return CsrEntries(np.concatenate(values), np.concatenate(offsets), np.array(starts, np.int32), turns)
