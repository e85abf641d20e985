"""Rows brought to mean 0 and deviation 1, then scaled and shifted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeopt.kernels.reduce.layer_normalization_vector import Normalised
from edgeopt.kernels.tvm.rows import fold, parts
from edgeopt.kernels.tvm.writer import Value, Writer, constant, fma, intrinsic, let, smaller, splat, written
from edgeopt.target import Target


def layer_normalization(form: Normalised, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """(x, scale, bias, y), ``run`` rows in a chunk."""
    f = form.form

    def body(w: Writer, chunk: Value) -> None:
        x, scale, bias, y = w.buffers
        with w.loop(chunk * form.run, smaller((chunk + 1) * form.run, form.outer)) as i:
            row = let(i * f.n)
            mean = constant(0.0, 1)
            if f.centred:
                mean = let(fold(w, f.n, lambda at, lanes: w.load(x, row + at, lanes)) * constant(1 / f.n, 1))

            def square(at: Value, lanes: int) -> Value:
                off = let(w.load(x, row + at, lanes) - splat(mean, lanes))
                return off * off

            variance = let(fold(w, f.n, square) * constant(1 / f.n, 1) + constant(f.epsilon, 1))
            inverse = let(constant(1.0, 1) / intrinsic("sqrt", variance))
            for at, lanes in parts(w, f.n):
                value = (w.load(x, row + at, lanes) - splat(mean, lanes)) * splat(inverse, lanes)
                factor = w.load(scale, at, lanes)
                w.store(y, fma(value, factor, w.load(bias, at, lanes)) if f.shifted else value * factor, row + at)

    return written(target, dtypes, body)
