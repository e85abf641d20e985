"""Loops over elements, a register of bytes of the result at a time: rows of blocked maps, whatever their halos, plain tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgeopt.kernels.call import Declined, Tensor
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.exact import exactly
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target

Step = Callable[[Emitter, Sequence[Any], int], None]
BYTES = ("uint8", "int8")
FLAT = 16384  # elements of a plain tensor in a chunk; chosen by hand
FREE = 1 << 62  # no chunk begins as far as this


@dataclass(frozen=True)
class Rows:
    """``planes`` of ``height`` rows of ``length`` elements; origin, plane and row strides of up to two inputs and the output.

    ``steady``: the second input has one block for a whole row, which is not walked along. No plane begins beyond ``last``: the
    last one of a plain tensor ends with it.
    """

    planes: int
    height: int
    length: int
    strides: tuple[tuple[int, int, int], ...]
    steady: bool = False
    last: int = FREE


def rows_of(*tensors: Tensor, dtypes: Sequence[str] = BYTES) -> Rows:
    """The rows of tensors of one shape, all blocked or all plain; a map without halo in all operands is one row.

    Raises Declined for other layouts and element types.
    """
    first = tensors[0]
    block = first.layout.block
    if any(t.layout.block != block or t.type.dtype not in dtypes for t in tensors):
        raise Declined("its operands are not bytes in one layout")
    if not block:
        return _flat(first.elements, len(tensors))
    height, width = first.shape[2:]
    if all(t.plane == height * width for t in tensors):
        height, width = 1, height * width
    strides = tuple((t.origin * block, t.plane * block, t.row * block) for t in tensors)
    return Rows(first.shape[0] * first.blocks, height, width * block, strides)


def _flat(elements: int, count: int) -> Rows:
    """A plain tensor of ``elements`` in chunks of one row each."""
    length = min(elements, FLAT)
    return Rows(-(-elements // length), 1, length, ((0, length, 0),) * count, last=elements - length)


def spread_rows(a: Tensor, b: Tensor, y: Tensor) -> Rows:
    """The rows of plain a and y that b, whose shape is the end of theirs, is read along again and again; or one shape for all.

    Raises Declined for other broadcasts.
    """
    shape = b.shape[next((i for i, d in enumerate(b.shape) if d != 1), len(b.shape)) :]
    if a.elements != y.elements or shape != y.shape[len(y.shape) - len(shape) :]:
        raise Declined("an operand is broadcast in another way than along the last axes")
    if b.elements == y.elements:
        return rows_of(a, b, y)
    rows_of(a, y), rows_of(b)  # for their types
    return Rows(y.elements // b.elements, 1, b.elements, ((0, b.elements, 0), (0, 0, 0), (0, b.elements, 0)))


def require_vectors(target: Target, rows: Rows) -> None:
    """Raises Declined for rows that are shorter than a register of bytes and no whole vectors."""
    if rows.length < 4 * target.lanes and rows.length % target.lanes:
        raise Declined("a row is no whole vector")


def in_place(target: Target, rows: Rows) -> bool:
    """Whether no element is computed twice, so that bytes may be written over those they come from."""
    whole = rows.length % (4 * target.lanes) == 0 or rows.length < 4 * target.lanes
    return whole and (rows.last == FREE or rows.last % rows.length == 0)


def rows_function(
    target: Target, rows: Rows, step: Step, before: Callable[[Emitter, Value], Any] = lambda e, b: b
) -> Callable[..., None]:
    """The kernel ``(x, z, b, y, begin, end)`` that applies ``step`` to registers of x and z (the same as x for one input) and y.

    ``step(emitter, (x, z, b, y), parts)`` handles ``parts`` vectors of ``lanes`` bytes; b is what ``before`` makes of the pointer
    once for a row; arithmetic is rounded as it is written. Chunks are planes. Raises Declined for rows that are no whole vectors.
    """
    require_vectors(target, rows)
    run = vector_function(target, 4, lambda e, x, z, b, y: _emit(exactly(e), rows, step, x, z, before(e, b), y))
    height, last = rows.height, rows.last
    (x0, xp, xr), (z0, zp, zr), (y0, yp, yr) = rows.strides[0], rows.strides[-2], rows.strides[-1]

    def kernel(x: Any, z: Any, b: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            xc, zc, yc = x0 + min(chunk * xp, last), z0 + min(chunk * zp, last), y0 + min(chunk * yp, last)
            for i in range(height):
                run(offset(x, xc + i * xr), offset(z, zc + i * zr), b, offset(y, yc + i * yr))

    return kernel


def _emit(e: Emitter, rows: Rows, step: Step, x: Value, z: Value, b: Any, y: Value) -> None:
    unit = 4 * e.lanes
    if rows.length < unit:
        return step(e, (x, z, b, y), rows.length // e.lanes)

    def apply(place: Value) -> None:
        step(e, (e.at(x, place), z if rows.steady else e.at(z, place), b, e.at(y, place)), 4)

    def body(index: Value) -> list[Value]:
        apply(e.builder.mul(index, integer(unit)))
        return []

    e.loop(rows.length // unit, [], body)
    if rows.length % unit:  # the last register ends with the row
        apply(integer(rows.length - unit))
    return None
