"""Strided copies, fills with one value, codes brought to another range: what only moves elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeopt.kernels.integer.quant_dot import Moved
from edgeopt.kernels.move.copy import Copy, Fill
from edgeopt.kernels.tvm.writer import Value, Writer, constant, index, let, quotient, remainder, smaller, written
from edgeopt.target import Target


def copy(form: Copy, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """Boxes of up to six axes: a chunk is a place in the outer four, (m, n) the inner two."""
    source, made, d1, d2, d3, m, n = constants[:7]
    x, z = constants[7:13], constants[13:19]

    def body(w: Writer, chunk: Value) -> None:
        a, b = let(index(source) + located(chunk, (d1, d2, d3), x)), let(index(made) + located(chunk, (d1, d2, d3), z))
        with w.loop(m) as j, w.loop(n) as i:
            w.store(w.buffers[1], w.load(w.buffers[0], a + j * x[4] + i * x[5]), b + j * z[4] + i * z[5])

    return written(target, dtypes, body)


def located(chunk: Value, extents: tuple[int, int, int], steps: Sequence[int]) -> Value:
    """The element of a chunk of four axes, of which ``extents`` are the inner three."""
    d1, d2, d3 = extents
    outer, rest = quotient(chunk, d1 * d2 * d3), remainder(chunk, d1 * d2 * d3)
    second, third, fourth = quotient(rest, d2 * d3), remainder(quotient(rest, d3), d2), remainder(rest, d3)
    return outer * steps[0] + second * steps[1] + third * steps[2] + fourth * steps[3]


def fill(form: Fill, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """Every element of a chunk of n becomes the first element of the value."""
    (n,) = constants

    def body(w: Writer, chunk: Value) -> None:
        value = let(w.load(w.buffers[0], 0))
        with w.loop(n) as i:
            w.store(w.buffers[1], value, chunk * n + i)

    return written(target, dtypes, body)


def moved(form: Moved, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """Codes brought to another range: 128 more as uint8, or some less as int16."""
    size, run = constants[:2]
    added = 128 if form.result == "uint8" else -constants[2]

    def body(w: Writer, chunk: Value) -> None:
        with w.loop(chunk * run, smaller((chunk + 1) * run, size)) as i:
            code = w.load(w.buffers[0], i).astype("int32") + constant(added, 1, "int32")
            w.store(w.buffers[1], code.astype(form.result), i)

    return written(target, dtypes, body)
