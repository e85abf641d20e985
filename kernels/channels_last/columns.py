"""Gathering: the codes under the window of an output pixel, side by side in scratch memory (im2col), borders filled in.

What an inner product reads lies in the order of window row, window column, channel. ``pairs`` are widened to 16 bits on the way;
each row of a window then begins a word of four codes. For ``vectors`` unsigned codes become signed, 128 less. Results may be
written over a pixel's input as soon as it is gathered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.channels_last.products import Form
from edgeopt.kernels.channels_last.words import Words, word
from edgeopt.kernels.emit.emitter import I8, I16, I32, Value
from edgeopt.kernels.walk.plane_window import PlaneWindow

UNROLLED = 4
PLACES = (0, 2, 1, 3)  # of the codes of a word among the four of 16 bits it becomes


@dataclass(frozen=True)
class Columns:
    """A window over a map of ``height`` x ``width`` pixels of ``channels`` codes; ``zero`` stands for what lies beyond it."""

    form: Form
    window: PlaneWindow
    height: int
    width: int
    channels: int
    signed: bool
    zero: int

    @property
    def flipped(self) -> bool:
        """True when codes change sign on the way: vectors are multiplied by signed codes only."""
        return self.form == "vectors" and not self.signed

    @property
    def gathered_zero(self) -> int:
        """The zero point among the codes that are gathered."""
        return self.zero - 128 if self.flipped else self.zero

    @property
    def line(self) -> int:
        """Codes of a window row."""
        return self.window.kernel[1] * self.channels

    @property
    def row(self) -> int:
        """Codes of a window row as it is gathered."""
        return self.line + (-self.line % 4 if self.form == "pairs" else 0)

    @property
    def depth(self) -> int:
        """Codes of a window as it is gathered."""
        return self.window.kernel[0] * self.row

    def arranged(self, weight: Array) -> Array:
        """Weights [O, I, h, w] as [O, K] in the order of what is gathered."""
        moved = weight.transpose(0, 2, 3, 1)
        made = np.zeros((*moved.shape[:2], self.row), weight.dtype)
        made[:, :, : self.line] = moved.reshape(*moved.shape[:2], -1)
        return made.reshape(weight.shape[0], -1)

    def lag(self, rows: int, result_row: int) -> int:
        """Bytes by which ``rows`` of results, ``result_row`` bytes each, have to begin before the map to be written over it."""
        source = self.width * self.channels
        if self.window.kernel == self.window.strides == (1, 1) and not any(self.window.pads):
            return max(0, rows * (result_row - source))
        top, down = self.window.pads[0], self.window.strides[0]
        return max((r + 1) * result_row - max(0, r * down - top) * source for r in range(rows))

    @property
    def scale(self) -> int:
        """Bytes of a gathered code."""
        return 2 if self.form == "pairs" else 1


def gather(w: Words, g: Columns, x: Value, made: Value, row: Value, column: Value) -> None:
    """Gather the window of output pixel (``row``, ``column``) at ``made``."""
    height, (down, right), (top, left) = g.window.kernel[0], g.window.strides, g.window.pads[:2]
    first = w.add(w.mul(column, right), -left)
    start = w.add(w.mul(row, down), -top)

    def line(index: Value, here: Value, y: Value) -> list[Value]:
        place = w.at(x, w.mul(w.add(w.mul(y, g.width), first), g.channels))
        _line(w, g, place, here, y, first)
        return [w.at(here, g.row * g.scale), w.add(y, g.window.dilations[0])]

    w.loop(height, [made, start], line)


def _line(w: Words, g: Columns, place: Value, made: Value, y: Value, first: Value) -> None:
    """One row of a window: as it lies, beyond the map, or tap by tap where it reaches over a side."""
    taps, dilation = g.window.kernel[1], g.window.dilations[1]
    reach = g.width - (taps - 1) * dilation
    tall, wide = any(g.window.halo[::2]), any(g.window.halo[1::2])

    def inside() -> None:
        if dilation == 1 and not wide:
            return copy(w, g, place, made, g.line)
        if dilation == 1 and reach > 0:
            return w.when(w.below(first, reach), lambda: copy(w, g, place, made, g.line), lambda: _taps(w, g, place, made, first))
        return _taps(w, g, place, made, first)

    if not tall:
        return inside()
    return w.when(w.below(y, g.height), inside, lambda: fill(w, g, made, g.row))


def _taps(w: Words, g: Columns, place: Value, made: Value, first: Value) -> None:
    dilation = g.window.dilations[1]

    def tap(index: Value, source: Value, x: Value) -> list[Value]:
        skipped = w.mul(index, g.channels)

        def there() -> None:
            return _scattered(w, g, source, made, skipped) if _uneven(g) else copy(w, g, source, at(), g.channels)

        def beyond() -> None:
            return _scattered(w, g, None, made, skipped) if _uneven(g) else fill(w, g, at(), g.channels)

        def at() -> Value:
            return w.at(made, w.mul(skipped, g.scale))

        w.when(w.below(x, g.width), there, beyond)
        return [w.at(source, dilation * g.channels), w.add(x, dilation)]

    if _uneven(g) and g.row > g.line:
        w.store(ir.Constant(ir.IntType(64), 0), w.at(made, (g.row - 4) * 2))
    w.loop(g.window.kernel[1], [place, first], tap)


def _uneven(g: Columns) -> bool:
    """True when taps do not begin words of four codes, where such are widened."""
    return g.form == "pairs" and g.channels % 4 != 0


def _scattered(w: Words, g: Columns, source: Value | None, made: Value, skipped: Value) -> None:
    """The codes of a tap, widened one by one to where a word would have put them."""

    def one(index: Value) -> list[Value]:
        at = w.add(skipped, index)
        low = w.builder.and_(at, word(3))
        turned = w.builder.or_(w.builder.shl(w.builder.and_(low, word(1)), word(1)), w.builder.lshr(low, word(1)))
        place = w.add(w.builder.and_(at, word(-4)), turned)
        code = word(g.zero) if source is None else w.code(source, index, g.signed)
        w.store(w.builder.trunc(code, I16), made, w.mul(place, 2), 2)
        return []

    w.loop(g.channels, [], one)


def copy(w: Words, g: Columns, source: Value, made: Value, count: int) -> None:
    """``count`` codes from ``source``."""
    if g.form == "pairs":
        _by(w, count // 4, 4, 8, source, made, lambda s, m, k: _widen(w, g, w.load(I32, s, 4 * k), m, k))
        if count % 4:
            whole = count // 4
            _widen(w, g, _rest(w, source, 4 * whole, count % 4), made, whole)
    elif g.form == "vectors":
        copy_vectors(w, source, made, count, g.flipped)
    else:
        copy_bytes(w, source, made, count)


def copy_bytes(w: Words, source: Value, made: Value, count: int) -> None:
    """``count`` bytes, by words where both ends are aligned to them."""

    def by_bytes() -> None:
        _by(w, count, 1, 1, source, made, lambda s, m, k: w.store(w.load(I8, s, k), m, k))

    if count % 4 or count < 16:
        return by_bytes()
    bits = [w.builder.ptrtoint(p, I32) for p in (source, made)]
    odd = w.builder.and_(w.builder.or_(*bits), word(3))
    aligned = w.builder.icmp_unsigned("==", odd, word(0))
    words = lambda s, m, k: w.store(w.load(I32, s, 4 * k, 4), m, 4 * k, 4)  # noqa: E731
    return w.when(aligned, lambda: _by(w, count // 4, 4, 4, source, made, words), by_bytes)


def copy_vectors(w: Words, source: Value, made: Value, count: int, flipped: bool) -> None:
    """``count`` bytes, sixteen at a time, the last ones by a mask; ``flipped``: 128 less each."""
    whole, left = divmod(count, 16)
    kind = ir.VectorType(I8, 16)

    def moved(codes: Value) -> Value:
        return w.builder.xor(codes, ir.Constant(kind, [-128] * 16)) if flipped else codes

    _by(w, whole, 16, 16, source, made, lambda s, m, k: w.store(moved(w.load(kind, s, 16 * k)), m, 16 * k))
    if left:
        flags = ir.Constant(ir.VectorType(ir.IntType(1), 16), [int(i < left) for i in range(16)])
        here, there = (w.builder.bitcast(w.at(p, 16 * whole), kind.as_pointer()) for p in (source, made))
        nothing = ir.Constant(kind, [0] * 16)
        value = moved(w.call("llvm.masked.load.v16i8.p0", kind, here, word(1), flags, nothing))
        w.call("llvm.masked.store.v16i8.p0", ir.VoidType(), value, there, word(1), flags)


def fill(w: Words, g: Columns, made: Value, count: int) -> None:
    """``count`` codes of the zero point."""
    if g.form == "pairs":
        pair = word((g.gathered_zero & 0xFFFF) * 0x10001 - (1 << 32 if (g.gathered_zero & 0x8000) else 0))

        def both(s: Value, m: Value, k: int) -> None:
            w.store(pair, m, 8 * k, 4)
            w.store(pair, m, 8 * k + 4, 4)

        return _by(w, -(-count // 4), 0, 8, made, made, both)
    if g.form == "vectors":
        kind = ir.VectorType(I8, 16)
        whole = ir.Constant(kind, [g.gathered_zero] * 16)
        _by(w, count // 16, 0, 16, made, made, lambda s, m, k: w.store(whole, m, 16 * k))
        rest = w.at(made, count // 16 * 16)
        return _by(w, count % 16, 0, 1, rest, rest, lambda s, m, k: w.store(ir.Constant(I8, g.gathered_zero), m, k))
    return _by(w, count, 0, 1, made, made, lambda s, m, k: w.store(ir.Constant(I8, g.gathered_zero), m, k))


def _by(
    w: Words, count: int, step: int, made_step: int, source: Value, made: Value, one: Callable[[Value, Value, int], None]
) -> None:
    """``one(source, made, k)`` for k below ``count``, several in a loop body."""
    rounds, left = divmod(count, UNROLLED) if count > 2 * UNROLLED else (0, count)

    def body(index: Value, s: Value, m: Value) -> list[Value]:
        for k in range(UNROLLED):
            one(s, m, k)
        return [w.at(s, UNROLLED * step), w.at(m, UNROLLED * made_step)]

    if rounds:
        source, made = w.loop(rounds, [source, made], body)
    for k in range(left):
        one(source, made, k)


def _widen(w: Words, g: Columns, codes: Value, made: Value, k: int) -> None:
    for half, value in enumerate(w.widened(codes, g.signed)):
        w.store(value, made, 8 * k + 4 * half, 4)


def _rest(w: Words, source: Value, first: int, count: int) -> Value:
    """Fewer than four codes in a word, zeros behind them: nothing beyond them is read."""
    total = w.builder.zext(w.load(I8, source, first), I32)
    for i in range(1, count):
        one = w.builder.zext(w.load(I8, source, first + i), I32)
        total = w.builder.or_(total, w.builder.shl(one, word(8 * i)))
    return total
