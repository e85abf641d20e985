"""The phases of a Winograd convolution over a block of tiles: input transform, product by positions, output transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgeopt.kernels.call import Tensor
from edgeopt.kernels.conv.winograd_plan import Plan
from edgeopt.kernels.conv.winograd_transform import transform_input, transform_output
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.walk.micro import STEPS, Loop, Tile, open_numbers, open_tile_function
from edgeopt.target import Target

Phase = Callable[..., None]


def input_phase(target: Target, plan: Plan, x: Tensor) -> Phase:
    lanes, block, row, m = target.lanes, x.layout.block, x.row * x.layout.block, plan.m
    stride, image, plane, per_block = plan.stride(plan.inputs, lanes), x.blocks * x.plane * block, x.plane * block, block // lanes
    start, count, tiles, across = (x.origin - plan.top * x.row - plan.left) * block, plan.count, plan.tiles, plan.across

    def emit(e: Emitter, source: Value, made: Value, row: Value, stride: Value) -> None:
        lines = _multiples(e, source, m + 2, row)
        values = transform_input(e, m, lambda i, j: e.load(lines[i], j * block))
        for place, value in zip(_positions(e, made, m + 2, stride), values, strict=True):
            e.store(value, place)

    transform = vector_function(target, 4, emit)

    @inline
    def phase(x: Any, v: Any, number: int, first: int, begin: int, end: int) -> None:
        for vector in range(begin, end):
            source = offset(x, start + number * image + vector // per_block * plane + vector % per_block * lanes)
            for t in range(count):
                tile = first + t if first + t < tiles else tiles - 1
                here = tile // across * m * row + tile % across * m * block
                there = ((vector // per_block * count + t) * per_block + vector % per_block) * lanes
                transform(offset(source, here), offset(v, there), row, stride)

    return phase


def product_phase(target: Target, plan: Plan, block: int) -> Phase:
    lanes, count, vectors = target.lanes, plan.count, plan.tiling.vectors
    steps = min(STEPS, block)
    left = -(-(plan.channels % block) // steps)
    loops = (Loop(-(-plan.channels // block), count * block), Loop(block // steps, steps, left if left < block // steps else 0))
    places = tuple(t * lanes for t in range(plan.tiling.pixels))
    tile = Tile(
        pixels=tuple(t * block for t in range(plan.tiling.pixels)),
        places=places,
        vectors=tuple(v * count * lanes for v in range(vectors)),
        loops=loops if block > steps else loops[:1],
        steps=tuple(range(steps)),
        bias=False,
        planes=(count * lanes, 0),
    )
    run, (step, row, plane, other) = open_tile_function(target, tile), open_numbers(tile)
    panels, pixels, across, depth = plan.outputs // vectors, plan.tiling.pixels, plan.tiling.across, loops[0].count
    from_stride, to_stride = plan.stride(plan.inputs, lanes), plan.stride(plan.outputs, lanes)
    weights = -(-plan.channels // STEPS) * STEPS * vectors * lanes
    shared, group_stride = panels // plan.group, plan.inputs // plan.group * count * lanes

    @inline
    def phase(v: Any, u: Any, m: Any, begin: int, end: int) -> None:
        for item in range(begin, end):
            start = item // panels * from_stride + item % panels // shared * group_stride
            source, panel = offset(v, start), offset(u, item * weights)
            made = offset(m, item // panels * to_stride + item % panels * vectors * count * lanes)
            for k in range(across):
                t = k * pixels if k < across - 1 else count - pixels
                to = offset(made, t * lanes)
                run(offset(source, t * block), panel, panel, panel, to, panel, depth, step, row, plane, other)

    return phase


def output_phase(target: Target, plan: Plan, y: Tensor, r: Tensor | None, act: Activation) -> Phase:
    lanes, m, stride, added = target.lanes, plan.m, plan.stride(plan.outputs, target.lanes), r or y
    block, y_row, r_row = y.layout.block, y.row * y.layout.block, added.row * y.layout.block
    per_block, y_plane, r_plane = block // lanes, y.plane * block, added.plane * block
    y_start, r_start, blocks = y.origin * block, added.origin * block, y.blocks
    height, width, count, tiles, across, adds = plan.height, plan.width, plan.count, plan.tiles, plan.across, r is not None

    uneven, numbers = height % m > 0 or width % m > 0, lanes * (2 if act.sloped else 1)

    def emit(
        e: Emitter, source: Value, bias: Value, residual: Value, made: Value, rows: Value, columns: Value, stride: Value,
        y_row: Value, r_row: Value,
    ) -> None:  # fmt: skip
        addend, slope = e.load(bias), e.load(bias, lanes) if act.sloped else None
        products = _positions(e, source, m + 2, stride)
        values = transform_output(e, m, lambda position: e.load(products[position]))
        lines = list(zip(_multiples(e, residual, m, r_row), _multiples(e, made, m, y_row), strict=True))
        for i, k in ((i, k) for i in range(m) for k in range(m)):
            places = [e.at(line, k * block) for line in lines[i]]
            if uneven:
                inside = e.builder.and_(_below(e, i, rows), _below(e, k, columns))
                places = [e.builder.select(inside, place, source) for place in places]
            value = e.add(values[i][k], addend)
            value = e.add(value, e.load(places[0])) if adds else value
            e.store(act.apply(e, value, slope), places[1])

    transform = vector_function(target, 9, emit)

    @inline
    def phase(source: Any, b: Any, r: Any, y: Any, number: int, first: int, begin: int, end: int) -> None:
        for vector in range(begin, end):
            plane, within = number * blocks + vector // per_block, vector % per_block * lanes
            for t in range(count if first + count < tiles else tiles - first):
                i, j = (first + t) // across * m, (first + t) % across * m
                transform(
                    offset(source, (vector * count + t) * lanes),
                    offset(b, vector * numbers),
                    offset(r, plane * r_plane + r_start + within + i * r_row + j * block),
                    offset(y, plane * y_plane + y_start + within + i * y_row + j * block),
                    height - i,
                    width - j,
                    stride,
                    y_row,
                    r_row,
                )

    return phase


def _multiples(e: Emitter, pointer: Value, count: int, stride: Value) -> list[Value]:
    """``count`` pointers, ``stride`` elements apart."""
    return [e.at(pointer, e.builder.mul(stride, integer(i))) for i in range(count)]


def _positions(e: Emitter, pointer: Value, size: int, stride: Value) -> list[Value]:
    """Pointers to ``size`` x ``size`` positions, row by row, ``stride`` elements apart: those of rows, and steps they share."""
    steps = [e.builder.mul(stride, integer(j)) for j in range(size)]
    return [e.at(e.at(pointer, e.builder.mul(stride, integer(size * i))), step) for i in range(size) for step in steps]


def _below(e: Emitter, index: int, count: Value) -> Value:
    return e.builder.icmp_signed("<", integer(index), count)
