"""Integer depthwise convolution of maps that lie channels last, over a ring of gathered rows, so that it may be done in place.

The rows under a window lie in scratch memory, widened by the border; for each row of results the oldest are replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site, Temporary
from edgeopt.kernels.channels_last.columns import Columns, copy, fill
from edgeopt.kernels.channels_last.conv import require_last
from edgeopt.kernels.channels_last.depthwise_sums import Form, Taps, arranged, emit_pixels, taps_of
from edgeopt.kernels.channels_last.depthwise_vectors import ordered, serves
from edgeopt.kernels.channels_last.ending import Ending, ending_of
from edgeopt.kernels.channels_last.words import Words, word
from edgeopt.kernels.emit.emitter import Value
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import VectorFunction
from edgeopt.kernels.integer.quant_operands import RESIDUAL, centred, ending, per_tensor
from edgeopt.kernels.walk.plane_window import plane_window
from edgeopt.target import Target


@dataclass(frozen=True)
class Ring:
    """A depthwise layer: its map and window, and how the sums of a row of ``across`` pixels are taken and end."""

    columns: Columns
    taps: Taps
    end: Ending
    rows: int
    across: int

    @property
    def line(self) -> int:
        """Bytes of a row in the ring, with its border: as many pixels as the last tile of windows reads."""
        return self.taps.width * self.columns.channels

    @property
    def lag(self) -> int:
        """Bytes by which the result has to begin before the map to be written over it: rows are fetched before."""
        window, row = self.columns.window, self.columns.width * self.columns.channels
        fetched = [min(self.columns.height, r * window.strides[0] - window.pads[0] + window.kernel[0]) for r in range(self.rows)]
        made = self.across * self.end.outputs * self.end.result_bytes
        return max(0, *((r + 1) * made - max(0, f) * row for r, f in enumerate(fetched)))

    @property
    def scratch_bytes(self) -> int:
        """Bytes of the ring, with what the last vector reads beyond it."""
        return self.columns.window.kernel[0] * self.line + 16


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantConv whose groups hold one channel each. Raises Declined for others."""
    require_last(site)
    x, y, weight, target = site.given(0), site.outputs[0], centred(site, 0), site.target
    if weight.shape[1] != 1 or not weight.shape[0] == site.node.integer("group", 1) == x.shape[1]:
        raise Declined("it is not depthwise")
    window, zero = plane_window(site.node, weight.shape[2:]), per_tensor(site, 1)[1]
    if window.dilations[0] != 1:
        raise Declined("its rows are dilated")
    _, channels, height, width = x.shape
    columns = Columns("vectors" if target.mve else "single", window, height, width, channels, x.type.dtype == "int8", zero)
    how, numbers = ending(site, weight, 0, columns.gathered_zero)
    form: Form = "pairs" if target.dsp and channels >= 4 else "single"
    if target.mve and serves(how, weight):
        form, numbers = "vectors", ordered(numbers)
    end, words = ending_of(target, how, numbers, len(numbers.bias))
    taps = taps_of(form, columns, y.shape[3], target.vector_registers < 20)
    ring = Ring(columns, taps, replace(end, outputs=channels), y.shape[2], y.shape[3])
    function = ring_function(target, ring, (x.elements // x.shape[0], y.elements // y.shape[0]))
    residual = Input(RESIDUAL) if site.optional(RESIDUAL) is not None else Output()
    memory = Temporary("rows", ring.scratch_bytes, True, "int8")
    operands = (Input(0), Packed(arranged(ring.taps, weight)), Packed(words), residual, Output(), memory)
    over = ((0, ring.lag),) if x.shape[0] == 1 and not how.added else ()
    return (KernelCall(function, operands, (), x.shape[0], overlaps=over),)


def ring_function(target: Target, ring: Ring, image: tuple[int, int]) -> Callable[..., None]:
    """The kernel ``(x, w, b, r, y, scratch, begin, end)`` whose chunks are images, ``image`` elements of x and y apart."""
    run = VectorFunction(6, lambda builder, *given: _emit(Words(target, builder), ring, *given))
    x_image, y_image = image

    def convolve_depthwise(x: Any, w: Any, b: Any, r: Any, y: Any, scratch: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            run(offset(x, chunk * x_image), w, b, offset(r, chunk * y_image), offset(y, chunk * y_image), scratch)

    return convolve_depthwise


def _emit(w: Words, ring: Ring, x: Value, weights: Value, b: Value, r: Value, y: Value, scratch: Value) -> None:
    x, weights, b, r, y, scratch = map(w.bytes, (x, weights, b, r, y, scratch))
    (height, _), (down, _) = ring.columns.window.kernel, ring.columns.window.strides
    lines = [w.at(scratch, i * ring.line) for i in range(height)]
    first = -ring.columns.window.pads[0]
    fresh = min(down, height)  # rows that one row of results has and the one before it has not
    for i in range(height - fresh):
        _fetch(w, ring, x, lines[fresh + i], word(first + i))
    step = ring.across * ring.end.outputs

    def row(index: Value, out: Value, added: Value, *held: Value) -> list[Value]:
        place = w.add(w.mul(index, down), first + height - fresh)
        moved = [*held[fresh:], *held[:fresh]]
        for i in range(fresh):
            _fetch(w, ring, x, moved[height - fresh + i], w.add(place, i))
        emit_pixels(w, ring.taps, ring.end, moved, weights, b, out, added)
        return [w.at(out, step * ring.end.result_bytes), w.at(added, step), *moved]

    w.loop(ring.rows, [y, r, *lines], row)


def _fetch(w: Words, ring: Ring, x: Value, line: Value, index: Value) -> None:
    """Put row ``index`` of the map into the ring, or zero points where there is none."""
    g, left = ring.columns, ring.columns.window.pads[1]
    right = max(0, ring.taps.width - left - g.width)
    inner = min(g.width, ring.taps.width - left)

    def there() -> None:
        fill(w, g, line, left * g.channels)
        copy(w, g, w.at(x, w.mul(index, g.width * g.channels)), w.at(line, left * g.channels), inner * g.channels)
        fill(w, g, w.at(line, (left + inner) * g.channels), right * g.channels)

    if not any(g.window.halo[::2]):
        return there()
    return w.when(w.below(index, g.height), there, lambda: fill(w, g, line, ring.taps.width * g.channels))


KERNEL = Kernel("depthwise_last", ("QuantConv",), select, layout="blocked", hot=True, last="only")
