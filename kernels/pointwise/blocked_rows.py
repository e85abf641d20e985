"""Rows of blocked maps, computed in vectors: where an operand lies, and two operands into one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgeopt.kernels.call import Tensor
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target

UNROLLED = 4  # pixels in a loop body


@dataclass(frozen=True)
class Walk:
    """Element offsets of a blocked operand: first element, strides of a channel block, a row and a pixel (0: read again)."""

    origin: int
    plane: int
    row: int
    pixel: int


@dataclass(frozen=True)
class Rows:
    """The rows of a result of ``height`` x ``width`` pixels and the walks of its operands and of itself."""

    height: int
    width: int
    block: int
    walks: tuple[Walk, ...]


def walk_of(tensor: Tensor, shape: tuple[int, ...]) -> Walk:
    """The walk of a blocked operand; a map of 1x1 is read at every pixel of ``shape``."""
    block = tensor.layout.block
    one = tensor.shape[2:] == (1, 1) and shape[2:] != (1, 1)
    steps = (0, 0) if one else (tensor.row * block, block)
    return Walk(tensor.origin * block, tensor.plane * block, *steps)


def rows_of(y: Tensor, *walks: Walk) -> Rows:
    """The rows of ``y``: one long row where no walk jumps at the end of a row."""
    (height, width), block = y.shape[2:], y.layout.block
    made = (*walks, walk_of(y, y.shape))
    if all(w.row == width * w.pixel for w in made):
        height, width = 1, height * width
    return Rows(height, width, block, made)


def combine(e: Emitter, op: str, a: Value, b: Value) -> Value:
    """``op`` of two vectors, as the operator of that name means it."""
    if op in ("Max", "Min"):
        chosen = (e.maximum if op == "Max" else e.minimum)(a, b)
        return e.builder.select(e.builder.fcmp_unordered("uno", a, a), a, chosen)
    if op == "PRelu":
        return e.builder.select(e.builder.fcmp_ordered("<", a, e.constant(0.0)), e.mul(a, b), a)
    return {"Add": e.add, "Sub": e.sub, "Mul": e.mul, "Div": e.div}[op](a, b)


def unary_rows(target: Target, row: Any, rows: Rows) -> Callable[..., None]:
    """A kernel (operand, result) of a function ``row(x, y, vectors)``; chunks are channel blocks of images."""
    height, (x, y), vectors = rows.height, rows.walks, rows.width * rows.block // target.lanes
    (x0, xc, xr), (y0, yc, yr) = ((w.origin, w.plane, w.row) for w in (x, y))

    def kernel(source: Any, result: Any, begin: Any, end: Any) -> None:
        for chunk in range(begin, end):
            for i in range(height):
                row(offset(source, x0 + chunk * xc + i * xr), offset(result, y0 + chunk * yc + i * yr), vectors)

    return kernel


def binary_rows(target: Target, op: str, rows: Rows) -> Callable[..., None]:
    """A kernel (left, right, result); chunks are channel blocks of images."""
    row = _row(target, op, rows)
    height, walks = rows.height, rows.walks
    (x0, z0, y0), (xc, zc, yc), (xr, zr, yr) = ([getattr(w, n) for w in walks] for n in ("origin", "plane", "row"))

    def kernel(x: Any, z: Any, y: Any, begin: Any, end: Any) -> None:
        for chunk in range(begin, end):
            for i in range(height):
                left, right = offset(x, x0 + chunk * xc + i * xr), offset(z, z0 + chunk * zc + i * zr)
                row(left, right, offset(y, y0 + chunk * yc + i * yr))

    return kernel


def _row(target: Target, op: str, rows: Rows) -> Any:
    lanes = tuple(range(0, rows.block, target.lanes))
    a, b, c = rows.walks

    def emit(e: Emitter, x: Value, z: Value, y: Value) -> None:
        kept = [{v: e.load(p, v) for v in lanes} if w.pixel == 0 else None for p, w in ((x, a), (z, b))]

        def pixel(at: Value) -> None:
            for v in lanes:
                operands = [
                    known[v] if known is not None else e.load(e.at(p, e.builder.mul(at, integer(w.pixel))), v)
                    for known, p, w in zip(kept, (x, z), (a, b), strict=True)
                ]
                e.store(combine(e, op, *operands), e.at(y, e.builder.mul(at, integer(c.pixel))), v)

        def several(index: Value) -> Sequence[Value]:
            first = e.builder.mul(index, integer(UNROLLED))
            for i in range(UNROLLED):
                pixel(e.builder.add(first, integer(i)))
            return []

        if rows.width >= UNROLLED:
            e.loop(rows.width // UNROLLED, [], several)
        for i in range(rows.width - rows.width % UNROLLED, rows.width):
            pixel(integer(i))

    return vector_function(target, 3, emit)
