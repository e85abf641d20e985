"""Conversions of tensors of 8 and 16 bits between the plain and the channel-blocked layout, and their borders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from llvmlite import ir

from edgeopt.kernels.call import Input, KernelCall, Output, Tensor
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.lane_transpose import LANE, Tile, emit_tile, whole_rows
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.move.transposed import tile_function
from edgeopt.kernels.stated import stating
from edgeopt.target import Target

UNROLLED = 8  # stores in a loop body


def to_blocked(made: Tensor, target: Target) -> KernelCall:
    """Plain N, C, H, W to blocked; lanes beyond C repeat the last channel, the halo is left to ``fill_halo``."""
    return KernelCall(_to_blocked(target, _geometry(made)), (Input(0), Output(0)), (), made.shape[0] * made.blocks)


def to_plain(source: Tensor, target: Target) -> KernelCall:
    """Blocked to plain N, C, H, W."""
    return KernelCall(_to_plain(target, _geometry(source)), (Input(0), Output(0)), (), source.shape[0] * source.blocks)


@dataclass(frozen=True)
class Geometry:
    """A map of ``height`` x ``width`` positions (a plane without halo is one row) and its blocks, in elements of ``bits``."""

    bits: int
    channels: int
    height: int
    width: int
    block: int
    blocks: int
    row: int
    plane: int
    origin: int

    @property
    def left(self) -> int:
        """Channels in the last block."""
        return self.channels - (self.blocks - 1) * self.block

    def positions(self, target: Target) -> int:
        """Neighbouring positions of a tile."""
        return min(whole_rows(target, self.bits), 1 << self.width.bit_length() - 1)


@dataclass(frozen=True)
class ByteConversion:
    """The form of a conversion (x, y), to blocks where it is ``blocking``: chunk = a block of channels of an image."""

    geometry: Geometry
    blocking: bool


@dataclass(frozen=True)
class Border:
    """The form of what fills a ``halo`` around planes of ``height`` rows, ``row`` blocks with their halo: chunk = a plane."""

    block: int
    halo: tuple[int, int, int, int]
    row: int
    height: int


def _geometry(t: Tensor) -> Geometry:
    _, channels, height, width = t.shape
    if t.plane == height * width:
        height, width = 1, height * width
    return Geometry(_bits(t), channels, height, width, t.layout.block, t.blocks, t.row, t.plane, t.origin)


def _bits(t: Tensor) -> int:
    return 16 if t.type.dtype.endswith("16") else 8


@cache
def _to_blocked(target: Target, g: Geometry) -> Callable[..., None]:
    positions, area = g.positions(target), g.height * g.width
    columns = tuple(p * g.block for p in range(positions))

    def tile(channels: int) -> Any:
        rows = tuple(min(c, channels - 1) * area for c in range(g.block))
        return tile_function(target, Tile(g.bits, rows, positions, columns))

    return _walk(g, positions, tile(g.block), tile(g.left), True)


@cache
def _to_plain(target: Target, g: Geometry) -> Callable[..., None]:
    positions, area = g.positions(target), g.height * g.width
    lane = LANE // g.bits

    def tile(first: int, channels: int) -> Any:
        rows = tuple(p * g.block + first for p in range(positions))
        columns = tuple(c * area for c in range(first, min(channels, first + width)))
        return Tile(g.bits, rows, width, columns)

    width = min(lane, g.block)
    whole, last = ([tile(first, count) for first in range(0, count, width)] for count in (g.block, g.left))
    return _walk(g, positions, _several(target, whole), _several(target, last), False)


def _several(target: Target, tiles: Sequence[Tile]) -> Any:
    def emit(e: Emitter, x: Value, y: Value) -> None:
        for tile in tiles:
            emit_tile(e, x, y, tile)

    return vector_function(target, 2, emit)


def _walk(g: Geometry, positions: int, whole: Any, last: Any, blocking: bool) -> Callable[..., None]:
    """Tiles of ``positions`` over each row of a plane; the last one of a row ends where the row does."""
    area, across, edge = g.height * g.width, -(-g.width // positions), g.width - positions
    channels, width, block, blocks, row, plane, origin = g.channels, g.width, g.block, g.blocks, g.row, g.plane, g.origin

    def convert(x: Any, y: Any, begin: Any, end: Any) -> None:
        for chunk in range(begin, end):
            image, group = chunk // blocks, chunk % blocks
            for t in range(g_height * across):
                i, j = t // across, t % across * positions
                j = j if j < edge else edge
                blocked = (chunk * plane + origin + i * row + j) * block
                plain = (image * channels + group * block) * area + i * width + j
                source = offset(x, plain if blocking else blocked)
                target = offset(y, blocked if blocking else plain)
                if group < blocks - 1:
                    whole(source, target)
                else:
                    last(source, target)

    g_height = g.height
    return stating(convert, ByteConversion(g, blocking))


def fill_halo(made: Tensor, target: Target) -> KernelCall:
    """Set the border of a blocked tensor to its layout's fill value."""
    layout, height, bits = made.layout, made.shape[2], _bits(made)
    function = _fill(target, layout.block, layout.halo, made.row, height, bits)
    return KernelCall(function, (Output(0),), (layout.fill,), made.shape[0] * made.blocks)


@cache
def _fill(target: Target, block: int, halo: tuple[int, int, int, int], row: int, height: int, bits: int) -> Callable[..., None]:
    top, left, bottom, right = halo
    head, tail = (_store(target, block, count, bits) for count in (top * row + left, bottom * row + right))
    between = _store(target, block, left + right, bits)
    plane, start, stride = (top + height + bottom) * row * block, (top * row + row - right) * block, row * block
    final = plane - (bottom * row + right) * block

    def fill(y: Any, begin: int, end: int, value: int) -> None:
        for chunk in range(begin, end):
            base = offset(y, chunk * plane)
            head(base, value)
            for i in range(height - 1):
                between(offset(base, start + i * stride), value)
            tail(offset(base, final), value)

    return stating(fill, Border(block, halo, row, height))


def _store(target: Target, block: int, count: int, bits: int) -> Any:
    """Sets ``count`` blocks of codes of ``bits`` bits to one value."""

    def emit(e: Emitter, y: Value, value: Value) -> None:
        kind = ir.VectorType(ir.IntType(bits), block)
        first = e.builder.insert_element(ir.Constant(kind, ir.Undefined), e.builder.trunc(value, kind.element), integer(0))
        vector = e.shuffle(first, first, [0] * block)

        def several(index: Value) -> list[Value]:
            here = e.at(y, e.builder.mul(index, integer(UNROLLED * block)))
            for v in range(UNROLLED):
                e.store(vector, here, v * block)
            return []

        if count >= UNROLLED:
            e.loop(count // UNROLLED, [], several)
        for v in range(count - count % UNROLLED, count):
            e.store(vector, y, v * block)

    return vector_function(target, 2, emit)
