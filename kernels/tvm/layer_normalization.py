"""Rows brought to mean 0 and deviation 1, then scaled and shifted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeopt.kernels.reduce.layer_normalization_vector import Normalised
from edgeopt.kernels.tvm.rows import fold, parts
from edgeopt.kernels.tvm.writer import Value, Writer, constant, fma, intrinsic, let, smaller, written
from edgeopt.target import Target


def layer_normalization(form: Normalised, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """(x, scale, bias, y), ``run`` rows in a chunk."""
    f = form.form

    def body(w: Writer, chunk: Value) -> None:
        x, scale, bias, y = w.buffers
        with w.loop(chunk * form.run, smaller((chunk + 1) * form.run, form.outer)) as i:
            row = let(i * f.n)
            mean, n = constant(0.0, w.lanes), constant(1 / f.n, w.lanes)
            if f.centred:
                mean = let(fold(w, f.n, lambda at, lanes: w.load_first(x, row + at, lanes)) * n)

            def square(at: Value, lanes: int) -> Value:
                off = let(w.load_first(x, row + at, lanes) - mean)
                return off * off

            variance = let(fold(w, f.n, square) * n + constant(f.epsilon, w.lanes))
            inverse = let(constant(1.0, w.lanes) / intrinsic("sqrt", variance))
            for at, lanes in parts(w, f.n):
                value = (w.load_first(x, row + at, lanes) - mean) * inverse
                factor = w.load_first(scale, at, lanes)
                value = fma(value, factor, w.load_first(bias, at, lanes)) if f.shifted else value * factor
                w.store_first(y, value, row + at, lanes)

    return written(target, dtypes, body)
