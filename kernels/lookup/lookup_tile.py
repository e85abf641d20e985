"""The register tile of look-up products: codes select from tables, entries add up exactly in int32.

    y[p, v] = requantize(bias[v] + sum over k of table[pixel(p) + step(k)][code[k, v]], residual[p, v])

Across words (vpermb): one look-up in a register of 64 bytes serves four words of sixteen outputs, and a dot product with ones
adds the four entries up. By rows (pshufb, tbl): one look-up serves one word of as many outputs as a register has bytes; entries
add up in 16 bits, and after at most ``FLUSH`` of them in 32 bits, in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from llvmlite import ir

from edgeopt.kernels.emit.emitter import I8, I16, I32, Emitter, Value, integer
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_tile import Results, emit_results
from edgeopt.kernels.integer.requantize import HEADER
from edgeopt.kernels.lookup.codes import across_words, indices
from edgeopt.kernels.lookup.tables import biased
from edgeopt.kernels.walk.micro import Loop, nest
from edgeopt.target import Target

FLUSH = 256  # entries that add up in 16 bits, whatever they are


@dataclass(frozen=True, kw_only=True)
class LookupTile(Results):
    """``pixels`` are offsets in the tables; ``loops`` (outermost first) and ``steps`` walk the tables of a result.

    ``paired``: codes lie in nibbles, an even number of vectors for all steps; else they are expanded to indices. ``streamed``:
    they come from memory, where the processor by itself asks for them too late.
    """

    pixels: tuple[int, ...]
    loops: tuple[Loop, ...]
    steps: tuple[int, ...]
    paired: bool = False
    streamed: bool = False

    @property
    def inner(self) -> int:
        """Steps in one turn of the loops but the innermost, in all of which there are ``turns``."""
        return self.loops[-1].count * len(self.steps)

    @property
    def turns(self) -> int:
        """Turns of the loops but the innermost."""
        return prod(loop.count for loop in self.loops[:-1])


def tile_function(target: Target, tile: LookupTile) -> Any:
    """The tile as a function ``(tables, codes, b, r, y)``; b is a block of ``requantize.parameters``."""

    def emit(e: Emitter, t: Value, codes: Value, b: Value, r: Value, y: Value) -> None:
        sums = _across if across_words(target) else _by_rows
        emit_results(e, tile, sums(e, tile, t, codes, b), b, r, y)

    return vector_function(target, 5, emit)


def _across(e: Emitter, tile: LookupTile, t: Value, codes: Value, b: Value) -> list[Value]:
    """The sums [pixel][vector]."""
    count, kind = len(tile.vectors), ir.VectorType(I8, 4 * e.lanes)
    ones = ir.Constant(kind, [1] * kind.count)
    start = [e.load_as(e.int_vector, b, HEADER + v * e.lanes) for v in range(count)]

    def body(t: Value, carried: list[Value]) -> list[Value]:
        here, total = carried[0], carried[1:]
        if tile.streamed:
            e.fetch_ahead(here, _code_bytes(e, tile, count))
        index_of = _indices(e, tile, here)
        for k, step in enumerate(tile.steps):
            index = [index_of(k * count + v) for v in range(count)]
            for p, pixel in enumerate(tile.pixels):
                table = e.load_as(kind, t, pixel + step)
                for v in range(count):
                    total[p * count + v] = e.dot4(total[p * count + v], ones, e.lookup(table, index[v]))
        return [_behind_codes(e, tile, here, count), *total]

    return nest(e, tile.loops, t, [codes, *(start * len(tile.pixels))], body)[1:]


def _indices(e: Emitter, tile: LookupTile, here: Value) -> Callable[[int], Value]:
    """Vector number n of the indices from ``here`` on."""
    kind, pairs = ir.VectorType(I8, 4 * e.lanes), dict[int, tuple[Value, Value]]()

    def index(n: int) -> Value:
        if not tile.paired:
            return e.load_as(kind, here, n * kind.count)
        if n // 2 not in pairs:
            pairs[n // 2] = indices(e, e.load_as(kind, here, n // 2 * kind.count))
        return pairs[n // 2][n % 2]

    return index


def _behind_codes(e: Emitter, tile: LookupTile, here: Value, count: int) -> Value:
    """The place behind the codes of all steps, of ``count`` vectors each."""
    return e.at(here, _code_bytes(e, tile, count))


def _code_bytes(e: Emitter, tile: LookupTile, count: int) -> int:
    """The bytes of the codes of all steps, of ``count`` vectors each."""
    size = len(tile.steps) * count * 4 * e.lanes
    return size // 2 if tile.paired else size


def _by_rows(e: Emitter, tile: LookupTile, t: Value, codes: Value, b: Value) -> list[Value]:
    """The sums [pixel][vector]; parts of the walk as long as 16 bits hold their entries, then 32 bits in memory."""
    vectors = len(tile.vectors)
    each = -(-tile.turns // -(-tile.turns // (FLUSH // tile.inner)))
    parts = -(-tile.turns // each)
    moved = e.integers(128 * tile.turns * tile.inner if biased(e.target) else 0)
    start = [e.builder.sub(e.load_as(e.int_vector, b, HEADER + v * e.lanes), moved) for v in range(vectors)]
    sums = _memory(e, len(tile.pixels) * vectors)
    for i in range(len(tile.pixels) * vectors):
        e.store(start[i % vectors], sums, i * e.lanes)

    def part(index: Value, here: Value) -> list[Value]:
        last = e.builder.icmp_signed("==", index, integer(parts - 1))
        turns = e.builder.select(last, integer(tile.turns - each * (parts - 1)), integer(each))
        found = _rows(e, tile, t, here, e.builder.mul(index, integer(each)), turns)
        for i, value in enumerate(_widened(e, found[1:], vectors)):
            e.store(e.builder.add(e.load_as(e.int_vector, sums, i * e.lanes), value), sums, i * e.lanes)
        return [found[0]]

    e.loop(parts, [codes], part)
    return [e.load_as(e.int_vector, sums, i * e.lanes) for i in range(len(tile.pixels) * vectors)]


def _memory(e: Emitter, vectors: int) -> Value:
    """Room for vectors of int32 on the stack."""
    with e.builder.goto_entry_block():
        return e.builder.bitcast(e.builder.alloca(e.int_vector, vectors), I32.as_pointer())


def _rows(e: Emitter, tile: LookupTile, t: Value, codes: Value, first: Value, turns: Value) -> list[Value]:
    """The codes behind those of ``turns`` turns, and their sums: two registers of int16 for each pixel and vector of indices."""
    count, size = rows_of(tile), 4 * e.lanes
    half = ir.VectorType(I16, size // 2)
    zero = ir.Constant(half, [0] * half.count)

    def body(t: Value, carried: list[Value]) -> list[Value]:
        here, total = carried[0], carried[1:]
        if tile.streamed:
            e.fetch_ahead(here, _code_bytes(e, tile, count))
        if tile.streamed:
            e.fetch_ahead(here, _code_bytes(e, tile, count))
        index_of = _indices(e, tile, here)
        for k, step in enumerate(tile.steps):
            if k:
                e.builder.fence("seq_cst", "singlethread")  # or tables of two steps are loaded in pairs, and spilled
            index = [index_of(k * count + v) for v in range(count)]
            for p, pixel in enumerate(tile.pixels):
                row = e.load_as(ir.VectorType(I8, 16), t, pixel + step)
                table = e.shuffle(row, row, [i % 16 for i in range(size)])
                for v in range(count):
                    at = 2 * (p * count + v)
                    total[at : at + 2] = _added(e, total[at], total[at + 1], e.lookup(table, index[v]))
        return [_behind_codes(e, tile, here, count), *total]

    def turn(index: Value, *carried: Value) -> list[Value]:
        here = _behind(e, tile.loops[:-1], t, e.builder.add(first, index))
        return nest(e, tile.loops[-1:], here, list(carried), body)

    return e.loop(turns, [codes, *[zero] * (2 * count * len(tile.pixels))], turn)


def _behind(e: Emitter, loops: Sequence[Loop], t: Value, turn: Value) -> Value:
    """Where turn number ``turn`` of ``loops`` begins."""
    for loop in reversed(loops):
        place = e.builder.srem(turn, integer(loop.count))
        t, turn = e.at(t, e.builder.mul(place, integer(loop.stride))), e.builder.sdiv(turn, integer(loop.count))
    return t


def rows_of(tile: LookupTile) -> int:
    """Vectors of indices for the output vectors of a tile by rows."""
    return -(-len(tile.vectors) // 4)


def _added(e: Emitter, one: Value, other: Value, entries: Value) -> list[Value]:
    """Two sums of int16 with a register of bytes added. On x86 ``one`` takes in pairs as they are, ``other`` the upper bytes."""
    if biased(e.target):
        pairs = e.builder.bitcast(entries, one.type)
        upper = e.builder.lshr(pairs, ir.Constant(one.type, [8] * one.type.count))
        return [e.builder.add(one, pairs), e.builder.add(other, upper)]
    count = one.type.count
    halves = [e.shuffle(entries, entries, range(first, first + count)) for first in (0, count)]
    return [e.builder.add(s, e.builder.sext(h, one.type)) for s, h in zip((one, other), halves, strict=True)]


def _widened(e: Emitter, sums: list[Value], vectors: int) -> list[Value]:
    """The sums of ``_rows`` as int32 [pixel][vector], without vectors of outputs that do not exist."""
    made: list[Value] = []
    widen, each = e.builder.zext if biased(e.target) else e.builder.sext, -(-vectors // 4)
    for first in range(0, len(sums), 2):
        one, other = sums[first], sums[first + 1]
        if biased(e.target):
            one = e.builder.sub(one, e.builder.shl(other, ir.Constant(one.type, [8] * one.type.count)))
        four = [widen(e.shuffle(s, s, range(at, at + e.lanes)), e.int_vector) for s in (one, other) for at in (0, e.lanes)]
        made += four[: vectors - 4 * (first // 2 % each)]
    return made
