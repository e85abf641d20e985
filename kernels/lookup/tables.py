"""Tables of the inner products of an input word with its codewords, in signed bytes.

    t[k] = saturate((sum over j < 4 of (x[j] - zero) book[k][j] + 2^(shift - 1)) >> shift)

The sixteen entries of a word lie side by side, those of a block of channels one word after the other. They are biased by 128
where the target adds unsigned bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.call import KernelCall, Operand, Packed, Site, Tensor
from edgeopt.kernels.emit.emit_bytes import flip, narrow
from edgeopt.kernels.emit.emitter import I16, I32, Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_dot import Steps, arranged, meets_limit, tile_parts, widened
from edgeopt.kernels.integer.quant_operands import flipped, seen_zero
from edgeopt.kernels.lookup.codewords import WORD, WORDS, Codewords
from edgeopt.target import Target

HEADER = 16  # words before the starts of the sums: the shift
RUN = 512  # positions in a chunk


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


def numbers(site: Site, books: Array) -> Array:
    """Books ``[n][A][word][16][4]`` as what a builder reads besides: header, then the starts of the sums ``[A][word][16]``."""
    shift, zero = site.node.integer("shift", 0), seen_zero(site)
    starts = (1 << shift >> 1) - zero * books.astype(np.int32).sum(axis=-1)
    made = np.zeros((len(books), HEADER + starts[0].size), np.int32)
    made[:, 0], made[:, HEADER:] = shift, starts.reshape(len(books), -1)
    return made


def blocked_tables(site: Site, x: Tensor, found: Codewords, to: Operand) -> list[KernelCall]:
    """The calls that build the tables of every position of a blocked map, borders included: [image, block, position, bytes]."""
    block, books = x.layout.block, _by_block(found, x.layout.block, x.blocks)
    builder = Builder(block // WORD, len(found.books), flipped(site), meets_limit(site.target, books))
    parts, (copies, source) = -(-x.plane // RUN), widened(site.target, x)
    operands = (source, Packed(packed_books(site.target, books)), Packed(numbers(site, books)), to)
    function = _blocked(site.target, builder, x.blocks, x.plane, block, parts)
    return [*copies, KernelCall(function, operands, (), x.shape[0] * x.blocks * parts)]


def packed_books(target: Target, books: Array) -> Array:
    """Books [..., 16, 4] in the order in which a builder reads them."""
    return arranged(target, books.reshape(-1, WORDS, WORD)).reshape(-1)


def _by_block(found: Codewords, block: int, blocks: int) -> Array:
    """The codebooks as ``[block][A][word][16][4]``; every group begins with a block."""
    count, groups, words = found.books.shape[:3]
    each = block // WORD
    made = np.zeros((count, groups, -(-words // each) * each, WORDS, WORD), np.int8)
    made[:, :, :words] = found.books
    return np.ascontiguousarray(made.reshape(count, blocks, each, WORDS, WORD).swapaxes(0, 1))


def _blocked(target: Target, builder: Builder, blocks: int, plane: int, block: int, parts: int) -> Any:
    build, table, run = build_function(target, builder, block), builder.bytes, RUN
    weights, starts = table * WORD, HEADER + table

    def tables(x: Any, w: Any, s: Any, t: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            whole, first = chunk // parts, chunk % parts * run
            place, left, number = whole * plane + first, plane - first, whole % blocks
            count = left if left < run else run
            wc, sc = offset(w, number * weights), offset(s, number * starts)
            build(offset(x, place * block), wc, sc, offset(t, place * table), count)

    return tables


def build_function(target: Target, builder: Builder, stride: int) -> Any:
    """The function ``(x, books, numbers, tables, count)`` for ``count`` positions whose words lie ``stride`` codes apart."""

    def emit(e: Emitter, x: Value, w: Value, s: Value, t: Value, count: Value) -> None:
        vectors = builder.bytes // e.lanes
        books = [[_steps(e, builder, x).weight(w, v, part) for part in range(tile_parts(target))] for v in range(vectors)]
        starts = [e.load_as(e.int_vector, s, HEADER + v * e.lanes) for v in range(vectors)]
        shift = _shift(e, s)

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
