"""The tables of a blocked map, which serve all taps and outputs of a convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgeopt.kernels.call import KernelCall, Operand, Packed, Site, Tensor
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.integer.quant_dot import meets_limit, widened
from edgeopt.kernels.integer.quant_operands import flipped
from edgeopt.kernels.lookup.codewords import WORD, Codewords
from edgeopt.kernels.lookup.tables import Builder, build_function, by_block, numbers, packed_books

RUN = 512  # positions in a chunk


@dataclass(frozen=True, eq=False)
class MapTables:
    """What builds the tables of a blocked map of ``blocks`` planes of ``plane`` positions: ``build`` as of ``build_function``,

    from a ``source`` that the calls ``before`` make. ``block`` channels lie side by side, whose codebooks take ``books`` bytes.
    """

    before: tuple[KernelCall, ...]
    source: Operand
    arrays: tuple[Packed, Packed]
    build: Any
    blocks: int
    plane: int
    block: int
    books: int

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The source, and the codebooks and numbers that a builder reads."""
        return self.source, *self.arrays


def map_tables(site: Site, x: Tensor, found: Codewords) -> MapTables:
    """The tables of every position of a blocked map, borders included."""
    block, books = x.layout.block, by_block(found, x.layout.block, x.blocks)
    builder = Builder(block // WORD, len(found.books), flipped(site), meets_limit(site.target, books))
    copies, source = widened(site.target, x)
    arrays = Packed(packed_books(site.target, books)), Packed(numbers(site))
    build = build_function(site.target, builder, block)
    return MapTables(tuple(copies), source, arrays, build, x.blocks, x.plane, block, builder.bytes * WORD)


def blocked_tables(x: Tensor, made: MapTables, to: Operand) -> list[KernelCall]:
    """The calls that build all tables of a map: [image, block, position, bytes]."""
    parts = -(-x.plane // RUN)
    return [*made.before, KernelCall(_blocked(made, parts), (*made.operands, to), (), x.shape[0] * x.blocks * parts)]


def _blocked(made: MapTables, parts: int) -> Any:
    build, blocks, plane, block, weights, run = made.build, made.blocks, made.plane, made.block, made.books, RUN
    table = weights // WORD

    def tables(x: Any, w: Any, s: Any, t: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            whole, first = chunk // parts, chunk % parts * run
            place, left, number = whole * plane + first, plane - first, whole % blocks
            count = left if left < run else run
            build(offset(x, place * block), offset(w, number * weights), s, offset(t, place * table), count)

    return tables
