"""The tile of the planar kernel: many neighbouring positions of one output stay in registers while its nonzeros are walked.

    y[p] = activation(bias + sum over entries of value * x[p + offset] + residual[p])

Where lines of the cache are vectors, every load is aligned: entries come in groups whose reads begin at the same place of a
line, and from group to group the sums are moved by some lanes instead. What is moved out at the end of a tile is not stored.
Where the channels of a tile are walked in bands, sums wait in memory between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from edgeopt.kernels.emit.emitter import I32, I64, Emitter, Value, integer
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target


@dataclass(frozen=True)
class CsrTile:
    """``vectors`` of positions, of which those of ``rows`` rows of ``columns``, ``pitch`` apart, are stored ``columns`` apart.

    ``turns`` are the places in a line where the reads of each group begin; ``together`` entries enter sums of their own.
    ``begins`` and ``ends``: it has the first and the last entries of an output; else sums come from memory, or go there.
    """

    vectors: int
    rows: int
    columns: int
    pitch: int
    turns: tuple[int, ...]
    together: int
    added: bool
    activation: Activation
    begins: bool = True
    ends: bool = True


def kept_floats(tile: CsrTile, lanes: int) -> int:
    """Floats of memory in which the sums of an output wait."""
    return (tile.vectors + 1) * lanes


def csr_function(target: Target, tile: CsrTile) -> Any:
    """The tile as a function ``(x, v, o, b, r, y, s)``; r is read when something is added, s are sums that wait."""

    def emit(e: Emitter, x: Value, v: Value, o: Value, b: Value, r: Value, y: Value, s: Value) -> None:
        total, before = [e.broadcast(b)] * tile.vectors, 0
        if not tile.begins:
            before = tile.turns[0]
            total = [e.load(s, k * e.lanes + tile.turns[-1] - before) for k in range(tile.vectors)]
        for turn in tile.turns:
            total, before = _moved(e, total, turn - before), turn
            v, o, total = _group(e, tile, x, v, o, total)
        if tile.ends:
            return _store(e, tile, total, r, y)
        for k, value in enumerate([*total, e.constant(0.0)]):
            e.store(value, s, k * e.lanes)

    return vector_function(target, 7, emit)


def _moved(e: Emitter, total: list[Value], lanes: int) -> list[Value]:
    """All sums ``lanes`` lanes further on; the first lanes hold nothing that is stored."""
    if not lanes:
        return total
    picks = [e.lanes - lanes + i for i in range(e.lanes)]
    return [e.shuffle(total[max(k - 1, 0)], value, picks) for k, value in enumerate(total)]


def _group(e: Emitter, tile: CsrTile, x: Value, v: Value, o: Value, total: list[Value]) -> tuple[Value, Value, list[Value]]:
    """The entries of one group; returns where those of the next one begin, and the sums."""
    rounds, together, count = e.builder.zext(e.load_as(I32, o), I64), tile.together, tile.vectors
    start = total + [ir.Constant(e.vector, None)] * (count * (together - 1))

    def body(index: Value, *sums: Value) -> list[Value]:
        number, made = e.builder.mul(index, integer(together)), list(sums)
        values, places = e.at(v, number), e.at(o, number)
        for t in range(together):
            here, value = e.at(x, e.builder.zext(e.load_as(I32, places, 1 + t), I64)), e.broadcast(values, t)
            for k in range(count):
                made[t * count + k] = e.fma(value, e.load(here, k * e.lanes), made[t * count + k])
        return made

    sums = e.loop(rounds, start, body)
    for t in range(1, together):
        sums[:count] = [e.add(*pair) for pair in zip(sums[:count], sums[t * count : (t + 1) * count], strict=True)]
    size = e.builder.mul(rounds, integer(together))
    return e.at(v, size), e.at(e.at(o, size), 1), sums[:count]


def _store(e: Emitter, tile: CsrTile, total: list[Value], r: Value, y: Value) -> None:
    """Write the columns of each row to their place; position p is in lane ``p + last turn``."""
    last = tile.turns[-1]
    for row in range(tile.rows):
        first = row * tile.pitch + last
        for k in range(first // e.lanes, (first + tile.columns - 1) // e.lanes + 1):
            lanes = max(0, first - k * e.lanes), min(e.lanes, first + tile.columns - k * e.lanes)
            place = row * tile.columns + k * e.lanes - first
            value = total[k]
            if tile.added:
                value = e.add(value, e.load_lanes(e.at(r, place), *lanes))
            e.store_lanes(tile.activation.apply(e, value), e.at(y, place), *lanes)
