"""Tables of the inner products of an input word with its codewords, in signed bytes.

    t[k] = saturate((sum over j < 4 of (x[j] - zero) book[k][j] + 2^(shift - 1)) >> shift)

The sixteen entries of a word lie side by side, those of a block of channels one word after the other. They are biased by 128
where the target adds unsigned bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.call import KernelCall, Operand, Packed, Site
from edgeopt.kernels.emit.emit_bytes import flip, narrow
from edgeopt.kernels.emit.emitter import I16, I32, Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_dot import Steps, arranged, meets_limit, tile_parts
from edgeopt.kernels.integer.quant_operands import X, flipped, per_tensor
from edgeopt.kernels.lookup.codewords import WORD, WORDS, Codewords
from edgeopt.target import Target

ZEROS, WIDE_ZEROS = 16, 24  # bytes of ``numbers`` before the zero points


@dataclass(frozen=True)
class Builder:
    """How the tables of one position are made: ``words`` of x side by side, from ``books`` codebooks each.

    ``flipped`` and ``limit`` are those of ``QuantTile``.
    """

    words: int
    books: int
    flipped: bool
    limit: bool

    @property
    def bytes(self) -> int:
        """Bytes of the tables of a position."""
        return self.words * self.books * WORDS


def biased(target: Target) -> bool:
    """True where look-ups add unsigned bytes."""
    return target.lookup == "pshufb"


def table_bytes(found: Codewords, channels: int) -> int:
    """Bytes of the tables of ``channels`` neighbouring channels."""
    return channels // WORD * len(found.books) * WORDS


def numbers(site: Site) -> Array:
    """What a builder reads besides: the shift, and the zero point of x as x holds it, four times as its codes and as words."""
    zero, made = per_tensor(site, X + 1)[1], np.zeros(8, np.int32)
    made[0] = site.node.integer("shift", 0)
    made[ZEROS // 4] = np.full(4, zero & 255, np.uint8).view(np.int32)[0]
    made[WIDE_ZEROS // 4 : WIDE_ZEROS // 4 + 2] = np.full(4, zero, np.int16).view(np.int32)
    return made


def packed_books(target: Target, books: Array) -> Array:
    """Books [..., 16, 4] in the order in which a builder reads them."""
    return arranged(target, books.reshape(-1, WORDS, WORD)).reshape(-1)


def by_block(found: Codewords, block: int, blocks: int) -> Array:
    """The codebooks as ``[block][A][word][16][4]``; every group begins with a block."""
    count, _, words = found.books.shape[:3]
    each = block // WORD
    made = np.pad(found.books, ((0, 0), (0, 0), (0, -words % each), (0, 0), (0, 0)))
    return np.ascontiguousarray(made.reshape(count, blocks, each, WORDS, WORD).swapaxes(0, 1))


def row_tables(site: Site, x: Operand, found: Codewords, rows: int, depth: int, to: Operand) -> KernelCall:
    """The call that builds the tables of rows of ``depth`` codes: [``chunk_of`` channels, row, bytes]."""
    chunk, more = chunk_of(site.target), depth // WORD - found.books.shape[2]
    whole = replace(found, books=np.pad(found.books, ((0, 0), (0, 0), (0, more), (0, 0), (0, 0))))
    books = by_block(whole, chunk, depth // chunk)
    builder = Builder(chunk // WORD, len(found.books), flipped(site), meets_limit(site.target, books))
    operands = (x, Packed(packed_books(site.target, books)), Packed(numbers(site)), to)
    return KernelCall(_rows(site.target, builder, rows, depth, chunk), operands, (), depth // chunk)


def chunk_of(target: Target) -> int:
    """Channels whose tables fill a register."""
    return target.lanes


def _rows(target: Target, builder: Builder, rows: int, depth: int, chunk: int) -> Any:
    build, table = build_function(target, builder, depth), builder.bytes
    weights = table * WORD

    def tables(x: Any, w: Any, s: Any, t: Any, begin: int, end: int) -> None:
        for i in range(begin, end):
            build(offset(x, i * chunk), offset(w, i * weights), s, offset(t, i * rows * table), rows)

    return tables


def build_function(target: Target, builder: Builder, stride: int) -> Any:
    """The function ``(x, books, numbers, tables, count)`` for ``count`` positions whose words lie ``stride`` codes apart."""

    def emit(e: Emitter, x: Value, w: Value, s: Value, t: Value, count: Value) -> None:
        vectors = builder.bytes // e.lanes
        books = [[_steps(e, builder, x).weight(w, v, part) for part in range(tile_parts(target))] for v in range(vectors)]
        starts, shift = _starts(e, builder, x, s, books), _shift(e, s)

        def body(index: Value) -> list[Value]:
            sums = _sums(e, builder, e.at(x, e.builder.mul(index, integer(stride))), books, starts)
            there = e.at(t, e.builder.mul(index, integer(builder.bytes)))
            for first in range(0, vectors, 4):
                codes = narrow(e, sums[first : first + 4], None, True, shift)
                e.store(flip(e, codes) if biased(target) else codes, there, first * e.lanes)
            return []

        e.loop(count, [], body)

    return vector_function(target, 5, emit)


def _steps(e: Emitter, builder: Builder, x: Value) -> Steps:
    return Steps(e, x, (0,), tuple(range(0, WORD * builder.words, WORD)), builder.flipped, builder.limit, False)


def _starts(e: Emitter, builder: Builder, x: Value, s: Value, books: list[list[Value]]) -> list[Value]:
    """What the sums begin with: half a unit, less the inner products of the zero point with the codewords."""
    half = e.splat(e.builder.lshr(e.builder.shl(ir.Constant(I32, 1), e.load_as(I32, s)), ir.Constant(I32, 1)))
    wide = x.type.pointee == I16
    zeros = e.at(e.builder.bitcast(s, x.type), WIDE_ZEROS // 2 if wide else ZEROS)
    walk = Steps(e, zeros, (0,), (0,), builder.flipped, builder.limit, False)
    sums = [e.integers(0)] * len(books)
    for part in range(walk.parts):
        sums = walk.dots(sums, walk.value(0, 0, part), [vector[part] for vector in books])
    return [e.builder.sub(half, total) for total in sums]


def _shift(e: Emitter, s: Value) -> Value:
    kind = ir.VectorType(I16, 2 * e.lanes)
    one = e.builder.insert_element(ir.Constant(kind, ir.Undefined), e.builder.trunc(e.load_as(I32, s), I16), ir.Constant(I32, 0))
    return e.shuffle(one, one, [0] * kind.count)


def _sums(e: Emitter, builder: Builder, x: Value, books: list[list[Value]], starts: list[Value]) -> list[Value]:
    """The inner products of the words at x, vectors [codebook][word][entries]."""
    walk, sums, each = _steps(e, builder, x), list(starts), WORDS // e.lanes
    for word in range(builder.words):
        for part in range(walk.parts):
            value = walk.value(word, 0, part)
            for book in range(builder.books):
                first = (book * builder.words + word) * each
                few = slice(first, first + each)
                sums[few] = walk.dots(sums[few], value, [vector[part] for vector in books[few]])
    return sums
