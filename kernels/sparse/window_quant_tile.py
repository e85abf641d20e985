"""The tile of scattered codes: 16 outputs of some rows, each of which picks four codes at a time from a window in registers.

    y[p, v] = end(bias[v] + sum over steps of the four codes window(p)[places[v]] times w[v], residual[p, v])

A window is what the processor picks bytes from at once: a register of 64 (vpermb), or two of 16 (tbl; pshufb, which gives zero
for places of which the highest bit is set, so that each half leaves the places of the other one empty).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.emit.emitter import BYTES_PTR, I8, I16, Emitter, Value
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer import quant_tile
from edgeopt.kernels.integer.quant_dot import Steps, arranged, dot_form
from edgeopt.kernels.integer.quant_tile import QuantTile
from edgeopt.kernels.sparse.entries import HEIGHT
from edgeopt.kernels.sparse.window_tile import window_sums
from edgeopt.target import Target

EACH = 4  # codes of an output in a step
UPPER = 0x70  # what pshufb adds to places: those of the second half get the highest bit


def window_codes(target: Target) -> int:
    """Codes in a window."""
    return 64 if target.lookup == "vpermb" else 32


def lowest_place(target: Target) -> int:
    """What places are counted from."""
    return UPPER if target.lookup == "pshufb" else 0


def in_order(target: Target, step: Array) -> Array:
    """The codes or places of steps [steps, 16, 4] as the tile reads them."""
    return arranged(target, step) if dot_form(target) == "long" else step


def window_quant_function(target: Target, tile: QuantTile, depth: int, sums: int, signed: bool) -> Any:
    """The tile as a function ``(x, w, o, b, r, y)``, see ``window_entries``; steps go to ``sums`` sums in turn.

    ``signed``: codes of x are, where they are widened.
    """

    def emit(e: Emitter, x: Value, w: Value, o: Value, b: Value, r: Value, y: Value) -> None:
        def of_round(x: Value, w: Value, total: list[Value]) -> list[Value]:
            return _round(e, tile, depth, signed, x, w, total)

        words = 2 * depth * HEIGHT
        total = window_sums(e, words, sums, (x, w, o), quant_tile.first_sums(e, tile, b), of_round)
        quant_tile.emit_results(e, tile, total, b, r, y)

    return vector_function(target, 6, emit)


def _round(e: Emitter, tile: QuantTile, depth: int, signed: bool, x: Value, w: Value, total: list[Value]) -> list[Value]:
    """All steps of a round: ``total`` holds the sums [in turn][pixel][vector]."""
    windows, walk = [_window(e, x, pixel) for pixel in tile.pixels], Steps(e, x, (0,), (0,), False, tile.limit, False)
    kind, vectors = ir.VectorType(I8, 4 * e.lanes), len(tile.vectors)
    count, here = len(windows) * vectors, e.builder.bitcast(w, BYTES_PTR)
    for i in range(depth * vectors):
        codes, places = (e.load_as(kind, here, first + i * kind.count) for first in (0, depth * HEIGHT * EACH))
        weights = _parts(e, codes, True)
        for p, window in enumerate(windows):
            at = i // vectors * count % len(total) + p * vectors + i % vectors
            for part, weight in zip(_parts(e, _picked(e, window, places), signed), weights, strict=True):
                value = [part, part] if walk.form == "long" else part
                total[at : at + 1] = walk.dots(total[at : at + 1], value, [weight])
    return total


def _window(e: Emitter, x: Value, pixel: int) -> list[Value]:
    """The codes of a window as ``_picked`` takes them."""
    if e.target.lookup == "vpermb":
        return [e.load_as(ir.VectorType(I8, 64), x, pixel)]
    halves = [e.load_as(ir.VectorType(I8, 16), x, pixel + first) for first in (0, 16)]
    return [e.shuffle(half, half, [i % 16 for i in range(4 * e.lanes)]) for half in halves]


def _picked(e: Emitter, window: list[Value], places: Value) -> Value:
    """The codes of a window at ``places``."""
    if e.target.lookup == "vpermb":
        return e.lookup(window[0], places)
    if e.target.lookup == "tbl":
        kind = ir.FunctionType(places.type, [places.type] * 3)
        return e.builder.call(e.declare("llvm.aarch64.neon.tbl2.v16i8", kind), [*window, places])
    second = e.builder.xor(places, ir.Constant(places.type, [-128] * places.type.count))
    return e.builder.or_(e.lookup(window[0], places), e.lookup(window[1], second))


def _parts(e: Emitter, codes: Value, signed: bool) -> list[Value]:
    """Bytes as products take them; where those are of words, the even ones and the odd ones."""
    if dot_form(e.target) != "words":
        return [codes]
    words = e.builder.bitcast(codes, ir.VectorType(I16, 2 * e.lanes))
    eight = ir.Constant(words.type, [8] * words.type.count)
    moved = e.builder.ashr if signed else e.builder.lshr
    return [moved(e.builder.shl(words, eight), eight), moved(words, eight)]
