"""QuantGlobalAveragePool in the blocked layout: sums of codes in 32 bits, one requantisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site
from edgeopt.kernels.emit.emitter import I8, Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_operands import limits_alone, per_tensor, require_bytes
from edgeopt.kernels.integer.requantize import HEADER, LARGE, Numbers, Requantize, emit_end, parameters
from edgeopt.target import Target

TOGETHER = 4  # positions whose sums are kept apart, to hide the latency of an addition


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantGlobalAveragePool. Raises Declined for other layouts."""
    x, y, target = site.given(0), site.outputs[0], site.target
    require_bytes(x, y)
    whole = target.lanes if target.channels_last else max(8, target.lanes)
    if not x.layout.block or x.layout.block % whole or y.layout.block != x.layout.block:
        raise Declined("its operands do not lie blocked")
    (x_scale, x_zero), (y_scale, y_zero) = per_tensor(site, 1), per_tensor(site, 3)
    _, _, height, width = x.shape
    count, lanes, signed = height * width, target.lanes, x.type.dtype == "int8"
    multiplier = x_scale / (count * y_scale)
    limits, limited = limits_alone(site.node, y.type.dtype)
    how = Requantize(y.type.dtype, "", y_zero != 0, limited, 256 * count * multiplier >= LARGE)
    numbers = Numbers(np.full(lanes, -count * x_zero, np.int32), np.full(lanes, multiplier), y_zero, limits)
    geometry = (*((1, count) if x.plane == count else (height, width)), x.row, x.layout.block)
    places = tuple((t.origin * t.layout.block, t.plane * t.layout.block) for t in (x, y))
    function = _function(target, how, signed, geometry, places)
    vectors = x.shape[0] * x.blocks * x.layout.block // lanes
    operands = (Input(0), Packed(parameters(numbers, [0], lanes)), Output())
    return (KernelCall(function, operands, (), vectors),)


def _function(
    target: Target, how: Requantize, signed: bool, geometry: Sequence[int], places: Sequence[tuple[int, int]]
) -> Callable[..., None]:
    run = vector_function(target, 3, lambda e, x, b, y: _emit(e, how, signed, geometry, x, b, y))
    block, lanes, ((x_origin, x_plane), (y_origin, y_plane)) = geometry[3], target.lanes, places

    def pool(x: Any, b: Any, y: Any, begin: int, end: int) -> None:
        for v in range(begin, end):
            plane, within = v * lanes // block, v * lanes % block
            run(offset(x, x_origin + plane * x_plane + within), b, offset(y, y_origin + plane * y_plane + within))

    return pool


def _emit(e: Emitter, how: Requantize, signed: bool, geometry: Sequence[int], x: Value, b: Value, y: Value) -> None:
    height, width, row, block = geometry
    widen = e.builder.sext if signed else e.builder.zext

    def add(total: Value, place: Value, pixel: int) -> Value:
        return e.builder.add(total, widen(e.load_as(ir.VectorType(I8, e.lanes), place, pixel * block), e.int_vector))

    def line(index: Value, *sums: Value) -> list[Value]:
        here, total = e.at(x, e.builder.mul(index, integer(row * block))), list(sums)

        def several(k: Value, *parts: Value) -> list[Value]:
            place = e.at(here, e.builder.mul(k, integer(TOGETHER * block)))
            return [add(part, place, i) for i, part in enumerate(parts)]

        if width >= TOGETHER:
            total = e.loop(width // TOGETHER, total, several)
        for i in range(width - width % TOGETHER, width):
            total[i % TOGETHER] = add(total[i % TOGETHER], here, i)
        return total

    start = [e.load_as(e.int_vector, b, HEADER), *[e.integers(0)] * (TOGETHER - 1)]
    sums = e.loop(height, start, line)
    total = e.builder.add(e.builder.add(sums[0], sums[1]), e.builder.add(sums[2], sums[3]))
    multiplier = e.builder.bitcast(e.load_as(e.int_vector, b, HEADER + e.lanes), e.vector)
    emit_end(e, how, [total], [multiplier], b, [], y, [0])


KERNEL = Kernel("quant_global_pool", ("QuantGlobalAveragePool",), select, layout="blocked", last="also")
