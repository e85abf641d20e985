"""DynamicQuantizeLinear in plain and blocked layout: one pass over x finds its range, another makes the codes.

scale = (max(x, 0) - min(x, 0)) / 255, or 1 where x is all zero
zero = round(-min(x, 0) / scale),    y = saturate(round(x / scale) + zero)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site, Temporary, Tensor
from edgeopt.kernels.emit.elements import require, static
from edgeopt.kernels.emit.emit_bytes import narrow, round_to_int, store_parts
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset, rint
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target

SPAN = 1 << 14  # elements of a plain tensor in a chunk


@dataclass(frozen=True)
class Spans:
    """``chunks`` of ``rows`` runs of ``length`` elements; the origin and the strides of chunks and rows, in x and in y.

    The last chunk of a plain tensor is moved back to end with it: it begins at ``final`` at most. Of each ``blocks``-th chunk
    only the first ``valid`` of ``block`` neighbours exist.
    """

    chunks: int
    rows: int
    length: int
    final: int
    x: tuple[int, int, int]
    y: tuple[int, int, int]
    blocks: int = 1
    block: int = 1
    valid: int = 1


def _plain(site: Site) -> Spans:
    total = site.given(0).elements
    length = min(total, SPAN)
    return Spans(-(-total // length), 1, length, total - length, (0, length, 0), (0, length, 0))


def _blocked(site: Site) -> Spans:
    x, y = site.given(0), site.outputs[0]
    block, flat = x.layout.block, x.plane == y.plane == x.shape[2] * x.shape[3]
    if not block or y.layout.block != block or block % site.target.lanes:
        raise Declined("its operands do not lie in blocks of one size")
    rows, width = (1, x.plane) if flat else x.shape[2:]
    left = x.shape[1] % block or block
    return Spans(x.shape[0] * x.blocks, rows, width * block, 1 << 62, _strides(x), _strides(y), x.blocks, block, left)


def _strides(t: Tensor) -> tuple[int, int, int]:
    return t.origin * t.layout.block, t.plane * t.layout.block, t.row * t.layout.block


def _select(site: Site, spans_of: Callable[[Site], Spans]) -> tuple[KernelCall, ...]:
    x = site.given(0)
    static(x, *site.outputs)
    require(x, "float32")
    if not x.elements:
        raise Declined("it is empty")
    spans, target = spans_of(site), site.target
    block, plane = x.layout.block, x.plane * x.layout.block if x.layout.block else 0
    seen = replace(spans, rows=1, length=plane, x=(0, plane, 0)) if block else spans  # with the border, which holds zeros
    extremes = Temporary("extremes", 2 * spans.chunks)
    return (
        KernelCall(_range(target, seen), (Input(0), extremes), (), spans.chunks),
        KernelCall(_grid, (extremes, Output(1), Output(2)), (spans.chunks,)),
        KernelCall(_codes(target, spans), (Input(0), Output(1), Output(2), Output(0)), (), spans.chunks),
    )


def _range(target: Target, spans: Spans) -> Callable[..., None]:
    whole, last = (_range_function(target, spans, valid) for valid in (spans.block, spans.valid))
    rows, final, blocks = spans.rows, spans.final, spans.blocks
    first, stride, row = spans.x

    def measure(x: Any, extremes: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            place, found = chunk * stride, offset(extremes, 2 * chunk)
            found[0], found[1] = np.float32(0), np.float32(0)
            for i in range(rows):
                here = offset(x, first + (place if place < final else final) + i * row)
                if chunk % blocks == blocks - 1:
                    last(here, found)
                else:
                    whole(here, found)

    return measure


def _range_function(target: Target, spans: Spans, valid: int) -> Any:
    """``(x, found)``: the least and the greatest of a run and of what is found already."""

    def emit(e: Emitter, x: Value, found: Value) -> None:
        exists = [int(i % spans.block < valid) for i in range(e.lanes)]
        mask = ir.Constant(ir.VectorType(ir.IntType(1), e.lanes), exists)

        def step(place: Value, vectors: list[Value], counts: list[int]) -> list[Value]:
            loaded = [e.load_first(e.at(e.at(x, place), i * e.lanes), count) for i, count in enumerate(counts)]
            loaded = loaded if all(exists) else [e.builder.select(mask, v, e.constant(0.0)) for v in loaded]
            for i, value in enumerate(loaded):
                vectors[2 * i] = e.minimum(value, vectors[2 * i])
                vectors[2 * i + 1] = e.maximum(value, vectors[2 * i + 1])
            return vectors

        vectors = _walk(e, spans.length, [e.constant(0.0)] * 8, step)
        for index, join in ((0, e.minimum), (1, e.maximum)):
            value = join(join(vectors[index], vectors[index + 2]), join(vectors[index + 4], vectors[index + 6]))
            _join(e, join, value, e.at(found, index))

    return vector_function(target, 2, emit)


def _join(e: Emitter, join: Callable[[Value, Value], Value], vector: Value, place: Value) -> None:
    """``place`` joined with all lanes of ``vector``."""
    scalar = e.builder.load(place)
    for lane in range(e.lanes):
        scalar = join(e.builder.extract_element(vector, ir.Constant(ir.IntType(32), lane)), scalar)
    e.builder.store(scalar, place)


Step = Callable[[Value, list[Value], list[int]], list[Value]]


def _walk(e: Emitter, length: int, carried: list[Value], step: Step) -> list[Value]:
    """Four vectors at a time over ``length`` elements; the last four end with them, a run of less is cut short."""
    unit = 4 * e.lanes
    if length < unit:
        return step(integer(0), carried, [min(e.lanes, length - first) for first in range(0, length, e.lanes)])
    full = [e.lanes] * 4
    carried = e.loop(length // unit, carried, lambda i, *v: step(e.builder.mul(i, integer(unit)), list(v), full))
    return step(integer(length - unit), carried, full) if length % unit else carried


def _grid(extremes: Any, scale: Any, zero: Any, begin: Any, end: Any, chunks: Any) -> None:
    for _ in range(begin, end):
        low, high = np.float32(0), np.float32(0)
        for i in range(chunks):
            low, high = min(low, extremes[2 * i]), max(high, extremes[2 * i + 1])
        step = (high - low) / np.float32(255) if high > low else np.float32(1)
        scale[0] = step
        zero[0] = np.int32(max(min(rint(-low / step), np.float32(255)), np.float32(0)))


def _codes(target: Target, spans: Spans) -> Callable[..., None]:
    run = _codes_function(target, spans.length)
    rows, final = spans.rows, spans.final
    (x0, xp, xr), (y0, yp, yr) = spans.x, spans.y

    def quantize(x: Any, scale: Any, zero: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            left, right = chunk * xp, chunk * yp
            for i in range(rows):
                source = offset(x, x0 + (left if left < final else final) + i * xr)
                run(source, scale, zero, offset(y, y0 + (right if right < final else final) + i * yr))

    return quantize


def _codes_function(target: Target, length: int) -> Any:
    """``(x, scale, zero, y)``: the codes of a run."""

    def emit(e: Emitter, x: Value, scale: Value, zero: Value, y: Value) -> None:
        divisor, middle = e.broadcast(scale), e.splat(e.builder.zext(e.builder.load(zero), ir.IntType(32)))
        low = e.builder.sitofp(e.builder.sub(e.integers(0), middle), e.vector)
        high = e.builder.sitofp(e.builder.sub(e.integers(255), middle), e.vector)

        def code(place: Value, i: int, count: int) -> Value:
            value = e.div(e.load_first(e.at(e.at(x, place), i * e.lanes), count), divisor)
            return e.builder.add(round_to_int(e, e.minimum(e.maximum(value, low), high)), middle)

        def step(place: Value, carried: list[Value], counts: list[int]) -> list[Value]:
            codes = narrow(e, [code(place, i, count) for i, count in enumerate(counts)], None, signed=False)
            whole = [i * e.lanes for i, count in enumerate(counts) if count == e.lanes]
            store_parts(e, codes, e.at(y, place), whole)
            for lane in range(len(whole) * e.lanes, sum(counts)):
                e.store(e.builder.extract_element(codes, ir.Constant(ir.IntType(32), lane)), e.at(y, place), lane)
            return carried

        _walk(e, length, [], step)

    return vector_function(target, 4, emit)


OPS = ("DynamicQuantizeLinear",)
KERNELS = (
    Kernel("dynamic_quantize_blocked", OPS, lambda site: _select(site, _blocked), layout="blocked"),
    Kernel("dynamic_quantize", OPS, lambda site: _select(site, _plain)),
)
