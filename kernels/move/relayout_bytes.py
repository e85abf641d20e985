"""Conversions of tensors of 8 and 16 bits between the plain and the channel-blocked layout, and their borders."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import ir

from edgeopt.kernels.call import Input, KernelCall, Output, Tensor
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target

UNROLLED = 8  # stores in a loop body


def _to_blocked(
    x: Any, y: Any, begin: Any, end: Any, channels: Any, height: Any, width: Any, block: Any, blocks: Any, origin: Any, row: Any,
    plane: Any,
) -> None:  # fmt: skip
    for chunk in range(begin, end):
        image, first = chunk // blocks, chunk % blocks * block
        for c in range(block):
            source = offset(x, (image * channels + min(first + c, channels - 1)) * height * width)
            target = offset(y, (chunk * plane + origin) * block + c)
            for i in range(height):
                for j in range(width):
                    target[(i * row + j) * block] = source[i * width + j]


def _to_plain(
    x: Any, y: Any, begin: Any, end: Any, channels: Any, height: Any, width: Any, block: Any, blocks: Any, origin: Any, row: Any,
    plane: Any,
) -> None:  # fmt: skip
    for chunk in range(begin, end):
        image, first = chunk // blocks, chunk % blocks * block
        for c in range(min(block, channels - first)):
            source = offset(x, (chunk * plane + origin) * block + c)
            target = offset(y, (image * channels + first + c) * height * width)
            for i in range(height):
                for j in range(width):
                    target[i * width + j] = source[(i * row + j) * block]


def to_blocked(made: Tensor) -> KernelCall:
    """Plain N, C, H, W to blocked; lanes beyond C repeat the last channel, the halo is left to ``fill_halo``."""
    return KernelCall(_to_blocked, (Input(0), Output(0)), _geometry(made), made.shape[0] * made.blocks)


def to_plain(source: Tensor) -> KernelCall:
    """Blocked to plain N, C, H, W."""
    return KernelCall(_to_plain, (Input(0), Output(0)), _geometry(source), source.shape[0] * source.blocks)


def _geometry(t: Tensor) -> tuple[int, ...]:
    return (*t.shape[1:], t.layout.block, t.blocks, t.origin, t.row, t.plane)


def fill_halo(made: Tensor, target: Target) -> KernelCall:
    """Set the border of a blocked tensor to its layout's fill value."""
    layout, height, bits = made.layout, made.shape[2], 16 if made.type.dtype.endswith("16") else 8
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

    return fill


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
