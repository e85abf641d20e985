"""MaxPool of bytes in the blocked layout: first the rows of a window, four pixels at a time, then its columns.

Windows that reach over the edge are moved onto it, where every position they then see lies in the window anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site, Temporary
from edgeopt.kernels.emit.emitter import I8, Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.walk.plane_window import plane_window
from edgeopt.target import Target

RUN = 4  # rows of output in a chunk, at least


@dataclass(frozen=True)
class Pool:
    """Geometry in pixels of ``block`` bytes: output, input and window, strides, pads, and the tensors' origins, planes, rows."""

    result: tuple[int, int]
    source: tuple[int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int]
    x: tuple[int, int, int]
    y: tuple[int, int, int]
    block: int
    run: int
    signed: bool


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a MaxPool of bytes. Raises Declined for dilated or indexed ones and other layouts."""
    x, y, node, target = site.given(0), site.outputs[0], site.node, site.target
    if x.type.dtype not in ("uint8", "int8") or not x.layout.block or x.layout.block != y.layout.block:
        raise Declined("its operands are not bytes in blocks")
    if len(node.outputs) > 1 and node.outputs[1].uses:
        raise Declined("its indices are read")
    window = plane_window(node, node.integers("kernel_shape"))
    if max(window.dilations) > 1:
        raise Declined("a dilated maximum")
    _, _, height, width = y.shape
    planes = y.shape[0] * y.blocks
    pool = Pool(
        (height, width),
        (x.shape[2], x.shape[3]),
        window.kernel,
        window.strides,
        (window.pads[0], window.pads[1]),
        (x.origin, x.plane, x.row),
        (y.origin, y.plane, y.row),
        x.layout.block,
        min(height, max(RUN, -(-height * planes // 32))),
        x.type.dtype == "int8",
    )
    line = Temporary("line", (x.shape[3] + 4) * x.layout.block, per_thread=True, dtype=x.type.dtype)
    chunks = planes * -(-height // pool.run)
    return (KernelCall(_function(target, pool), (Input(0), Output(), line), (), chunks),)


def _function(target: Target, pool: Pool) -> Callable[..., None]:
    down = vector_function(target, 3, lambda e, x, first, line: _down(e, pool, x, first, line))
    along = vector_function(target, 2, lambda e, line, y: _along(e, pool, line, y))
    (height, _), (stride, _), (pad, _), block, run = pool.result, pool.strides, pool.pads, pool.block, pool.run
    (x_origin, x_plane, _), (y_origin, y_plane, y_row), parts = pool.x, pool.y, -(-pool.result[0] // pool.run)

    def kernel(x: Any, y: Any, line: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            plane, first = chunk // parts, chunk % parts * run
            source, made = offset(x, (plane * x_plane + x_origin) * block), offset(y, (plane * y_plane + y_origin) * block)
            for i in range(first, first + run if first + run < height else height):
                down(source, i * stride - pad, line)
                along(line, offset(made, i * y_row * block))

    return kernel


def _maximum(e: Emitter, pool: Pool, a: Value, b: Value) -> Value:
    greater = e.builder.icmp_signed if pool.signed else e.builder.icmp_unsigned
    return e.builder.select(greater(">", a, b), a, b)


def _down(e: Emitter, pool: Pool, x: Value, first: Value, line: Value) -> None:
    """The maximum over the window's rows, for every pixel of a row."""
    rows = []
    for k in range(pool.kernel[0]):
        number = e.builder.add(first, integer(k))
        for test, bound in (("<", 0), (">", pool.source[0] - 1)):
            outside = e.builder.icmp_signed(test, number, integer(bound))
            number = e.builder.select(outside, integer(bound), number)
        rows.append(e.at(x, e.builder.mul(number, integer(pool.x[2] * pool.block))))
    length, unit = pool.source[1] * pool.block, 4 * e.lanes

    def step(place: Value, kind: Any) -> None:
        total = e.load_as(kind, e.at(rows[0], place))
        for row in rows[1:]:
            total = _maximum(e, pool, total, e.load_as(kind, e.at(row, place)))
        e.store(total, e.at(line, place))

    def body(index: Value) -> list[Value]:
        step(e.builder.mul(index, integer(unit)), ir.VectorType(I8, unit))
        return []

    if length >= unit:
        e.loop(length // unit, [], body)
        step(integer(length - unit), ir.VectorType(I8, unit))
    else:
        for pixel in range(pool.source[1]):
            step(integer(pixel * pool.block), ir.VectorType(I8, pool.block))


def _along(e: Emitter, pool: Pool, line: Value, y: Value) -> None:
    """The maximum over the window's columns; the first and last outputs, whose windows reach over the edge, apart."""
    (_, width), (_, source), (_, taps) = pool.result, pool.source, pool.kernel
    stride, pad, block = pool.strides[1], pool.pads[1], pool.block
    kind = ir.VectorType(I8, block)

    def output(place: Value, columns: list[int], made: Value) -> None:
        total = e.load_as(kind, place, columns[0] * block)
        for column in columns[1:]:
            total = _maximum(e, pool, total, e.load_as(kind, place, column * block))
        e.store(total, made)

    inner = [j for j in range(width) if j * stride - pad >= 0 and j * stride - pad + taps <= source]
    for j in (j for j in range(width) if j not in inner):
        columns = sorted({min(max(j * stride - pad + t, 0), source - 1) for t in range(taps)})
        output(line, columns, e.at(y, j * block))

    def body(index: Value) -> list[Value]:
        place = e.at(line, e.builder.mul(index, integer(stride * block)))
        output(
            place,
            [inner[0] * stride - pad + t for t in range(taps)],
            e.at(y, e.builder.mul(e.builder.add(index, integer(inner[0])), integer(block))),
        )
        return []

    if inner:
        e.loop(len(inner), [], body)


KERNEL = Kernel("max_pool_bytes", ("MaxPool",), select, layout="blocked")
