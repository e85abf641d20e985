"""Between plain and channel-blocked tensors, and the borders of the latter: floats and codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgeopt.kernels.move.relayout import Conversion, Exchange
from edgeopt.kernels.move.relayout_bytes import Border, ByteConversion
from edgeopt.kernels.tvm.writer import (
    Value,
    Writer,
    constant,
    let,
    quotient,
    remainder,
    smaller,
    stored_type,
    transposed,
    written,
)
from edgeopt.target import Target


def border(form: Border, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """Sets the halo of every plane of blocks to the layout's fill value, zero in floats."""
    top, left, bottom, right = form.halo
    line, kind = form.row * form.block, stored_type(dtypes[0])
    value = constant(constants[0] if constants else 0.0, form.block, kind)

    def body(w: Writer, chunk: Value) -> None:
        start = let(chunk * ((top + form.height + bottom) * line))

        def clear(first: Value, blocks: int) -> None:
            with w.loop(blocks) as i:
                w.store(w.buffers[0], value, first + i * form.block)

        clear(start, top * form.row + left)
        with w.loop(form.height - 1) as i:
            clear(start + (top + 1 + i) * line - right * form.block, left + right)
        clear(start + (top + form.height) * line - right * form.block, bottom * form.row + right)

    return written(target, dtypes, body)


def conversion(form: Conversion, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """Of floats: a chunk is a vector of channels in one of ``bands`` of a map; channels that do not exist are zero."""
    g, lanes, pixels = form.exchange, target.lanes, min(target.lanes, form.exchange.width)
    vectors, across = g.blocks * g.block // lanes, -(-g.width // pixels)
    tiles = g.height * across

    def body(w: Writer, chunk: Value) -> None:
        vector, band = let(quotient(chunk, form.bands)), let(remainder(chunk, form.bands))
        image, first = let(quotient(vector, vectors)), let(remainder(vector, vectors) * lanes)
        block = quotient(image * (vectors * lanes), g.block) + quotient(first, g.block)
        blocked = let((block * g.plane + g.origin) * g.block + remainder(first, g.block))
        plain, left = let(g.base + image * g.image + first * g.apart), g.channels % lanes
        with w.loop(quotient(band * tiles, form.bands), quotient((band + 1) * tiles, form.bands)) as t:
            i, j = let(quotient(t, across)), let(smaller(remainder(t, across) * pixels, g.width - pixels))
            here, beside = let(blocked + (i * g.row + j) * g.block), let(plain + i * g.width + j)

            def some(exist: int) -> Callable[[], None]:
                return lambda: _square(w, g, (here, beside), exist, pixels)

            def rest() -> None:
                w.either(first < g.channels, some(left), some(0))

            w.either(first + lanes <= g.channels, some(lanes), rest)

    return written(target, dtypes, body)


def _square(w: Writer, g: Exchange, places: tuple[Value, Value], channels: int, pixels: int) -> None:
    """Some pixels of a vector of channels between their blocked and their plain place, transposed in registers."""
    (x, y), (blocked, plain), nothing = w.buffers, places, constant(0.0, w.lanes)
    if g.to_blocked:
        rows = [w.load_first(x, plain + c * g.apart, pixels) if c < channels else nothing for c in range(w.lanes)]
        for p, value in enumerate(transposed(list(map(let, rows)))[:pixels]):
            w.store(y, value, blocked + p * g.block)
    elif channels:
        columns = [w.load(x, blocked + p * g.block, w.lanes) if p < pixels else nothing for p in range(w.lanes)]
        for c, value in enumerate(transposed(list(map(let, columns)))[:channels]):
            w.store_first(y, value, plain + c * g.apart, pixels)


def byte_conversion(form: ByteConversion, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """Of codes: a chunk is a block of channels; those that do not exist repeat the last one."""
    g = form.geometry
    area = g.height * g.width

    def body(w: Writer, chunk: Value) -> None:
        image, group = let(quotient(chunk, g.blocks)), let(remainder(chunk, g.blocks))
        plain, last = let((image * g.channels + group * g.block) * area), let(g.channels - 1 - group * g.block)
        with w.loop(g.height) as i, w.loop(g.width) as j:
            here = let((chunk * g.plane + g.origin + i * g.row + j) * g.block)
            beside = let(plain + i * g.width + j)
            if form.blocking:
                with w.loop(g.block) as c:
                    w.store(w.buffers[1], w.load(w.buffers[0], beside + smaller(c, last) * area), here + c)
            else:
                with w.loop(smaller(g.block, last + 1)) as c:
                    w.store(w.buffers[1], w.load(w.buffers[0], here + c), beside + c * area)

    return written(target, dtypes, body)
