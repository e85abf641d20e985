"""The tile of scattered weights: 16 outputs of some rows, whose inputs are picked from a window that lies in registers.

    y[p, v] = activation(bias[v] + sum over steps of window(p)[place[v]] * w[v] + residual[p, v])

A window is as wide as the processor picks from at once: two registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from edgeopt.kernels.emit.emitter import I8, I32, I64, Emitter, Value, integer
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.sparse.entries import HEIGHT
from edgeopt.kernels.walk import micro
from edgeopt.kernels.walk.micro import Tile
from edgeopt.target import Target

VECTORS = 2  # registers of a window
Round = Callable[[Value, Value, list[Value]], list[Value]]  # x at a window, the words of the round, the sums -> the sums


def permutes(target: Target) -> bool:
    """True where floats of two registers can be picked by computed places."""
    return target.architecture == "x86_64" and target.lanes in (8, 16)


def window_function(target: Target, tile: Tile, depth: int, sums: int) -> Any:
    """The tile as a function ``(x, w, o, b, r, y)``, see ``window_entries``; steps go to ``sums`` sums in turn."""

    def emit(e: Emitter, x: Value, w: Value, o: Value, b: Value, r: Value, y: Value) -> None:
        def of_round(x: Value, w: Value, total: list[Value]) -> list[Value]:
            return _round(e, tile, depth, x, w, total)

        total = window_sums(e, depth * HEIGHT * 5 // 4, sums, (x, w, o), micro.first_sums(e, tile, b), of_round)
        micro.emit_results(e, tile, total, r, y)

    return vector_function(target, 6, emit)


def window_sums(
    e: Emitter, words: int, sums: int, pointers: tuple[Value, Value, Value], first: list[Value], of_round: Round
) -> list[Value]:
    """The sums over all rounds, of ``words`` words each, at the ``pointers`` x, w and o; they begin with ``first``.

    ``of_round`` adds a round to ``sums`` times as many sums in turn.
    """
    (x, w, o), count = pointers, len(first)

    def body(index: Value, *total: Value) -> list[Value]:
        here = e.at(x, e.builder.zext(e.load_as(I32, e.at(o, index), 1), I64))
        return of_round(here, e.at(w, e.builder.mul(index, integer(words))), list(total))

    rounds = e.builder.zext(e.load_as(I32, o), I64)
    total = e.loop(rounds, first + [ir.Constant(first[0].type, None)] * (sums - 1) * count, body)
    add = e.add if first[0].type == e.vector else e.builder.add
    for k in range(1, sums):
        total[:count] = [add(a, b) for a, b in zip(total[:count], total[k * count : (k + 1) * count], strict=True)]
    return total[:count]


def _round(e: Emitter, tile: Tile, depth: int, x: Value, w: Value, total: list[Value]) -> list[Value]:
    """All steps of a round: ``total`` holds the sums [in turn][pixel][vector]."""
    windows = [[e.load(x, pixel + i * e.lanes) for i in range(VECTORS)] for pixel in tile.pixels]
    count, vectors = len(tile.pixels) * len(tile.vectors), len(tile.vectors)
    places = e.builder.bitcast(e.at(w, depth * HEIGHT), I8.as_pointer())
    for step in range(depth):
        turn = step * count % len(total)
        for v in range(vectors):
            lane = step * HEIGHT + v * e.lanes
            place = e.builder.zext(e.load_as(ir.VectorType(I8, e.lanes), places, lane), e.int_vector)
            weights = e.load_as(e.vector, w, lane)
            for p, window in enumerate(windows):
                at = turn + p * vectors + v
                total[at] = e.fma(weights, _picked(e, window, place), total[at])
    return total


def _picked(e: Emitter, window: list[Value], place: Value) -> Value:
    """The floats of a window of two registers at ``place``."""
    low, high = window
    if e.lanes == 16:
        kind = ir.FunctionType(e.vector, [e.vector, e.int_vector, e.vector])
        return e.builder.call(e.declare("llvm.x86.avx512.vpermi2var.ps.512", kind), [low, place, high])
    permute = e.declare("llvm.x86.avx2.permps", ir.FunctionType(e.vector, [e.vector, e.int_vector]))
    picks = [e.builder.call(permute, [half, place]) for half in (high, low)]
    return e.builder.select(e.builder.icmp_unsigned(">", place, e.integers(e.lanes - 1)), *picks)
