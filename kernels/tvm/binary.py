"""Elementwise functions of two tensors with broadcasting: arithmetic, comparisons, logic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tvm import tirx

from edgeopt.kernels.call import Declined
from edgeopt.kernels.pointwise.binary import Pair
from edgeopt.kernels.tvm.copy import located
from edgeopt.kernels.tvm.writer import Value, Writer, intrinsic, let, type_of, written
from edgeopt.target import Target

Formula = Callable[[Value, Value], Value]
_ARITHMETIC: dict[str, Formula] = {
    "Add": lambda x, y: x + y,
    "Sum": lambda x, y: x + y,
    "Sub": lambda x, y: x - y,
    "Mul": lambda x, y: x * y,
    "Max": lambda x, y: tirx.Select(y < x, x, y),
    "Min": lambda x, y: tirx.Select(x < y, x, y),
    "PRelu": lambda x, y: tirx.Select(x < tirx.const(0, type_of(x)), x * y, x),
}
_FLOAT: dict[str, Formula] = {
    **_ARITHMETIC,
    "Div": lambda x, y: x / y,
    "Max": lambda x, y: intrinsic("maximum", x, y),  # what is not a number wins; TVM takes x == x for true
    "Min": lambda x, y: intrinsic("minimum", x, y),
    "Pow 2": lambda x, y: x * x,
    "Pow 3": lambda x, y: x * x * x,
}
_COMPARISONS: dict[str, Formula] = {
    "Equal": lambda x, y: x.equal(y),
    "Greater": lambda x, y: y < x,
    "GreaterOrEqual": lambda x, y: y <= x,
    "Less": lambda x, y: x < y,
    "LessOrEqual": lambda x, y: x <= y,
}


def binary(form: Pair, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """(x, y, z): a chunk is a place in the outer four axes, (m, n) the inner two. Raises Declined for other functions."""
    compute = _formula(form, dtypes)
    d1, d2, d3, m, n = constants[:5]
    xs, ys = constants[5:11], constants[11:17]

    def body(w: Writer, chunk: Value) -> None:
        a, b = let(located(chunk, (d1, d2, d3), xs)), let(located(chunk, (d1, d2, d3), ys))
        x, y, z = w.buffers
        with w.loop(m) as j, w.loop(n) as i:
            value = compute(let(w.load(x, a + j * xs[4] + i * xs[5])), let(w.load(y, b + j * ys[4] + i * ys[5])))
            w.store(z, value.astype(_result(form)), (chunk * m + j) * n + i)

    return written(target, dtypes, body)


def _result(form: Pair) -> str:
    return "uint8" if form.result == "bool" else form.result


def _formula(form: Pair, dtypes: Sequence[str]) -> Formula:
    if form.left != form.right and form.name != "Pow 2" and form.name != "Pow 3":
        raise Declined("operands of two types")
    if form.left not in ("float32", "float64", "int32", "int64", "int8", "uint8"):
        raise Declined(f"element type {form.left}")
    table = _FLOAT if form.left.startswith("float") else _ARITHMETIC
    found = table.get(form.name) or _COMPARISONS.get(form.name)
    if found is None:
        raise Declined(f"{form.name} has no TIR")
    return found
