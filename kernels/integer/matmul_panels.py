"""Packs a panel of a computed matrix of bytes as tiles read weights, and puts what depends on its columns where biases stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from edgeopt.kernels.emit.emit_bytes import flip
from edgeopt.kernels.emit.emitter import I8, Emitter, Value, integer
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_dot import PAIRED, dot_form
from edgeopt.kernels.integer.requantize import HEADER
from edgeopt.target import Target

GROUP = 4  # codes of a step


@dataclass(frozen=True)
class Panel:
    """``vectors`` vectors of columns of a matrix [depth, columns]; ``unsigned`` codes become signed ones that are 128 less.

    The bias of a column is ``factor`` times the sum of its packed codes, plus ``constant``.
    """

    depth: int
    columns: int
    vectors: int
    unsigned: bool
    factor: int
    constant: int


def panel_function(target: Target, panel: Panel) -> Any:
    """The function ``(matrix, numbers, panel, words)``; ``numbers`` are words as they are, except for the biases."""
    return vector_function(target, 4, lambda e, b, numbers, made, words: _emit(e, panel, b, numbers, made, words))


def _emit(e: Emitter, panel: Panel, b: Value, numbers: Value, made: Value, words: Value) -> None:
    count, size = panel.vectors, GROUP * e.lanes

    def step(first: Value, place: Value, missing: int, sums: Sequence[Value]) -> list[Value]:
        added = []
        for v, total in enumerate(sums):
            rows = [_row(e, panel, b, first, j, v) if j >= missing else None for j in range(GROUP)]
            packed, sum_ = _packed(e, rows, total)
            for half, part in enumerate(packed):
                e.store(part, e.at(made, place), v * size + half * (size // len(packed)))
            added.append(sum_)
        return added

    def body(index: Value, *sums: Value) -> list[Value]:
        return step(e.builder.mul(index, integer(GROUP)), e.builder.mul(index, integer(count * size)), 0, sums)

    whole, left = divmod(panel.depth, GROUP)
    sums = e.loop(whole, [e.integers(0)] * count, body)
    if left:  # the last four codes, of which the first are counted already
        sums = step(integer(panel.depth - GROUP), integer(whole * count * size), GROUP - left, sums)
    _words(e, panel, numbers, words, sums)


def _row(e: Emitter, panel: Panel, b: Value, first: Value, j: int, v: int) -> Value:
    place = e.builder.mul(e.builder.add(first, integer(j)), integer(panel.columns))
    codes = e.load_as(ir.VectorType(I8, e.lanes), e.at(b, place), v * e.lanes)
    return flip(e, codes) if panel.unsigned else codes


def _packed(e: Emitter, rows: Sequence[Value | None], total: Value) -> tuple[list[Value], Value]:
    """Four rows of codes in the order of a step, in one register or two halves, and their sum added to ``total``."""
    zero = ir.Constant(ir.VectorType(I8, e.lanes), [0] * e.lanes)
    given = [zero if row is None else row for row in rows]
    together = [i + e.lanes * j for i in range(e.lanes) for j in range(2)]
    halves = [e.shuffle(given[i], given[i + 1], together) for i in (0, 2)]
    if dot_form(e.target) in PAIRED:
        for row in given:
            total = e.builder.add(total, e.builder.sext(row, e.int_vector))
        return halves, total
    quads = e.shuffle(
        halves[0], halves[1], [2 * i + j % 2 + 2 * e.lanes * (j // 2) for i in range(e.lanes) for j in range(GROUP)]
    )
    return [quads], e.dot4(total, ir.Constant(quads.type, [1] * quads.type.count), quads)


def _words(e: Emitter, panel: Panel, numbers: Value, words: Value, sums: Sequence[Value]) -> None:
    for place in range(0, HEADER, e.lanes):
        e.store(e.load_as(e.int_vector, numbers, place), words, place)
    for v, total in enumerate(sums):
        bias = e.builder.add(e.builder.mul(total, e.integers(panel.factor)), e.integers(panel.constant))
        e.store(bias, words, HEADER + v * e.lanes)
        place = HEADER + (panel.vectors + v) * e.lanes
        e.store(e.load_as(e.int_vector, numbers, place), words, place)
