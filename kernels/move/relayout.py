"""Conversions between the plain and the channel-blocked layout, and the zero border of blocked tensors.

A tile of ``lanes`` channels x ``lanes`` positions is transposed in registers. Rows shorter than a vector use masks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from edgeopt.kernels.call import Input, KernelCall, Output, Tensor
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.move import channels_order, relayout_bytes
from edgeopt.kernels.stated import stating
from edgeopt.target import Target

CHUNKS, CRUMB = 16, 32  # chunks of a call, about; tiles below which a chunk is not worth a claim


@dataclass(frozen=True)
class Exchange:
    """Geometry of a conversion: a map of ``height`` x ``width`` positions (a plane without halo is one row), element strides.

    In the plain tensor channels lie ``apart`` elements from each other, images ``image``, the first after ``base``; in the
    blocked one ``origin`` is the position where the first begins.
    """

    channels: int
    height: int
    width: int
    block: int
    blocks: int
    row: int
    plane: int
    origin: int
    to_blocked: bool
    apart: int
    image: int
    base: int = 0


@dataclass(frozen=True)
class Conversion:
    """The form of a conversion (x, y): chunk = one of ``bands`` of the map of a vector of channels of an image."""

    exchange: Exchange
    bands: int


def to_blocked(source: Tensor, made: Tensor, target: Target) -> KernelCall:
    """Plain N, C, H, W to blocked; lanes beyond C are set to zero, the halo is left to ``fill_halo``."""
    if target.channels_last and source.type.dtype in ("int8", "uint8"):
        return channels_order.exchange(made, True)
    if source.type.dtype != "float32":
        return relayout_bytes.to_blocked(made, target)
    return _call(target, _exchange(made, True), source.shape[0])


def to_plain(source: Tensor, made: Tensor, target: Target) -> KernelCall:
    """Blocked to plain N, C, H, W."""
    if target.channels_last and source.type.dtype in ("int8", "uint8"):
        return channels_order.exchange(source, False)
    if source.type.dtype != "float32":
        return relayout_bytes.to_plain(source, target)
    return _call(target, _exchange(source, False), made.shape[0])


def _exchange(t: Tensor, direction: bool) -> Exchange:
    _, channels, height, width = t.shape
    if t.plane == height * width:
        height, width = 1, height * width
    area = height * width
    return Exchange(channels, height, width, t.layout.block, t.blocks, t.row, t.plane, t.origin, direction, area, channels * area)


def slices(target: Target, maps: Tensor, taken: range, depth: int, base: int, blocking: bool) -> KernelCall:
    """Slices of a plain volume C, ``depth``, H, W, which begins at element ``base``, <-> images ``taken`` of blocked ``maps``."""
    g = _exchange(maps, blocking)
    origin = g.origin + taken.start * g.blocks * g.plane
    return _call(target, replace(g, origin=origin, apart=depth * g.apart, image=g.apart, base=base), len(taken))


def _call(target: Target, exchange: Exchange, images: int) -> KernelCall:
    vectors = images * exchange.blocks * exchange.block // target.lanes
    tiles = exchange.height * -(-exchange.width // min(target.lanes, exchange.width))
    bands = max(1, min(CHUNKS // vectors, tiles // CRUMB))
    return KernelCall(_function(target, exchange, bands), (Input(0), Output(0)), (), vectors * bands)


def _function(target: Target, g: Exchange, bands: int) -> Callable[..., None]:
    lanes, pixels = target.lanes, min(target.lanes, g.width)
    full, left = _square(target, g, lanes, pixels), g.channels % lanes
    partial, empty = _square(target, g, left, pixels), _square(target, g, 0, pixels)
    height, width, block, row, plane, origin = g.height, g.width, g.block, g.row, g.plane, g.origin
    channels, vectors, across, direction = g.channels, g.blocks * block // lanes, -(-width // pixels), g.to_blocked
    apart, each, base, tiles = g.apart, g.image, g.base, height * across

    def convert(x: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            image, first = chunk // bands // vectors, chunk // bands % vectors * lanes
            blocked = ((image * vectors * lanes // block + first // block) * plane + origin) * block + first % block
            plain = base + image * each + first * apart
            for tile in range(chunk % bands * tiles // bands, (chunk % bands + 1) * tiles // bands):
                i, t = tile // across, tile % across
                j = t * pixels if t * pixels < width - pixels else width - pixels
                here, there = blocked + (i * row + j) * block, plain + i * width + j
                source = offset(x, there if direction else here)
                target = offset(y, here if direction else there)
                if first + lanes <= channels:
                    full(source, target)
                elif first < channels:
                    partial(source, target)
                else:
                    empty(source, target)

    return stating(convert, Conversion(g, bands))


def _square(target: Target, g: Exchange, channels: int, pixels: int) -> Any:
    area, block, to_blocked = g.apart, g.block, g.to_blocked  # and no more, so that one function serves many maps

    def emit(e: Emitter, x: Value, y: Value) -> None:
        if to_blocked:
            rows = [e.load_first(e.at(x, c * area), pixels) if c < channels else e.constant(0.0) for c in range(e.lanes)]
            for p, value in enumerate(e.transpose(rows)[:pixels]):
                e.store(value, y, p * block)
        elif channels:
            columns = [e.load(x, p * block) if p < pixels else e.constant(0.0) for p in range(e.lanes)]
            for c, value in enumerate(e.transpose(columns)[:channels]):
                e.store_first(value, e.at(y, c * area), pixels)

    return vector_function(target, 2, emit)


def fill_halo(made: Tensor, target: Target) -> KernelCall:
    """Set the border of a blocked tensor: zeros, or the fill value of integers."""
    if made.type.dtype != "float32":
        return relayout_bytes.fill_halo(made, target)
    layout, height = made.layout, made.shape[2]
    return KernelCall(_fill(target, layout.block, layout.halo, made.row, height), (Output(0),), (), made.shape[0] * made.blocks)


def _fill(target: Target, block: int, halo: tuple[int, int, int, int], row: int, height: int) -> Callable[..., None]:
    top, left, bottom, right = halo
    sides = right + left
    ends = _zeros(target, (top * row + left) * block), _zeros(target, (bottom * row + right) * block)
    first, last, between = ends[0], ends[1], _zeros(target, sides * block)
    plane, start, stride = (top + height + bottom) * row * block, (top * row + row - right) * block, row * block
    final = plane - (bottom * row + right) * block

    def fill(y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            base = offset(y, chunk * plane)
            first(base)
            for i in range(height - 1):
                between(offset(base, start + i * stride))
            last(offset(base, final))

    return stating(fill, relayout_bytes.Border(block, halo, row, height))


def _zeros(target: Target, count: int) -> Any:
    """Clears ``count`` elements, a multiple of the vector's."""
    unrolled = 8

    def emit(e: Emitter, y: Value) -> None:
        vectors, zero = count // e.lanes, e.constant(0.0)

        def several(index: Value) -> list[Value]:
            here = e.at(y, e.builder.mul(index, integer(unrolled * e.lanes)))
            for v in range(unrolled):
                e.store(zero, here, v * e.lanes)
            return []

        if vectors >= unrolled:
            e.loop(vectors // unrolled, [], several)
        for v in range(vectors - vectors % unrolled, vectors):
            e.store(zero, y, v * e.lanes)

    return vector_function(target, 1, emit)
