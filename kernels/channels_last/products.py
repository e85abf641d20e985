"""Inner products of gathered pixels with weights, by what a processor multiplies.

``pairs`` (DSP): two products of 16 bits at once. Codes of a pixel are widened once, when they are gathered: of four codes first
the even, then the odd ones, as ``sxtb16`` takes them out of a word; weights are widened as they are read. ``vectors`` (Helium):
sixteen products summed by one instruction, weights of four channels interleaved. ``single``: one product after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.channels_last.words import Words, word
from edgeopt.kernels.emit.emitter import I8, I32, Value
from edgeopt.target import Target

Form = Literal["pairs", "vectors", "single"]
UNITS = {"pairs": 4, "vectors": 16, "single": 1}  # codes in a step, to whose multiples rows of weights are filled up with zeros
UNROLLED = {"pairs": 9, "vectors": 4}  # steps in a loop body, at most; one of pairs takes 80 bytes of code
SHORT = {"pairs": 16, "vectors": 8}  # steps without a loop; both counted in code by hand


def form_of(target: Target) -> Form:
    """What ``target`` multiplies by."""
    return "vectors" if target.mve else "pairs" if target.dsp else "single"


@dataclass(frozen=True)
class Product:
    """Sums of ``depth`` products for ``channels`` outputs of ``pixels`` pixels side by side."""

    form: Form
    depth: int
    channels: int
    pixels: int

    @property
    def padded(self) -> int:
        """Products with what fills the last step."""
        return self.depth + -self.depth % UNITS[self.form]

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a gathered pixel."""
        return self.padded * (2 if self.form == "pairs" else 1)

    @property
    def channel_bytes(self) -> int:
        """Bytes between the weights of neighbouring groups of channels, by channel."""
        return self.padded


def product_of(target: Target, depth: int, outputs: int, pixels: int) -> Product:
    """The tile for ``outputs`` channels of ``pixels`` pixels: as many sums as there are registers for."""
    form = form_of(target)
    if form == "vectors":
        return Product(form, depth, 4, 1)
    if form == "pairs":
        shape = {1: (4, 1), 2: (3, 2)}.get(pixels, (2, 3))
    else:
        few = target.vector_registers < 16
        shape = (2, 1) if few else (4, 1) if pixels == 1 else (3, 3) if outputs % 3 == 0 and pixels >= 3 else (2, 4)
    return Product(form, depth, min(shape[0], outputs), min(shape[1], pixels))


def packed(product: Product, weight: Array) -> Array:
    """Weights [O, K] as ``sums`` reads them; the last group of channels ends with them (of vectors: is filled with zeros)."""
    outputs, depth = weight.shape
    full = np.zeros((outputs + (-outputs % 4 if product.form == "vectors" else 0), product.padded), weight.dtype)
    full[:outputs, :depth] = weight
    if product.form != "vectors":
        return full
    return np.ascontiguousarray(full.reshape(-1, 4, product.padded // 16, 16).transpose(0, 2, 1, 3))


def sums(w: Words, p: Product, x: Value, weights: Value, start: Sequence[Value], signed: bool) -> list[Value]:
    """``start`` (channel by channel, of each all pixels) plus the products of the pixels gathered at x."""
    steps = p.padded // UNITS[p.form]
    if p.form == "single":
        return _one_by_one(w, p, x, weights, start, signed)
    several = max(range(1, UNROLLED[p.form] + 1), key=lambda n: (-(steps // n) - steps % n, n))
    if steps <= SHORT[p.form]:
        return _steps(w, p, x, weights, list(start), range(steps), signed)
    unit = UNITS[p.form]
    x_step, w_step = unit * several * (2 if p.form == "pairs" else 1), unit * several * (4 if p.form == "vectors" else 1)

    def body(index: Value, here: Value, there: Value, *total: Value) -> list[Value]:
        made = _steps(w, p, here, there, list(total), range(several), signed)
        return [w.at(here, x_step), w.at(there, w_step), *made]

    x, weights, *total = w.loop(steps // several, [x, weights, *start], body)
    return _steps(w, p, x, weights, total, range(steps % several), signed)


def _one_by_one(w: Words, p: Product, x: Value, weights: Value, start: Sequence[Value], signed: bool) -> list[Value]:
    """A loop of one step in its body: of several LLVM would keep all products to add them in pairs, and spill them."""

    def body(index: Value, here: Value, there: Value, *total: Value) -> list[Value]:
        return [w.at(here, 1), w.at(there, 1), *_single(w, p, here, there, list(total), 0, signed)]

    return w.loop(p.padded, [x, weights, *start], body)[2:]


def _steps(w: Words, p: Product, x: Value, weights: Value, total: list[Value], steps: range, signed: bool) -> list[Value]:
    step = _pairs if p.form == "pairs" else _vectors
    for k in steps:
        total = step(w, p, x, weights, total, k, signed)
    return total


def _pairs(w: Words, p: Product, x: Value, weights: Value, total: list[Value], k: int, signed: bool) -> list[Value]:
    made = list(total)
    packed_ = [w.integer(weights, c * p.channel_bytes + 4 * k) for c in range(p.channels)]
    for half in range(2):
        factors = [w.widened_half(value, True, half) for value in packed_]
        for i in range(p.pixels):
            codes = w.ordered(x, i * p.pixel_bytes + 8 * k + 4 * half)
            for c in range(p.channels):
                at = c * p.pixels + i
                made[at] = w.call("llvm.arm.smlad", I32, factors[c], codes, made[at])
    return made


def _single(w: Words, p: Product, x: Value, weights: Value, total: list[Value], k: int, signed: bool) -> list[Value]:
    made = list(total)
    factors = [w.code(weights, c * p.channel_bytes + k, True) for c in range(p.channels)]
    for i in range(p.pixels):
        code = w.code(x, i * p.pixel_bytes + k, signed)
        for c in range(p.channels):
            made[c * p.pixels + i] = w.add(made[c * p.pixels + i], w.builder.mul(factors[c], code))
    return made


def _vectors(w: Words, p: Product, x: Value, weights: Value, total: list[Value], k: int, signed: bool) -> list[Value]:
    bytes_ = ir.VectorType(I8, 16)
    codes, made = w.load(bytes_, x, 16 * k), []
    for c in range(4):
        factors = w.load(bytes_, weights, 64 * k + 16 * c)
        how = (word(0), word(0), word(0))  # signed, added, in order
        made.append(w.call("llvm.arm.mve.vmldava.v16i8", I32, *how, total[c], codes, factors))
    return made


def zero_sums(p: Product) -> list[Value]:
    """Where sums begin that get their bias later."""
    return [word(0)] * (p.channels * p.pixels)
