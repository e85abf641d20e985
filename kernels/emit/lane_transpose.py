"""Small transpositions in registers, for elements of 8 to 64 bits: rows are zipped within 128-bit lanes.

Zips within lanes are single instructions on x86 (``punpck``) and Arm (``zip``); ``log2(rows)`` rounds of them transpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llvmlite import ir

from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.target import Target

LANE = 128  # bits


@dataclass(frozen=True)
class Tile:
    """Rows of ``width`` neighbouring elements at offsets ``rows`` of the source; column c goes to offset ``columns[c]``.

    The elements of a column lie side by side in the order of the rows. The number of rows and ``width`` are powers of two;
    columns beyond those listed are read and dropped.
    """

    bits: int
    rows: tuple[int, ...]
    width: int
    columns: tuple[int, ...]


def whole_rows(target: Target, bits: int) -> int:
    """The elements of a register: the greatest width of a tile, and the greatest number of rows of a narrow one."""
    return 8 * target.vector_bytes // bits


def emit_tile(e: Emitter, x: Value, y: Value, tile: Tile) -> None:
    """Read the tile at ``x`` and write its columns at ``y``."""
    lane = LANE // tile.bits
    if tile.bits == 32 and tile.width == len(tile.rows) == e.lanes:
        return _square(e, x, y, tile)
    if tile.width <= lane:
        return _narrow(e, x, y, tile)
    for first in range(0, len(tile.rows), lane):
        rows = tile.rows[first : first + lane]
        columns = zipped(e, [_load(e, x, tile, row) for row in rows])
        for number, value in enumerate(columns):
            for part in range(tile.width // lane):
                _store_lane(e, value, part, e.at(y, first), tile, part * lane + number * (lane // len(rows)), len(rows))


def _square(e: Emitter, x: Value, y: Value, tile: Tile) -> None:
    columns = e.transpose([e.load_as(e.int_vector, x, row) for row in tile.rows])
    for place, column in zip(tile.columns, columns, strict=False):
        e.store(column, y, place)


def _narrow(e: Emitter, x: Value, y: Value, tile: Tile) -> None:
    """Rows of at most a lane, several of them in the lanes of one register, so that columns are stored whole."""
    lane = LANE // tile.bits
    count = min(lane, len(tile.rows))
    groups = [[_load(e, x, tile, row) for row in tile.rows[i::count]] for i in range(count)]
    columns = zipped(e, [joined(e, group) for group in groups])
    for number, value in enumerate(columns):
        if len(tile.rows) > lane:
            if number < len(tile.columns):
                _put(e, value, y, tile.columns[number])
        else:
            _store_lane(e, value, 0, y, tile, number * (lane // count), count)


def zipped(e: Emitter, rows: Sequence[Value]) -> list[Value]:
    """Rows (a power of two) transposed within 128-bit lanes; with few rows a lane of a result holds several columns."""
    made, half = list(rows), len(rows) // 2
    for _ in range(len(rows).bit_length() - 1):
        made = [part for i in range(half) for part in _zip(e, made[i], made[i + half])]
    return made


def joined(e: Emitter, parts: Sequence[Value]) -> Value:
    """Vectors (a power of two of them) one after the other in one."""
    made = list(parts)
    while len(made) > 1:
        size = made[0].type.count
        made = [e.shuffle(a, b, range(2 * size)) for a, b in zip(made[::2], made[1::2], strict=True)]
    return made[0]


def _zip(e: Emitter, a: Value, b: Value) -> tuple[Value, Value]:
    count, lane = a.type.count, LANE // a.type.element.width
    low = [first + k // 2 + k % 2 * count for first in range(0, count, lane) for k in range(lane)]
    return e.shuffle(a, b, low), e.shuffle(a, b, [place + lane // 2 for place in low])


def _load(e: Emitter, x: Value, tile: Tile, row: int) -> Value:
    """A row, filled up to a lane with anything."""
    element = ir.IntType(tile.bits)
    kind, lane = ir.VectorType(element, tile.width), LANE // tile.bits
    if tile.width * tile.bits > 64:
        value = e.load_as(kind, x, row)
    else:
        place = e.builder.bitcast(e.at(x, row), ir.IntType(tile.width * tile.bits).as_pointer())
        value = e.builder.bitcast(e.builder.load(place, align=tile.bits // 8), kind)
    return value if tile.width >= lane else e.shuffle(value, value, [min(i, tile.width - 1) for i in range(lane)])


def _store_lane(e: Emitter, value: Value, part: int, y: Value, tile: Tile, first: int, rows: int) -> None:
    """Store one lane of ``value``: columns ``first`` and on, of ``rows`` elements each; in one piece if they are neighbours."""
    lane = LANE // tile.bits
    places = tile.columns[first : first + lane // rows]
    start = part * lane
    if len(places) == lane // rows and all(p == places[0] + rows * i for i, p in enumerate(places)):
        return _put(e, e.shuffle(value, value, range(start, start + lane)), y, places[0])
    for index, place in enumerate(places):
        _put(e, e.shuffle(value, value, range(start + index * rows, start + (index + 1) * rows)), y, place)


def _put(e: Emitter, value: Value, y: Value, place: int) -> None:
    bits = value.type.count * value.type.element.width
    if bits > 64:
        return e.store(value, y, place)
    whole = e.builder.bitcast(value, ir.IntType(bits))
    target = e.builder.bitcast(e.at(y, place), whole.type.as_pointer())
    e.builder.store(whole, target, align=value.type.element.width // 8)
