"""Single nonzero weights as the planar kernel reads them: for each output its weights, in groups of one alignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.sparse.csr_planes import PlainMap, Planes


@dataclass(frozen=True, eq=False)
class CsrEntries:
    """``values`` and ``offsets`` (uint32, elements of the planes); those of row r begin at ``starts[r]`` of ``values``.

    A row are the weights of one output in one band of its input channels: first all outputs in the first band, then those in the
    next one. Each group of a row is preceded, in ``offsets`` alone, by how many rounds of ``together`` entries it has: row r
    begins at ``starts[r] + r * groups`` there. What fills up a round has the value zero.
    """

    values: Array
    offsets: Array
    starts: Array


def turns_of(made: PlainMap, taps: int, line: int) -> tuple[int, ...]:
    """The groups of weights: how many elements in front of what they multiply loads that begin at multiples of ``line`` begin."""
    return tuple(sorted({int(turn) for turn in made.shift(np.arange(taps)) % line}))


def pack(weight: Array, group: int, made: Planes, line: int, together: int) -> CsrEntries:
    """The nonzeros of ``weight`` [outputs, inputs of a group, height, width] in bands as wide as the planes, by ``turns_of``."""
    outputs, inputs = weight.shape[:2]
    matrix, turns = weight.reshape(outputs, inputs, -1), turns_of(made.map, weight[0, 0].size, line)
    values, offsets, starts = [], [], [0]
    for first in range(0, inputs, min(inputs, made.channels)):
        for output in range(outputs):
            found, taps = np.nonzero(matrix[output, first : first + made.channels])
            turn = made.map.shift(taps) % line
            places = made.place(taps, found + output // (outputs // group) * inputs) - turn
            rows = [_rounds(matrix[output, found + first, taps], places, turn == one, together) for one in turns]
            values += [row[0] for row in rows]
            offsets += [row[1] for row in rows]
            starts.append(sum(row[0].size for row in rows) + starts[-1])
    return CsrEntries(np.concatenate(values), np.concatenate(offsets), np.array(starts, np.int32))


def _rounds(weights: Array, places: Array, mine: Array, together: int) -> tuple[Array, Array]:
    """The values of the weights that are ``mine``, in the order of their places; and how many rounds these are, and places."""
    found = np.flatnonzero(mine)
    found = found[np.argsort(places[found], kind="stable")]
    rounds = -(-max(1, found.size) // together)
    values, reads = np.zeros(rounds * together, np.float32), np.zeros(rounds * together + 1, np.uint32)
    values[: found.size] = weights[found]
    reads[0], reads[1 : found.size + 1] = rounds, places[found]
    return values, reads
