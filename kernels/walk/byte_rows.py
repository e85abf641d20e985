"""Loops over the rows of blocked maps of bytes, a register of bytes at a time, whatever the halos of the operands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgeopt.kernels.call import Declined, Tensor
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target

Step = Callable[[Emitter, Sequence[Any], int], None]


@dataclass(frozen=True)
class Rows:
    """``planes`` blocks of channels of ``height`` rows of ``length`` bytes; origin, plane and row strides of up to two inputs and
    the output, in bytes. ``steady``: the second input has one block for a whole row, which is not walked along.
    """

    planes: int
    height: int
    length: int
    strides: tuple[tuple[int, int, int], ...]
    steady: bool = False


def rows_of(*tensors: Tensor) -> Rows:
    """The rows of maps of one shape; a map without halo in all operands is one row. Raises Declined for other layouts."""
    first = tensors[0]
    if any(not t.layout.block or t.layout.block != first.layout.block or t.type.dtype not in ("uint8", "int8") for t in tensors):
        raise Declined("its operands are not bytes in blocks of one size")
    block, (_, _, height, width) = first.layout.block, first.shape
    if all(t.plane == height * width for t in tensors):
        height, width = 1, height * width
    strides = tuple((t.origin * block, t.plane * block, t.row * block) for t in tensors)
    return Rows(first.shape[0] * first.blocks, height, width * block, strides)


def rows_function(
    target: Target, rows: Rows, step: Step, before: Callable[[Emitter, Value], Any] = lambda e, b: b
) -> Callable[..., None]:
    """The kernel ``(x, z, b, y, begin, end)`` that applies ``step`` to registers of x and z (the same as x for one input) and y.

    ``step(emitter, (x, z, b, y), parts)`` handles ``parts`` vectors of ``lanes`` bytes; b is what ``before`` makes of the pointer
    once for a row. Chunks are planes.
    """
    run = vector_function(target, 4, lambda e, x, z, b, y: _emit(e, rows, step, x, z, before(e, b), y))
    height = rows.height
    (x0, xp, xr), (z0, zp, zr), (y0, yp, yr) = rows.strides[0], rows.strides[-2], rows.strides[-1]

    def kernel(x: Any, z: Any, b: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            for i in range(height):
                left, right = offset(x, x0 + chunk * xp + i * xr), offset(z, z0 + chunk * zp + i * zr)
                run(left, right, b, offset(y, y0 + chunk * yp + i * yr))

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
